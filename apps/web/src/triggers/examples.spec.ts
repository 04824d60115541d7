import { triggerExamples } from './examples.js';

const examples = triggerExamples('https://ci.example.com', 42, 'release/1.0');

test('each names the project and its branch', () => {
  for (const { code } of examples) {
    expect(code).toContain('https://ci.example.com/api/v4/projects/42/');
    expect(code).toMatch(/release(\/|%2F)1\.0/);
    expect(code).toMatch(/TOKEN/);
  }
});

test('a branch with a slash is one segment of the webhook URL, and one value of a query', () => {
  const byTitle = new Map(examples.map(({ title, code }) => [title, code]));
  expect(byTitle.get('Webhook')).toBe(
    'https://ci.example.com/api/v4/projects/42/ref/release%2F1.0/trigger/pipeline?token=TOKEN',
  );
  expect(byTitle.get('cURL, query string')).toContain('ref=release%2F1.0"');
});
