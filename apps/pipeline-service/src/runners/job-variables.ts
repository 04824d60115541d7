import { expandVariables, type Job, jobPredefinedVariables, type Variable } from '#libs/ci-config';
import { environmentSlug } from '../environments/environment-slug.js';
import {
  pipelineVariables,
  projectVariables,
  type Server,
  serverVariables,
  userVariables,
} from '../pipelines/predefined-variables.js';
import { projectIdentity } from '../pipelines/project-variables.js';
import type { ProjectForCreation, ProjectVariable } from '../projects/project-reader.js';
import type { HandedOutJob, HandingOut } from './handed-out-job.js';

/** A variable as a runner gets it (runner-api.md §2.7). */
export interface SentVariable {
  key: string;
  value: string;
  /** Whether containers of services may see it. */
  public: boolean;
  /** Whether the runner hides the value in the log. */
  masked: boolean;
  file?: true;
  raw?: true;
}

export type Flagged = Variable & { masked?: boolean; secret?: boolean };

/** What the variables of a job depend on. */
export type JobFacts = Pick<
  HandedOutJob,
  'id' | 'definition' | 'pipeline' | 'user' | 'dependencies' | 'playedVariables'
>;

/**
 * All variables of a job, one entry per key, in GitLab's order of precedence (ci-config.md §4.1). Values are expanded by one another here; what
 * refers to files, to raw values and to what only the runner knows (`CI_PROJECT_DIR`) is left to the runner's own expansion, which also makes `$`
 * of `$$` and nothing of names that nobody knows, as in GitLab.
 *
 * @throws Error when values refer to each other in a circle
 */
export function jobVariables(job: HandedOutJob, project: ProjectForCreation, handing: HandingOut): SentVariable[] {
  const onRunner = [...handedOutVariables(handing), ...runnerVariables(handing)];
  const layers = variableLayers(job, project, handing.server, onRunner);
  const expanded = expandVariables(layers, 'runner');
  // Refused when the pipeline was created, but a variable of the project may have been changed since.
  if (!expanded.ok) throw new Error(expanded.error);
  return expanded.variables.map((variable: Flagged) => ({
    key: variable.key,
    value: variable.value,
    public: !variable.secret && !variable.masked,
    masked: variable.masked === true,
    ...(variable.file && { file: true as const }),
    ...(variable.raw && { raw: true as const }),
  }));
}

/**
 * A job's variables in their layers, later ones winning.
 * @param onRunner what only a job that a runner has knows of itself
 */
export function variableLayers(
  job: JobFacts,
  project: ProjectForCreation,
  server: Server,
  onRunner: Flagged[],
): Flagged[] {
  const { pipeline, definition } = job;
  return [
    // The address is the one that the file writes with references in it.
    ...jobPredefinedVariables({ ...definition, when: definition.when }).map((variable) =>
      variable.key === 'CI_ENVIRONMENT_URL' ? variable : literal(variable),
    ),
    ...serverVariables(server).map(literal),
    ...projectVariables(projectIdentity(project), server).map(literal),
    ...pipelineVariables(pipeline).map(literal),
    ...runTimeVariables(job, project, server).map(literal),
    ...onRunner.map(literal),
    ...definition.variables,
    ...(job.user ? userVariables(job.user).map(literal) : []),
    ...job.dependencies.flatMap(({ variables }) => variables.map((variable) => literal({ ...variable, secret: true }))),
    ...settingsVariables(project, pipeline.protected, definition),
    ...pipeline.variables.map(({ key, value, type, raw = false }) => ({
      key,
      value,
      raw,
      secret: true,
      // The payload of the call is somebody else's text: nothing in it is a reference.
      ...(type === 'file' && { file: true, raw: true }),
    })),
    ...(job.playedVariables ?? []).map(({ key, value }) => ({ key, value, secret: true })),
  ];
}

/** What a commit's message or a branch's name says is no reference, even where it looks like one. */
function literal(variable: Flagged): Flagged {
  return /[$%]/.test(variable.value) ? { ...variable, raw: true } : variable;
}

/** Those that this ref and this environment get; of several with one key the one for the narrowest scope counts. */
function settingsVariables(project: ProjectForCreation, isProtected: boolean, { environment }: Job): Flagged[] {
  return project.variables
    .filter((variable) => (isProtected || !variable.protected) && fits(variable, environment?.name))
    .sort((one, other) => narrowness(one) - narrowness(other))
    .map(({ key, value, raw, masked, variableType }) => ({
      key,
      value,
      raw,
      masked,
      secret: true,
      file: variableType === 'file',
    }));
}

/** `*` stands for any text: `review/*`. Without an environment only `*` itself fits. */
function fits({ environmentScope: scope }: ProjectVariable, environment: string | undefined): boolean {
  if (scope === '*') return true;
  if (environment === undefined) return false;
  const [first = '', ...rest] = scope.split('*');
  if (rest.length === 0) return environment === scope;
  if (!environment.startsWith(first)) return false;
  let from = first.length;
  for (const [index, part] of rest.entries()) {
    const last = index === rest.length - 1;
    const found = last ? environment.length - part.length : environment.indexOf(part, from);
    if (found < from || !environment.startsWith(part, found)) return false;
    from = found + part.length;
  }
  return true;
}

function narrowness({ environmentScope: scope }: ProjectVariable): number {
  return scope.includes('*') ? scope.length - 1 : 1_000 + scope.length;
}

/** What is known only once the pipeline is there (ci-config.md §4.4, last paragraph). */
function runTimeVariables(
  job: Pick<HandedOutJob, 'id' | 'pipeline' | 'definition'>,
  project: ProjectForCreation,
  { externalUrl }: Server,
): Flagged[] {
  const { pipeline, definition } = job;
  const { environment } = definition;
  const url = `${externalUrl}/${project.path}`;
  return [
    { key: 'CI_PIPELINE_ID', value: String(pipeline.id) },
    { key: 'CI_PIPELINE_URL', value: `${url}/-/pipelines/${pipeline.id}` },
    ...(pipeline.name === null ? [] : [{ key: 'CI_PIPELINE_NAME', value: pipeline.name }]),
    ...(pipeline.triggerShortToken === null
      ? []
      : [
          { key: 'CI_PIPELINE_TRIGGERED', value: 'true' },
          { key: 'CI_TRIGGER_SHORT_TOKEN', value: pipeline.triggerShortToken },
        ]),
    ...(environment ? [{ key: 'CI_ENVIRONMENT_SLUG', value: environmentSlug(environment.name) }] : []),
    { key: 'CI_JOB_ID', value: String(job.id) },
    { key: 'CI_JOB_URL', value: `${url}/-/jobs/${job.id}` },
  ];
}

/** What is known only now that the job is handed out. */
function handedOutVariables({ token, repositoryUrl, now }: HandingOut): Flagged[] {
  return [
    { key: 'CI_JOB_STARTED_AT', value: now.toISOString().replace(/\.\d+Z$/, 'Z') },
    { key: 'CI_JOB_TOKEN', value: token, masked: true },
    { key: 'CI_REPOSITORY_URL', value: repositoryUrl, secret: true },
  ];
}

function runnerVariables({ runner }: HandingOut): Variable[] {
  return [
    { key: 'CI_RUNNER_ID', value: String(runner.id) },
    { key: 'CI_RUNNER_DESCRIPTION', value: runner.description },
    { key: 'CI_RUNNER_TAGS', value: JSON.stringify(runner.tagList) },
  ];
}
