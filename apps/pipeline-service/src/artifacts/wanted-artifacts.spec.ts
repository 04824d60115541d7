import { wantedArtifacts } from './wanted-artifacts.js';

it('asks for nothing where nothing is said', () => {
  expect(wantedArtifacts(undefined)).toEqual([]);
  expect(wantedArtifacts({ name: 'empty' })).toEqual([]);
});

it('asks for one archive of all paths', () => {
  expect(
    wantedArtifacts({ name: 'dist-$CI_JOB_ID', paths: ['dist/'], exclude: ['dist/*.map'], expireIn: '1 week' }),
  ).toEqual([
    {
      name: 'dist-$CI_JOB_ID',
      untracked: false,
      paths: ['dist/'],
      exclude: ['dist/*.map'],
      when: 'on_success',
      expire_in: '1 week',
      artifact_type: 'archive',
      artifact_format: 'zip',
    },
  ]);
  expect(wantedArtifacts({ untracked: true, when: 'on_failure' })).toEqual([
    { untracked: true, paths: [], when: 'on_failure', artifact_type: 'archive', artifact_format: 'zip' },
  ]);
});

it.each<[string, unknown, object]>([
  ['junit', 'a.xml', { name: 'junit.xml', paths: ['a.xml'], artifact_type: 'junit', artifact_format: 'gzip' }],
  [
    'junit',
    ['a.xml', 'b.xml'],
    { name: 'junit.xml', paths: ['a.xml', 'b.xml'], artifact_type: 'junit', artifact_format: 'gzip' },
  ],
  ['dotenv', 'x.env', { name: '.env', paths: ['x.env'], artifact_type: 'dotenv', artifact_format: 'gzip' }],
  [
    'coverage_report',
    { coverage_format: 'cobertura', path: 'c.xml' },
    { name: 'cobertura-coverage.xml', paths: ['c.xml'], artifact_type: 'cobertura', artifact_format: 'gzip' },
  ],
  [
    'codequality',
    'q.json',
    {
      name: 'gl-code-quality-report.json',
      paths: ['q.json'],
      artifact_type: 'codequality',
      artifact_format: 'raw',
    },
  ],
])('asks for a report: %s %j', (name, value, expected) => {
  expect(wantedArtifacts({ when: 'on_success', reports: { [name]: value } })).toEqual([
    { ...expected, when: 'always' },
  ]);
});

it('leaves out reports that nobody knows', () => {
  expect(wantedArtifacts({ reports: { horoscope: 'x', __proto__: 'y', junit: [] } })).toEqual([]);
});
