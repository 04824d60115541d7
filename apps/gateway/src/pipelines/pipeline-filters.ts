import { pipelineOrders, pipelineScopes, pipelineSources, statuses, type ListPipelines } from '#libs/contracts';
import { BooleanParameter, ChoiceParameter, DateTimeParameter, StringParameter } from '../http/parameter.decorators.js';

/** What a list of pipelines may be narrowed down to (trigger-api.md §4.1); what is left out does not narrow. */
export class PipelineFilters {
  @ChoiceParameter(pipelineScopes, { description: '`finished`: succeeded, failed or canceled' })
  scope?: ListPipelines['scope'];
  @ChoiceParameter(statuses) status?: ListPipelines['status'];
  @ChoiceParameter(pipelineSources) source?: ListPipelines['source'];
  @StringParameter({ description: 'Branch or tag' }) ref?: string | null;
  @StringParameter({ description: 'Full id of the commit' }) sha?: string | null;
  @StringParameter({ description: 'Who started it' }) username?: string | null;
  @StringParameter({ description: 'Name of the pipeline' }) name?: string | null;
  @BooleanParameter({ description: 'Whether its configuration had errors' }) yaml_errors?: boolean | null;
  @DateTimeParameter() updated_after?: Date | null;
  @DateTimeParameter() updated_before?: Date | null;
  @DateTimeParameter() created_after?: Date | null;
  @DateTimeParameter() created_before?: Date | null;
  @ChoiceParameter(pipelineOrders, { description: '`id` unless given' }) order_by?: ListPipelines['orderBy'] | null;
  @ChoiceParameter(['asc', 'desc'], { description: '`desc` unless given' }) sort?: ListPipelines['sort'] | null;
}

type Filters = Omit<ListPipelines, 'projectId' | 'page' | 'perPage' | 'replyType'>;

/** The same as the pipeline service is asked. */
export function filtersOf(given: PipelineFilters): Filters {
  return {
    scope: given.scope,
    status: given.status,
    source: given.source,
    ref: given.ref,
    sha: given.sha,
    username: given.username,
    name: given.name,
    yamlErrors: given.yaml_errors,
    updatedAfter: given.updated_after?.toISOString(),
    updatedBefore: given.updated_before?.toISOString(),
    createdAfter: given.created_after?.toISOString(),
    createdBefore: given.created_before?.toISOString(),
    orderBy: given.order_by ?? 'id',
    sort: given.sort ?? 'desc',
  };
}
