import { type RunnerFilters, runnerFilters } from './runner-filters.js';

const none = { type: null, status: null, paused: null, tagList: null, versionPrefix: null };

it.each<[RunnerFilters, object]>([
  [{}, {}],
  [{ tag_list: [], version_prefix: '' }, {}],
  [
    { type: 'project_type', status: 'online', paused: false },
    { type: 'project_type', status: 'online', paused: false },
  ],
  [{ status: 'paused' }, { paused: true }],
  [{ status: 'active' }, { paused: false }],
  [{ scope: 'shared' }, { type: 'instance_type' }],
  [{ scope: 'specific', type: 'instance_type' }, { type: 'instance_type' }],
  [{ scope: 'stale' }, { status: 'stale' }],
  [
    { tag_list: ['gpu'], version_prefix: '19.' },
    { tagList: ['gpu'], versionPrefix: '19.' },
  ],
])('%j', (given, expected) => expect(runnerFilters(given)).toEqual({ ...none, ...expected }));
