import { ApiContract } from './api-contract.js';
import type { Exchange } from './door.js';

const thing = { type: 'object', required: ['id'], properties: { id: { type: 'integer' } } };
const json = (schema: object) => ({ 'application/json': { schema } });
const contract = new ApiContract({
  paths: {
    '/things': {
      get: {
        responses: {
          200: {
            content: json({ type: 'array', items: { $ref: '#/components/schemas/Thing' } }),
            headers: {
              'X-Page': { required: true, schema: { type: 'integer' } },
              Link: { schema: { type: 'string' } },
            },
          },
          default: { content: json({ $ref: '#/components/schemas/ParameterError' }) },
        },
      },
    },
    '/things/{id}': {
      get: { responses: { 200: { content: json({ $ref: '#/components/schemas/Thing' }) } } },
      delete: { responses: { 204: {} } },
    },
    '/-/git/{path}/info/refs': { get: { responses: { 200: { content: { 'application/x-git': {} } } } } },
  },
  components: {
    schemas: {
      Thing: thing,
      ParameterError: { type: 'object', required: ['error'], properties: { error: { type: 'string' } } },
    },
  },
});

const common = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'SAMEORIGIN',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
};

function answer(call: string, status: number, body: unknown, headers: Record<string, string> = {}): Exchange {
  const [method = '', path = ''] = call.split(' ');
  const type: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' };
  return {
    method,
    path,
    status,
    headers: new Headers({ ...common, ...type, ...headers }),
    body: Buffer.from(body === undefined ? '' : JSON.stringify(body)),
  };
}

it.each<[string, Exchange]>([
  ['a thing', answer('GET /things/1', 200, { id: 1 })],
  ['a thing, with a slash and a query', answer('GET /things/1/?a=b', 200, { id: 1 })],
  ['a list', answer('GET /things', 200, [{ id: 1 }], { 'X-Page': '1' })],
  ['no content', answer('DELETE /things/1', 204, undefined)],
  ['the head of a thing', answer('HEAD /things/1', 200, undefined)],
  ['a path that is none', answer('GET /nothing', 404, { error: '404 Not Found' })],
  ['a method that is none', answer('PUT /things', 405, { error: '405 Not Allowed' })],
  ['git', { ...answer('GET /a/b.git/info/refs?service=x', 200, 1), headers: new Headers({ ...common, 'Content-Type': 'application/x-git' }) }],
])('has nothing against %s', (_, exchange) => {
  expect(contract.fault(exchange)).toBeUndefined();
}); // prettier-ignore

it.each<[string, Exchange, string]>([
  ['a status that only default would cover', answer('GET /things', 418, { error: 'x' }), 'this status is not described'],
  ['a field of another type', answer('GET /things/1', 200, { id: '1' }), '/id must be integer'],
  ['a field that is missing', answer('GET /things/1', 200, {}), "must have required property 'id'"],
  ['a field too many', answer('GET /things/1', 200, { id: 1, secret: 2 }), '"additionalProperty":"secret"'],
  ['a field too many in a list', answer('GET /things', 200, [{ id: 1, secret: 2 }], { 'X-Page': '1' }), '/0 must NOT have'],
  ['a header that is missing', answer('GET /things', 200, []), 'the header X-Page is missing'],
  ['a header of another type', answer('GET /things', 200, [], { 'X-Page': 'one' }), 'the header X-Page is one'],
  ['content where there should be none', answer('DELETE /things/1', 204, {}), 'there should be no body'],
  ['another content type', answer('GET /things/1', 200, {}, { 'Content-Type': 'text/html' }), 'the content type text/html is not described'],
  ['success of a path that is none', answer('GET /nothing', 200, {}), 'there is no such operation'],
  ['a refusal of such a path in other words', answer('GET /nothing', 404, { message: 'x' }), "must have required property 'error'"],
  ['an answer that browsers may guess about', answer('GET /things/1', 200, { id: 1 }, { 'X-Content-Type-Options': 'no' }), 'x-content-type-options: /^nosniff$/'],
])('finds %s', (_, exchange, fault) => {
  expect(contract.fault(exchange)).toContain(fault);
}); // prettier-ignore
