// needs: rabbitmq
import { join } from 'node:path';
import { type Behaviour, GitHttpServer } from '../../../pipeline-service/src/repositories/testing/git-http-server.js';
import { TestRepository } from '../../../pipeline-service/src/repositories/testing/test-repository.js';
import { audit } from '../promises/audit.js';
import { SteadyLoad } from '../promises/steady-load.js';
import { startsFlagfall } from '../testing/flagfall.js';

const config = 'build: {script: [make]}\n';
/** A caller waits 8 s for the outcome, and is told 202 then: most have it long before, on a machine with other things to do, too. */
const promptMs = 2_000;
/** Of each project's callers: those that wait 8 s each, and no more than a busy machine answers in that time. */
const mostOpen = 60;

describe('a repository in trouble, while others trigger on', () => {
  const flagfall = startsFlagfall({ name: 'repositories' });
  let server: GitHttpServer;
  let trouble = true;

  beforeAll(async () => {
    server = await GitHttpServer.start();
  });
  afterAll(() => server.close());

  const held = new Set<() => void>();
  const behaviours: Record<string, Behaviour> = {
    hanging: (request) => {
      if (trouble) held.add(() => request.socket.destroy());
      return trouble;
    },
    unreachable: (request) => {
      if (trouble) request.socket.destroy();
      return trouble;
    },
    refusing: (_, response) => {
      response.writeHead(403).end('no\n');
      return true;
    },
  };

  async function loadOn(name: string, perSecond: number): Promise<SteadyLoad> {
    const behave = behaviours[name];
    const path = join(flagfall.installation.repositories, name);
    const repository = behave && (await TestRepository.create(path));
    await repository?.commit({ '.gitlab-ci.yml': config }, 'Begin');
    const project = await flagfall.newProject(
      repository
        ? { path: name, import_url: server.place(name, join(repository.path, '.git'), behave) }
        : { path: name, files: { '.gitlab-ci.yml': config } },
    );
    return new SteadyLoad([flagfall.url], await flagfall.newTrigger(project), perSecond, mostOpen);
  }

  it('one that hangs, one that cannot be reached and one that refuses: theirs alone are late or refused, and none is lost', async () => {
    const loads = {
      hanging: await loadOn('hanging', 5),
      unreachable: await loadOn('unreachable', 5),
      refusing: await loadOn('refusing', 5),
      healthy: await loadOn('healthy', 20),
    };
    try {
      await loads.healthy.creates(200);
      await Promise.all([loads.hanging.answers(20), loads.unreachable.answers(20), loads.refusing.answers(20)]);
    } finally {
      await Promise.all(Object.values(loads).map((load) => load.stop()));
      trouble = false;
      for (const release of held) release();
    }
    const { hanging, unreachable, refusing, healthy } = loads;
    const having = (load: SteadyLoad, wanted: number) => load.told.filter(({ status }) => status === wanted);
    for (const load of [hanging, unreachable]) expect(having(load, 202)).toHaveLength(load.told.length);
    // On a busy machine the outcome of one or another is later than its caller waits, and told at its URL.
    const refused = having(refusing, 422);
    expect(refused.length).toBeGreaterThan(0.9 * refusing.told.length);
    for (const { body } of refused) expect(body.message.base[0]).toMatch(/^Repository could not be read: /);
    expect(having(healthy, 201).length).toBeGreaterThan(0.9 * healthy.told.length);
    const took = healthy.told.map(({ tookMs }) => tookMs).sort((one, other) => one - other);
    expect(took[took.length >> 1]).toBeLessThan(promptMs);
    for (const told of [hanging.told, unreachable.told, healthy.told, refused]) await audit(flagfall, told);
  });
});
