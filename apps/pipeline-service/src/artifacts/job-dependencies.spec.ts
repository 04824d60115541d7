import { dependenciesOf, type EarlierJob, MissingDependency } from './job-dependencies.js';

const left = (name: string, stageIdx: number, more: Partial<EarlierJob> = {}): EarlierJob => ({
  id: stageIdx,
  name,
  stageIdx,
  archive: { filename: 'artifacts.zip', size: 1 },
  gone: false,
  variables: [],
  ...more,
});
const need = (name: string, artifacts = true) => ({ name, artifacts, optional: false });
const jobs = [left('a', 1), left('b', 2), left('c', 3)];
const names = (job: Parameters<typeof dependenciesOf>[0], of = jobs) => dependenciesOf(job, of).map(({ name }) => name);

it.each<[string, Parameters<typeof dependenciesOf>[0], string[]]>([
  ['all of earlier stages', { scheduling: 'stage', stageIdx: 3, needs: [] }, ['a', 'b']],
  ['those named', { scheduling: 'stage', stageIdx: 3, needs: [], dependencies: ['b'] }, ['b']],
  ['none', { scheduling: 'stage', stageIdx: 3, needs: [], dependencies: [] }, []],
  [
    'those needed, also of the same stage',
    { scheduling: 'dag', stageIdx: 3, needs: [need('c'), need('a')] },
    ['c', 'a'],
  ],
  ['needed without their artifacts', { scheduling: 'dag', stageIdx: 3, needs: [need('c', false), need('a')] }, ['a']],
  [
    'those needed and named',
    { scheduling: 'dag', stageIdx: 3, needs: [need('b'), need('a')], dependencies: ['a'] },
    ['a'],
  ],
  ['needed, but left nothing', { scheduling: 'dag', stageIdx: 3, needs: [need('x')] }, []],
])('%s', (_, job, expected) => {
  expect(names(job)).toEqual(expected);
});

it('misses what is gone, where it matters', () => {
  const gone = [left('a', 1, { gone: true, archive: null }), left('b', 2)];
  expect(() => names({ scheduling: 'stage', stageIdx: 3, needs: [] }, gone)).toThrow(MissingDependency);
  expect(() => names({ scheduling: 'stage', stageIdx: 3, needs: [] }, gone)).toThrow('The artifacts of a are not');
  expect(names({ scheduling: 'stage', stageIdx: 3, needs: [], dependencies: ['b'] }, gone)).toEqual(['b']);
});
