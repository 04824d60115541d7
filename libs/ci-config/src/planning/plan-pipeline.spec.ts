import {
  compile,
  defaultLimits,
  jobPredefinedVariables,
  noFiles,
  parseConfig,
  planPipeline,
  type Limits,
} from '../index.js';
import { triggered } from '../testing/contexts.js';

const plan = (text: string, limits: Partial<Limits> = {}) =>
  compile(text, noFiles, triggered(), { ...defaultLimits, ...limits });

describe('limits', () => {
  test('jobs of a pipeline; those that rules leave out do not count', () => {
    const text = 'a: {script: a}\nb: {script: a}\nc: {script: a, only: [tags]}';
    expect(plan(text, { jobs: 2 })).toMatchObject({ ok: true });
    expect(plan(text, { jobs: 1 })).toMatchObject({
      ok: false,
      reason: 'size_limit_exceeded',
      errors: [
        'The number of jobs has exceeded the limit of 1. Try splitting the configuration with parent-child-pipelines',
      ],
    });
  });

  test('instances of parallel jobs are not made without end', () =>
    expect(plan('a: {script: a, parallel: 200}', { jobs: 10 })).toMatchObject({ ok: false, reason: 'config_error' }));

  test('variables of all jobs', () =>
    expect(plan('variables: {A: 1, B: 2}\na: {script: a}\nb: {script: a}', { variables: 3 })).toMatchObject({
      ok: false,
      reason: 'size_limit_exceeded',
    }));

  test('patterns in variables of the call end in an error, not in hours', () => {
    const rules = Array.from({ length: 500 }, (_, index) => `{if: $CI =~ $P${index}}`).join(', ');
    const parsed = parseConfig(`a: {script: a, rules: [${rules}]}`, noFiles);
    const pipelineVariables = Array.from({ length: 500 }, (_, index) => ({
      key: `P${index}`,
      value: `/(a${index}){900}/`,
    }));
    expect(parsed.ok && planPipeline(parsed.config, triggered({ pipelineVariables }))).toMatchObject({
      ok: false,
      reason: 'config_error',
      errors: ['The regular expressions are too large'],
    });
  });
});

test('several problems of one file all come as errors', () =>
  expect(plan('a: {script: a, foo: 1}\nb: {script: a, bar: 1}')).toMatchObject({
    ok: false,
    reason: 'config_error',
    errors: ['jobs:a config contains unknown keys: foo', 'jobs:b config contains unknown keys: bar'],
  }));

test('a circle in variables of the call counts where a job is in', () => {
  const parsed = parseConfig('a: {script: a}', noFiles);
  const pipelineVariables = [
    { key: 'A', value: '$B' },
    { key: 'B', value: '${A}' },
  ];
  expect(parsed.ok && planPipeline(parsed.config, triggered({ pipelineVariables }))).toMatchObject({
    errors: ['a: circular variable reference detected: ["A", "B"]'],
  });
});

test('compare_to: an unknown ref fails the pipeline, changes since a known one decide', () => {
  const parsed = parseConfig(
    'variables: {BASE: main}\na: {script: a, rules: [{changes: {paths: ["*.md"], compare_to: $BASE}}]}\nb: {script: a}',
    noFiles,
  );
  const names = (paths: string[] | null) => {
    const result =
      parsed.ok && planPipeline(parsed.config, triggered({ changedSince: (ref) => (ref === 'main' ? paths : null) }));
    return result && (result.ok ? result.jobs.map(({ name }) => name) : result.errors);
  };
  expect(parsed).toMatchObject({ config: { usesCompareTo: true, usesFileList: false } });
  expect(names(['a.md'])).toEqual(['a', 'b']);
  expect(names([])).toEqual(['b']);
  expect(names(null)).toEqual(['Failed to parse rule for a: rules:changes:compare_to is not a valid ref']);
});

test('the variables that depend on the job', () => {
  const variables = jobPredefinedVariables({
    name: 'Deploy App: [eu, 1]',
    stage: 'deploy',
    when: 'manual',
    parallel: { index: 2, total: 3 },
    environment: { name: 'review/x', action: 'start', url: 'https://x' },
  });
  expect(Object.fromEntries(variables.map(({ key, value }) => [key, value]))).toEqual({
    CI_JOB_NAME: 'Deploy App: [eu, 1]',
    CI_JOB_NAME_SLUG: 'deploy-app---eu--1',
    CI_JOB_GROUP_NAME: 'Deploy App',
    CI_JOB_STAGE: 'deploy',
    CI_JOB_MANUAL: 'true',
    CI_NODE_TOTAL: '3',
    CI_NODE_INDEX: '2',
    CI_ENVIRONMENT_NAME: 'review/x',
    CI_ENVIRONMENT_ACTION: 'start',
    CI_ENVIRONMENT_TIER: 'development',
    CI_ENVIRONMENT_URL: 'https://x',
  });
});
