import { type ListRunners, runnerStatuses, type RunnerType, runnerTypes } from '#libs/contracts';
import { BooleanParameter, ChoiceParameter, ListParameter, StringParameter } from '../http/parameter.decorators.js';

type RunnerStatus = (typeof runnerStatuses)[number];

/** Former words for what now has a filter of its own. */
const states = ['active', 'paused'] as const;
const scopes = [...states, ...runnerStatuses, 'shared', 'specific'] as const;

/** Which runners a list is of. */
export class RunnerFilters {
  @ChoiceParameter(runnerTypes) type?: RunnerType | null;
  @ChoiceParameter([...runnerStatuses, ...states]) status?: RunnerStatus | (typeof states)[number] | null;
  @BooleanParameter() paused?: boolean | null;
  @ListParameter({ of: 'string', commas: true, description: 'Tags that a runner must have' }) tag_list?:
    string[] | null;
  @StringParameter({ description: 'With which the version of one of its machines begins', example: '19.' })
  version_prefix?: string | null;
  @ChoiceParameter(scopes, { description: 'Former word for `type`, `status` and `paused`' })
  scope?: (typeof scopes)[number] | null;
}

/** The filters as the pipeline service reads them. */
export function runnerFilters(
  given: RunnerFilters,
): Pick<ListRunners, 'type' | 'status' | 'paused' | 'tagList' | 'versionPrefix'> {
  const words = [given.scope, given.status];
  const type = words.includes('shared') ? 'instance_type' : words.includes('specific') ? 'project_type' : null;
  const paused = words.includes('paused') ? true : words.includes('active') ? false : null;
  return {
    type: given.type ?? type,
    status: runnerStatuses.find((status) => words.includes(status)) ?? null,
    paused: given.paused ?? paused,
    tagList: given.tag_list?.length ? given.tag_list : null,
    versionPrefix: given.version_prefix || null,
  };
}
