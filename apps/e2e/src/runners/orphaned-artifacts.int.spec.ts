import { randomUUID } from 'node:crypto';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pino } from 'pino';
import { CreatePipeline, CreateProject } from '#libs/contracts';
import { OrphanSweeper } from '../../../gateway/src/artifacts/orphan-sweeper.js';
import { Services } from '../../../gateway/src/services.js';
import { ArtifactFiles } from '../../../gateway/src/storage/artifact-files.js';
import { DiskStorage } from '../../../gateway/src/storage/disk-storage.js';
import { TestRepository } from '../../../pipeline-service/src/repositories/testing/test-repository.js';
import { newActor, type RunningService, startService } from '../../../pipeline-service/src/testing/running-service.js';

let running: RunningService;
let files: ArtifactFiles;
let sweeper: OrphanSweeper;
let jobId: number;

beforeAll(async () => {
  running = await startService('orphans');
  await mkdir(running.root, { recursive: true });
  const repository = await TestRepository.create(join(running.root, 'app'));
  await repository.commit({ '.gitlab-ci.yml': 'build: {script: [make]}\n' });
  const who = { requestId: randomUUID(), actor: newActor() };
  const { id: projectId } = await running.ask(CreateProject, { ...who, path: 'app', importUrl: repository.path });
  const order = { projectId, ref: 'main', variables: [], receivedAt: new Date().toISOString() };
  const pipeline = await running.ask(CreatePipeline, { ...who, ...order, requestId: randomUUID() });
  const [job] = (await running.database.query('select id from pipelines.jobs where pipeline_id = $1', [
    pipeline.id,
  ])) as { id: number }[];
  jobId = job?.id ?? 0;
  files = new ArtifactFiles(new DiskStorage(storage()));
  sweeper = new OrphanSweeper(files, new Services(running.bus), pino({ level: 'silent' }));
});
afterAll(() => running.stop());

const storage = () => join(running.root, 'storage');
const pathOf = (key: string) => join(storage(), 'artifacts', key);
const has = async (key: string) => (await files.size(key)) !== null;
const store = async () => (await files.write(Readable.from(['bytes']), 100)).key;
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);
const age = (path: string) => utimes(path, daysAgo(2), daysAgo(2));

it('bytes that nobody recorded go after a day, and those of a record stay', async () => {
  const [recorded, orphaned, recent] = [await store(), await store(), await store()];
  await running.database.query(
    `insert into pipelines.artifacts (job_id, type, format, filename, size, sha256, storage_key, created_at)
     values ($1, 'archive', 'zip', 'a.zip', 5, '', $2, now())`,
    [jobId, recorded],
  );
  const [half, growing] = ['.part', '.part'].map((ending) => {
    const name = randomUUID();
    return pathOf(`${orphaned.slice(0, 2)}/${name}`) + ending;
  });
  for (const path of [half, growing]) await writeFile(path as string, 'by');
  const other = join(storage(), 'artifacts/README');
  await writeFile(other, 'of somebody else');
  for (const path of [pathOf(recorded), pathOf(orphaned), half as string, other]) await age(path);

  await sweeper.sweep(new Date());
  expect(await Promise.all([recorded, orphaned, recent].map((key) => has(key)))).toEqual([true, false, true]);
  const beside = await readdir(dirname(pathOf(orphaned)));
  expect([half, growing].map((path) => beside.includes(basename(path as string)))).toEqual([false, true]);
  expect(await readdir(join(storage(), 'artifacts'))).toContain('README');
});

it('nothing goes while the records cannot be asked for', async () => {
  const orphaned = await store();
  await age(pathOf(orphaned));
  await running.database.query('alter table pipelines.artifacts rename to elsewhere');
  await expect(sweeper.sweep(new Date())).rejects.toThrow('500');
  await running.database.query('alter table pipelines.elsewhere rename to artifacts');
  expect(await has(orphaned)).toBe(true);
  await sweeper.sweep(new Date());
  expect(await has(orphaned)).toBe(false);
});
