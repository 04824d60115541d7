import { FetchLanes } from './fetch-lanes.js';

/** Tasks that end when the test says so. */
function heldTasks(lanes: FetchLanes) {
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (project: number, name: string) =>
    lanes.run(project, () => {
      started.push(name);
      return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
    });
  return { started, end: (name: string) => ends.get(name)!(), run };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const hour = 3_600_000;

describe('FetchLanes', () => {
  it('runs one task of a project at a time, and some of all', async () => {
    const { started, end, run } = heldTasks(new FetchLanes({ atOnce: 2, atMost: 10, slowAfterMs: hour, waitMs: hour }));
    const all = [run(1, 'a1'), run(1, 'a2'), run(2, 'b1'), run(3, 'c1')];
    await settle();
    expect(started).toEqual(['a1', 'b1']);
    end('a1');
    await settle();
    expect(started).toEqual(['a1', 'b1', 'c1']);
    end('b1');
    await settle();
    expect(started).toEqual(['a1', 'b1', 'c1', 'a2']);
    end('c1');
    end('a2');
    expect(await Promise.all(all)).toEqual(['a1', 'a2', 'b1', 'c1']);
  });

  it('goes on after a task that failed', async () => {
    const lanes = new FetchLanes({ atOnce: 1, atMost: 1, slowAfterMs: hour, waitMs: hour });
    const failed = lanes.run(1, () => Promise.reject(new Error('no')));
    const next = lanes.run(1, () => Promise.resolve('yes'));
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });

  it('lets others pass a slow task, up to a limit, and then says that there is no place', async () => {
    const { started, end, run } = heldTasks(new FetchLanes({ atOnce: 1, atMost: 2, slowAfterMs: 10, waitMs: 500 }));
    const slow = run(1, 'slow');
    const second = run(2, 'second');
    const third = run(3, 'third');
    await expect(third).rejects.toMatchObject({ name: 'RepositoryUnreadable', transient: true });
    expect(started).toEqual(['slow', 'second']);
    end('slow');
    end('second');
    expect(await Promise.all([slow, second])).toEqual(['slow', 'second']);
    const fourth = run(4, 'fourth');
    await settle();
    end('fourth');
    expect(await fourth).toBe('fourth');
  });
});
