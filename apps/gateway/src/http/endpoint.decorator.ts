import { applyDecorators, Header, HttpCode, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiResponse, type ApiResponseOptions, getSchemaPath } from '@nestjs/swagger';
import { ErrorMessage, ParameterError, TokenError } from './error-bodies.js';

export interface EndpointOptions {
  /** One line for the OpenAPI document. */
  summary: string;
  description?: string;
  /** The status of success; 200 unless given. Nest's own default of 201 for every POST is wrong for GitLab (trigger-api.md §8.7). */
  success?: number;
  /** Class of the answer, in brackets for a list of them; none for an answer without content. */
  returns?: Type | readonly [Type];
  /** Content type of an answer that is not JSON. */
  contentType?: string;
  /** Statuses of the refusals a caller should know of. Any endpoint may also answer 400, 500 and 503. */
  errors?: readonly number[];
}

const reasons: Record<number, string> = {
  400: 'The request is at fault',
  401: 'No credentials, or bad ones',
  403: 'Not allowed',
  404: 'Not found',
  405: 'The method is not allowed here',
  409: 'Conflict',
  412: 'Changed since the time given in If-Unmodified-Since',
  413: 'The body is too large',
  416: 'The range does not fit',
  422: 'Stored, but failed',
  429: 'Too many requests',
  503: 'A part that is needed does not answer; Retry-After says when to try again',
};

/** What an endpoint answers: sets the status of success and tells the OpenAPI document about the answers. */
export function Endpoint(options: EndpointOptions): MethodDecorator {
  const { success = 200, summary, description } = options;
  return applyDecorators(
    HttpCode(success),
    ApiOperation({ summary, description }),
    ApiExtraModels(ParameterError, ErrorMessage, TokenError),
    ApiResponse({ status: success, ...answer(options) }),
    ...[...new Set([400, 503, ...(options.errors ?? [])])].map((status) => ApiResponse(refusal(status))),
    ApiResponse({ status: 'default', description: 'Any other refusal', content: jsonErrors }),
    ...(options.contentType ? [Header('Content-Type', options.contentType)] : []),
  );
}

function answer({ returns, contentType, success = 200 }: EndpointOptions): ApiResponseOptions {
  if (contentType)
    return { description: 'Done', content: { [contentType.split(';')[0] ?? '']: { schema: { type: 'string' } } } };
  if (!returns) return { description: success === 204 ? 'Done, no content' : 'Done' };
  return 'length' in returns && Array.isArray(returns)
    ? { description: 'Done', type: returns[0] as Type, isArray: true }
    : { description: 'Done', type: returns as Type };
}

const jsonErrors = {
  'application/json': {
    schema: { anyOf: [ParameterError, ErrorMessage, TokenError].map((family) => ({ $ref: getSchemaPath(family) })) },
  },
};

function refusal(status: number): ApiResponseOptions {
  return { status, description: reasons[status] ?? 'Refused', content: jsonErrors };
}
