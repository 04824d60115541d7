import { isDownstream, type OrderedJob } from './downstream.js';

const stage = (name: string, stageIdx: number): OrderedJob => ({
  name,
  stageIdx,
  status: 'skipped',
  scheduling: 'stage',
  needs: [],
});
const dag = (name: string, stageIdx: number, ...needs: string[]): OrderedJob => ({
  name,
  stageIdx,
  status: 'skipped',
  scheduling: 'dag',
  needs,
});

describe('isDownstream', () => {
  const jobs = [
    stage('build', 1),
    stage('test', 2),
    dag('lint', 2),
    dag('pack', 3, 'build'),
    dag('ship', 4, 'pack'),
    stage('last', 5),
  ];
  const of = (name: string) => jobs.find((job) => job.name === name) as OrderedJob;

  it.each([
    ['test', ['build'], true],
    ['build', ['test'], false],
    ['build', ['build'], false],
    ['lint', ['build'], false],
    ['pack', ['build'], true],
    ['ship', ['build'], true],
    ['ship', ['test'], false],
    ['last', ['lint'], true],
  ])('%s after %s: %s', (name, names, expected) => {
    expect(isDownstream(of(name), new Set(names), jobs)).toBe(expected);
  });
});
