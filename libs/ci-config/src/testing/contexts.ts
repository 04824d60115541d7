import type { ConfigFiles } from '../config-files.js';
import type { PipelineContext } from '../plan.js';

/** A pipeline on branch `main` started with a trigger token, and what a test changes about it. */
export function triggered(changes: Partial<PipelineContext> = {}): PipelineContext {
  const context: PipelineContext = {
    ref: 'main',
    refType: 'branch',
    source: 'trigger',
    projectPath: 'group/project',
    trigger: { shortToken: 'abcd' },
    predefined: [],
    userVariables: [],
    projectVariables: [],
    pipelineVariables: [],
    listFiles: () => [],
    changedFiles: null,
    ...changes,
  };
  const predefined = [
    { key: 'CI', value: 'true' },
    { key: 'CI_DEFAULT_BRANCH', value: 'main' },
    { key: 'CI_PIPELINE_SOURCE', value: context.source },
    { key: 'CI_COMMIT_REF_NAME', value: context.ref },
    { key: context.refType === 'tag' ? 'CI_COMMIT_TAG' : 'CI_COMMIT_BRANCH', value: context.ref },
  ];
  return { ...context, predefined: [...predefined, ...context.predefined] };
}

/** Files of a repository, by path. */
export function filesOf(files: Record<string, string>, changes: Partial<ConfigFiles> = {}): ConfigFiles {
  return {
    readFile: (path) => (Object.hasOwn(files, path) ? (files[path] as string) : null),
    listFiles: () => Object.keys(files),
    variables: [],
    changedFiles: null,
    ...changes,
  };
}
