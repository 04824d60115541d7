import { applyDecorators, Header, HttpCode, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiResponse, type ApiResponseOptions, getSchemaPath } from '@nestjs/swagger';
import { rateHeaderTexts } from '../rate-limits/rate.js';
import { ErrorMessage, ParameterError, TokenError } from './error-bodies.js';
import { RouteSetting } from './route-settings.js';

export interface EndpointOptions {
  /** One line for the OpenAPI document. */
  summary: string;
  description?: string;
  /** The status of success; 200 unless given. Nest's own default of 201 for every POST is wrong for GitLab (trigger-api.md §8.7). */
  success?: number;
  /** Class of the answer, in brackets for a list of them; none for an answer without content. */
  returns?: Type | readonly [Type];
  /** Class of what some callers get in its place. */
  orReturns?: Type;
  /** Headers that every answer of success has, with what they tell. */
  headers?: Record<string, string>;
  /** Calls are counted where there is a limit: answers tell it in headers, and one beyond it is refused with 429. */
  counted?: boolean;
  /** Statuses by which a token that is no good is refused; 401 unless given. Too many of them are refused with 429. */
  tokenRefusals?: readonly number[];
  /** Content type of an answer that is not JSON. */
  contentType?: string;
  /** Content type of refusals of the handler, where it is not JSON. */
  refusalType?: string;
  /** Statuses of the refusals a caller should know of. Any endpoint may also answer 400, 500 and 503. */
  errors?: readonly number[];
}

const reasons: Record<number, string> = {
  301: 'The project has another path now; Location is the same URL with its number',
  400: 'The request is at fault',
  401: 'No credentials, or bad ones',
  403: 'Not allowed',
  404: 'Not found',
  405: 'The method is not allowed here',
  409: 'Conflict',
  412: 'Changed since the time given in If-Unmodified-Since',
  413: 'The body is too large',
  415: 'The content type is none that is read',
  416: 'The range does not fit',
  422: 'Stored, but failed',
  429: 'Too many requests',
  503: 'A part that is needed does not answer; Retry-After says when to try again',
};

/** What an endpoint answers: sets the status of success and tells the OpenAPI document about the answers. */
export function Endpoint(options: EndpointOptions): MethodDecorator {
  const { success = 200, summary, description, tokenRefusals, errors = [] } = options;
  const limited = options.counted || tokenRefusals !== undefined || errors.includes(401);
  return applyDecorators(
    HttpCode(success),
    ApiOperation({ summary, description }),
    ApiExtraModels(ParameterError, ErrorMessage, TokenError, ...(options.orReturns ? modelsOf(options) : [])),
    ApiResponse({
      status: success,
      ...answer(options),
      headers: { ...headersOf(options.headers ?? {}), ...(options.counted && rateHeadersOfAnswers) },
    }),
    MayRefuse([400, 503, ...(limited ? [429] : []), ...errors], options.refusalType),
    ApiResponse({ status: 'default', description: 'Any other refusal', content: jsonErrors }),
    ...(tokenRefusals ? [RouteSetting({ tokenRefusals })] : []),
    ...(options.contentType ? [Header('Content-Type', options.contentType)] : []),
  );
}

/** Tells the OpenAPI document about refusals. */
export function MayRefuse(statuses: readonly number[], contentType?: string): MethodDecorator {
  return applyDecorators(...[...new Set(statuses)].map((status) => ApiResponse(refusal(status, contentType))));
}

/** For the OpenAPI document: headers that are always there. */
export function headersOf(headers: Record<string, string>): ApiResponseOptions['headers'] {
  return Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [
      name,
      { description, required: true, schema: { type: 'string' } },
    ]),
  );
}

/** For the OpenAPI document: what answers tell where calls are limited. */
export const rateHeadersOfAnswers: ApiResponseOptions['headers'] = Object.fromEntries(
  Object.entries(rateHeaderTexts).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
);

function answer({ returns, orReturns, contentType, success = 200 }: EndpointOptions): ApiResponseOptions {
  if (contentType)
    return { description: 'Done', content: { [contentType.split(';')[0] ?? '']: { schema: { type: 'string' } } } };
  if (!returns) return { description: success === 204 ? 'Done, no content' : 'Done' };
  const [type, isArray] = Array.isArray(returns) ? [returns[0] as Type, true] : [returns as Type, false];
  if (!orReturns) return { description: 'Done', type, isArray };
  const one = { anyOf: [type, orReturns].map((each) => ({ $ref: getSchemaPath(each) })) };
  const schema = isArray ? { type: 'array', items: one } : one;
  return { description: 'Done', content: { 'application/json': { schema } } };
}

/** Those that are only named by their schemas. */
function modelsOf({ returns, orReturns }: EndpointOptions): Type[] {
  return [returns, orReturns].flat().filter((each) => each !== undefined) as Type[];
}

const jsonErrors = {
  'application/json': {
    schema: { anyOf: [ParameterError, ErrorMessage, TokenError].map((family) => ({ $ref: getSchemaPath(family) })) },
  },
};

const headersOfRefusals: Record<number, Record<string, string>> = {
  301: { Location: 'Where it is now' },
  429: { 'Retry-After': 'In whole seconds' },
  503: { 'Retry-After': 'In whole seconds' },
};

function refusal(status: number, contentType?: string): ApiResponseOptions {
  return {
    status,
    description: reasons[status] ?? 'Refused',
    content: { ...jsonErrors, ...(contentType && { [contentType]: { schema: { type: 'string' } } }) },
    headers: { ...headersOf(headersOfRefusals[status] ?? {}), ...(status === 429 && rateHeadersOfAnswers) },
  };
}
