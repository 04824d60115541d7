import { readFileSync } from 'node:fs';
import { Metrics } from './metrics.js';
import { version } from './version.js';

test('the version is the package’s', () => {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  expect(version).toBe((JSON.parse(text) as { version: string }).version);
});

describe('what a process tells', () => {
  it('is its version, and how its process is', async () => {
    const text = await new Metrics().text();
    expect(text).toContain(`flagfall_build_info{version="${version}",node="${process.version}"} 1`);
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
  });

  it('is read when it is asked for, from all parts that tell of it', async () => {
    const metrics = new Metrics();
    let open = 1;
    const part = (name: string) => () => [{ labels: { part: name }, value: open }];
    metrics.gauge('open', 'Open ones', ['part'], part('one'));
    metrics.gauge('open', 'Open ones', ['part'], part('other'));
    metrics.total('seen_total', 'Seen ones', [], () => [{ value: open * 10 }]);
    open = 3;
    await metrics.text();
    const text = await metrics.text();
    expect(text).toContain('open{part="one"} 3\nopen{part="other"} 3');
    expect(text).toContain('# TYPE seen_total counter\nseen_total 30');
  });

  it('lacks what cannot be read, and all else is there', async () => {
    const metrics = new Metrics();
    let away = false;
    metrics.gauge('depth', 'How much waits', [], () => {
      if (away) throw new Error('the database is away');
      return [{ value: 7 }];
    });
    metrics.gauge('stuck', 'Never told', [], () => new Promise(() => undefined));
    expect(await metrics.text()).toMatch(/^depth 7$/m);
    away = true;
    const text = await metrics.text();
    expect(text).not.toMatch(/^(depth|stuck) \d/m);
    expect(text).toContain('flagfall_build_info');
  });

  it('is read once for those who ask at once', async () => {
    const metrics = new Metrics();
    let reads = 0;
    metrics.gauge('reads', 'How often it was read', [], () => [{ value: ++reads }]);
    await Promise.all([metrics.text(), metrics.text(), metrics.text()]);
    expect(reads).toBe(1);
  });
});
