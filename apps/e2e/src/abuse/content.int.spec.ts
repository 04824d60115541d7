// needs: rabbitmq, postgresql
import { connect } from 'node:net';
import { startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner, TakenJob } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';
import { zip } from '../testing/zip.js';

/** What is inside of configurations, archives and logs: nothing of it does more than it should, or takes long. */
const flagfall = startsFlagfall({ name: 'content', environment: { REQUEST_HOLD_MS: '0' } });
/** More than anything here takes on a busy machine; what it is against takes minutes. */
const longMs = 20_000;
let project: Project;
let runner: HandRunner;

beforeAll(async () => {
  const config = `job: {script: [make], tags: [hand], coverage: '/(?:x*){1000}\\d/', artifacts: {paths: [a]}}\n`;
  project = await flagfall.newProject({ path: 'content', files: { '.gitlab-ci.yml': config } });
  runner = await flagfall.newRunner({ tag_list: ['hand'], run_untagged: false });
});

async function begin(): Promise<TakenJob> {
  await project.trigger();
  return runner.start();
}

/** Others are answered meanwhile, and afterwards everything is as it was. */
async function quickly<T>(act: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await act();
  expect(performance.now() - began).toBeLessThan(longMs);
  expect(flagfall.programs.every(({ running }) => running)).toBe(true);
  expect((await flagfall.call({ path: '//-/readiness' })).status).toBe(200);
  return result;
}

describe('names that every object has', () => {
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'];
  const configs = names.flatMap((name) => [
    `${name}: {script: [make], polluted: yes}`,
    `job: {script: [make], variables: {${name}: {polluted: yes}}}`,
    `job: {script: [make], variables: {${name}: polluted}}`,
    `job: {script: [make], extends: ${name}}`,
    `job: {script: [make], needs: [${name}]}`,
    `job: {script: [make], stage: ${name}}\nstages: [${name}]`,
    `job: {script: [!reference [${name}, polluted]]}`,
    `job: {script: [make], ${name}: {polluted: yes}}`,
    `default: {${name}: {polluted: yes}}\njob: {script: [make]}`,
    `workflow: {${name}: {polluted: yes}}\njob: {script: [make]}`,
    `job: {script: [make], parallel: {matrix: [{${name}: [a, b]}]}}`,
    `job: {script: [make], environment: {name: ${name}}, resource_group: ${name}}`,
    `spec: {inputs: {${name}: {default: x}}}\n---\njob: {script: ["$[[ inputs.${name} ]]"]}`,
    `job: {script: [make], rules: [{if: $${name} == "x", variables: {${name}: y}}]}`,
  ]);

  it('are names like any other in configurations, or refused', async () => {
    await quickly(async () => {
      for (const content of configs) {
        const path = `/projects/${project.id}/ci/lint`;
        const { status, body } = await flagfall.call({
          method: 'POST',
          path,
          token: flagfall.rootToken,
          json: { content },
        });
        expect([content, status, typeof body.valid]).toEqual([content, 200, 'boolean']);
      }
    });
    const content = 'job: {script: [make]}';
    expect(await project.post('/ci/lint', { content })).toMatchObject({ valid: true, errors: [], warnings: [] });
    expect(JSON.stringify(await project.get(''))).not.toContain('polluted');
  }, 120_000);

  it('are so in calls, too, in every encoding', async () => {
    const trigger = await flagfall.newTrigger(project);
    const path = `/projects/${project.id}/trigger/pipeline`;
    for (const name of names) {
      const raw = `{"token":"${trigger.token}","ref":"main","variables":{"${name}":"x"},"inputs":{"${name}":"x"},"${name}":{"polluted":"yes"}}`;
      const form = [
        ['token', trigger.token],
        ['ref', 'main'],
        [`variables[${name}]`, 'x'],
        [`inputs[${name}]`, 'x'],
        [`${name}[polluted]`, 'yes'],
      ] as const;
      const answers = [
        await flagfall.call({ method: 'POST', path, raw, headers: { 'Content-Type': 'application/json' } }),
        await flagfall.call({ method: 'POST', path, form }),
        await flagfall.call({ method: 'POST', path, multipart: form }),
        await flagfall.call({
          method: 'POST',
          path: `${path}?${String(new URLSearchParams(form.map(([key, value]): [string, string] => [key, value])))}`,
        }),
      ];
      const told = answers.map(({ status, body }) => JSON.stringify([status, body.message ?? body.error]));
      expect([name, new Set(told).size, told[0]]).toEqual([name, 1, expect.stringMatching(/^\[(?:201|400|422)/)]);
      expect(JSON.stringify(answers.map(({ body }) => body))).not.toContain('polluted');
    }
  });
});

describe('patterns that other engines never end', () => {
  const bomb = '(a+)+$';
  const text = `${'a'.repeat(200)}!`;

  it.each<[string, string]>([
    ['rules:if', `variables: {TEXT: "${text}"}\njob: {script: [make], rules: [{if: $TEXT =~ /${bomb}/}]}`],
    [
      'a pattern in a variable',
      `variables: {TEXT: "${text}", BOMB: "/${bomb}/"}\njob: {script: [make], rules: [{if: $TEXT =~ $BOMB}]}`,
    ],
    [
      'workflow:rules',
      `variables: {TEXT: "${text}"}\nworkflow: {rules: [{if: $TEXT !~ /${bomb}/}]}\njob: {script: [make]}`,
    ],
    ['only', `job: {script: [make], only: [/${bomb}/], except: [/${bomb}!/]}`],
    ['only:variables', `variables: {TEXT: "${text}"}\njob: {script: [make], only: {variables: [$TEXT =~ /${bomb}/]}}`],
    ['rules:changes', `job: {script: [make], rules: [{changes: ["${'*a'.repeat(200)}b"]}]}`],
    ['rules:exists', `job: {script: [make], rules: [{exists: ["${'**/'.repeat(200)}b"]}]}`],
    ['include with a glob', `include: ["${'*a'.repeat(200)}b.yml"]\njob: {script: [make]}`],
    ['a regex of an input', `spec: {inputs: {a: {regex: "^${bomb}", default: "${text}"}}}\n---\njob: {script: [make]}`],
    ['coverage', `job: {script: [make], coverage: "/${bomb}/"}`],
  ])('%s', async (_, content) => {
    const answer = await quickly(() => project.post('/ci/lint', { content, dry_run: true, ref: 'main' }));
    expect(typeof answer.valid).toBe('boolean');
  });

  it('a long log that is searched for coverage keeps nobody waiting', async () => {
    const job = await begin();
    await runner.log(job, `${'x'.repeat(4_094)}\n`.repeat(256));
    await quickly(() => runner.end(job, 'success'));
    expect((await project.job(job)).coverage).toBeNull();
  }, 120_000);

  it('nor do URLs of slashes, or headers of blanks, from nobody', async () => {
    await quickly(async () => {
      for (let calls = 0; calls < 10; calls += 1) {
        await raw(`GET ${'/'.repeat(30_000)}.git/x HTTP/1.1`);
        await raw(`GET /assets/none.js HTTP/1.1\r\nAccept-Encoding: gzip${' '.repeat(30_000)}x`);
        await raw(`GET / HTTP/1.1\r\nAccept: text/html\r\nAccept-Encoding: gzip${' '.repeat(30_000)}x`);
      }
    });
  }, 120_000);
});

/** Sends lines as they are: clients would tidy them. */
function raw(lines: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(flagfall.installation.ports[0]!, '127.0.0.1', () =>
      socket.write(`${lines}\r\nHost: x\r\nConnection: close\r\n\r\n`),
    );
    socket
      .resume()
      .once('close', () => resolve())
      .once('error', reject);
  });
}

describe('an archive that means ill', () => {
  const upload = async (job: TakenJob, bytes: Buffer): Promise<void> => {
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(bytes)]), 'a\r\nX-Forged: 1".zip');
    const query = 'artifact_type=archive&artifact_format=zip';
    const headers = { 'JOB-TOKEN': job.token };
    const { status } = await fetch(`${flagfall.url}/api/v4/jobs/${job.id}/artifacts?${query}`, {
      method: 'POST',
      headers,
      body: form,
    });
    expect(status).toBe(201);
    await runner.end(job, 'success');
  };
  const file = (job: TakenJob, path: string) =>
    flagfall.call({ path: `/projects/${project.id}/jobs/${job.id}/artifacts${path}`, token: flagfall.rootToken });

  it('that is larger than it claims ends nobody’s process', async () => {
    const job = await begin();
    const bytes = await zip({ file: 'x'.repeat(3 * 1024 ** 2) });
    bytes.writeUInt32LE(10, bytes.lastIndexOf('PK\x01\x02', undefined, 'latin1') + 24);
    await upload(job, bytes);
    expect((await quickly(() => file(job, '/file'))).status).toBe(404);
    expect((await file(job, '')).status).toBe(200);
  });

  it('leads nowhere by its names, and forges no header by them', async () => {
    const job = await begin();
    const name = 'd/e"f\nX-Forged: 1é.txt';
    await upload(job, await zip({ [name]: 'content' }));
    const { status, headers } = await file(job, `/${encodeURIComponent(name)}`);
    expect([status, headers.get('content-disposition')]).toEqual([200, 'attachment; filename="e_f_X-Forged: 1_.txt"']);
    const whole = await file(job, '');
    expect(whole.headers.get('content-disposition')).toMatch(/^attachment; filename="[^"\r\n]*"$/);
    for (const answer of [headers, whole.headers])
      expect([answer.has('x-forged'), answer.get('content-type')]).toEqual([false, 'application/octet-stream']);
    for (const path of [
      '../../../../etc/passwd',
      '..%2f..%2fetc%2fpasswd',
      '%2e%2e/%2e%2e/x',
      '%2fetc%2fpasswd',
      'd/../../x',
      'd%00',
      '%5c..%5cx',
    ])
      expect({ path, isRefused: [400, 404].includes((await file(job, `/${path}`)).status) }).toEqual({
        path,
        isRefused: true,
      });
  });
});
