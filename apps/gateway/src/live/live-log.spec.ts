import { type Change, LiveLog } from './live-log.js';

const limits = { events: 4, things: 3 };
const pipeline = (id: number, version: number, projectId = 1): Change => ({
  projectId,
  kind: 'pipeline',
  id,
  status: 'running',
  version,
});
const numbers = (log: LiveLog, place: string, projectId = 1) =>
  log.since(place, projectId)?.map(({ number }) => number);

let log: LiveLog;
beforeEach(() => {
  log = new LiveLog('a-b', limits);
});

it('writes events as pages read them', () => {
  const job: Change = { projectId: 1, kind: 'job', id: 8, pipelineId: 7, status: 'success', version: 3 };
  expect(log.add([pipeline(7, 1), job]).map(({ text }) => text)).toEqual([
    'id: a-b-1\nevent: pipeline\ndata: {"id":7,"status":"running"}\n\n',
    'id: a-b-2\nevent: job\ndata: {"id":8,"pipeline_id":7,"status":"success"}\n\n',
  ]);
});

it('leaves out what is older than what was told, or the same again', () => {
  expect(log.add([pipeline(7, 2)])).toHaveLength(1);
  expect(log.add([pipeline(7, 1), pipeline(7, 2)])).toEqual([]);
  expect(log.add([pipeline(7, 4), pipeline(8, 1), pipeline(7, 3), pipeline(7, 5)]).map(({ text }) => text)).toEqual([
    expect.stringContaining('"id":8'),
    expect.stringContaining('"id":7'),
  ]);
  expect(log.position).toBe('a-b-3');
});

it('forgets the versions of what has not changed for longest', () => {
  log.add([1, 2, 3].map((id) => pipeline(id, 1)));
  log.add([pipeline(1, 2), pipeline(4, 1)]);
  expect(log.add([pipeline(1, 2), pipeline(3, 1), pipeline(4, 1)])).toEqual([]);
  expect(log.add([pipeline(2, 1)])).toHaveLength(1);
});

describe('going on', () => {
  it('from a place that is kept, with what concerns the project', () => {
    const start = log.position;
    log.add([pipeline(1, 1), pipeline(2, 1, 9), pipeline(3, 1)]);
    expect(numbers(log, start)).toEqual([1, 3]);
    expect(numbers(log, 'a-b-1')).toEqual([3]);
    expect(numbers(log, 'a-b-1', 9)).toEqual([2]);
    expect(numbers(log, log.position)).toEqual([]);
  });

  it('from as far back as events are kept', () => {
    log.add([1, 2, 3, 4, 5, 6].map((id) => pipeline(id, 1)));
    expect(numbers(log, 'a-b-1')).toBeUndefined();
    expect(numbers(log, 'a-b-2')).toEqual([3, 4, 5, 6]);
  });

  it.each(['', 'a-b', 'a-b-', 'a-b-x', 'b-1', 'c-b-1', 'a-b-3', 'a-b--1', 'a-b-1e3', 'a-b-9999999999999999'])(
    'not from %j',
    (place) => {
      log.add([pipeline(1, 1), pipeline(2, 1)]);
      expect(numbers(log, place)).toBeUndefined();
    },
  );

  it('not over a gap', () => {
    log.add([pipeline(1, 1)]);
    const before = log.position;
    log.forget();
    const after = log.position;
    log.add([pipeline(2, 1)]);
    expect(numbers(log, before)).toBeUndefined();
    expect(numbers(log, after)).toHaveLength(1);
  });
});
