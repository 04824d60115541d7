import { IsUrl } from 'class-validator';
import { Refusal } from '#libs/contracts';
import {
  BooleanParameter,
  ChoiceParameter,
  DateTimeParameter,
  IntegerParameter,
  ListParameter,
  MapParameter,
  StringMapParameter,
  StringParameter,
} from './parameter.decorators.js';
import { declaredParameters, type ParametersClass, readParameters } from './read-parameters.js';

class Trigger {
  @StringParameter({ required: true, blank: false }) ref!: string;
  @StringParameter({ required: true }) token!: string;
  @StringMapParameter() variables?: Record<string, unknown>;
  @MapParameter() inputs?: Record<string, unknown>;
}

class Variable {
  @StringParameter({ required: true }) key!: string;
  @StringParameter({ required: true }) value!: string;
}

class Play {
  @IntegerParameter({ required: true }) job_id!: number;
  @ListParameter({ of: Variable }) job_variables_attributes?: Variable[];
}

const statuses = ['failed', 'success'] as const;

class List extends Play {
  @ListParameter({ of: statuses, single: true, map: true }) scope?: string[];
  @ListParameter({ commas: true }) tag_list?: string[];
  @ListParameter({ of: 'integer' }) ids?: number[];
  @ChoiceParameter(['asc', 'desc']) sort: string = 'desc';
  @BooleanParameter() include_retried = false;
  @DateTimeParameter() updated_after?: Date | null;
  @IntegerParameter({ minimum: 600 }) maximum_timeout?: number | null;
  @StringParameter({ maxLength: 5, pattern: /^[a-z]*$/ }) name?: string | null;
  @StringParameter() @IsUrl({}, { message: '$property is not an address' }) import_url: string = 'http://a.example';
}

const faults = (type: ParametersClass, sent: Record<string, unknown>): unknown => {
  try {
    return readParameters(type, sent);
  } catch (error) {
    return error instanceof Refusal && error.status === 400 ? error.body['error'] : error;
  }
};

describe('GitLab’s texts, in the order of declaration', () => {
  it.each<[ParametersClass, Record<string, unknown>, string]>([
    [Trigger, {}, 'ref is missing, ref is empty, token is missing'],
    [Trigger, { token: 't' }, 'ref is missing, ref is empty'],
    [Trigger, { ref: '', token: 't' }, 'ref is empty'],
    [Trigger, { ref: ' \t', token: 't' }, 'ref is empty'],
    [Trigger, { ref: null, token: 't' }, 'ref is empty'],
    [Trigger, { ref: 'main' }, 'token is missing'],
    [
      Trigger,
      { variables: 'x', token: ['t'], ref: { a: 1 } },
      'ref is invalid, token is invalid, variables is invalid',
    ],
    [Trigger, { ref: 'r', token: 't', variables: ['x'], inputs: 'y' }, 'variables is invalid, inputs is invalid'],
    [Play, { job_id: 'abc' }, 'job_id is invalid'],
    [Play, { job_id: '' }, 'job_id is missing'],
    [Play, { job_id: 1, job_variables_attributes: 'x' }, 'job_variables_attributes is invalid'],
    [Play, { job_id: 1, job_variables_attributes: ['x'] }, 'job_variables_attributes is invalid'],
    [Play, { job_id: 1, job_variables_attributes: [{ value: '1' }] }, 'job_variables_attributes[0][key] is missing'],
    [
      Play,
      { job_id: 1, job_variables_attributes: [{ key: 'A', value: '1' }, { key: [] }] },
      'job_variables_attributes[1][key] is invalid, job_variables_attributes[1][value] is missing',
    ],
    [List, { job_id: 1, scope: 'nope' }, 'scope does not have a valid value'],
    [List, { job_id: 1, scope: ['failed', 'nope'] }, 'scope does not have a valid value'],
    [List, { job_id: 1, scope: [{}] }, 'scope is invalid'],
    [List, { job_id: 1, ids: ['1', 'x'] }, 'ids is invalid'],
    [List, { job_id: 1, sort: 'up' }, 'sort does not have a valid value'],
    [List, { job_id: 1, sort: '' }, 'sort does not have a valid value'],
    [List, { job_id: 1, sort: {} }, 'sort is invalid'],
    [List, { job_id: 1, include_retried: 'maybe' }, 'include_retried is invalid'],
    [List, { job_id: 1, updated_after: '2308' }, 'updated_after is invalid'],
    [List, { job_id: 1, maximum_timeout: '599' }, 'maximum_timeout does not have a valid value'],
    [List, { job_id: 1, name: 'abcdef' }, 'name is too long (maximum is 5 characters)'],
    [List, { job_id: 1, name: 'A1' }, 'name is invalid'],
    [List, { sort: 'up', job_id: 'x' }, 'job_id is invalid, sort does not have a valid value'],
    [List, { job_id: 1, import_url: 'nonsense' }, 'import_url is not an address'],
  ])('%p %j', (type, sent, text) => expect(faults(type, sent)).toBe(text));
});

describe('what is read', () => {
  it.each<[ParametersClass, Record<string, unknown>, object]>([
    [Trigger, { ref: 'main', token: '' }, { ref: 'main', token: '' }],
    [Trigger, { ref: 'main', token: null }, { ref: 'main', token: '' }],
    [Trigger, { ref: 5, token: true, variables: null }, { ref: '5', token: 'true' }],
    [
      Trigger,
      { ref: 'r', token: 't', variables: { A: 1 }, unknown: 'x' },
      { ref: 'r', token: 't', variables: { A: 1 } },
    ],
    [Play, { job_id: '-5', job_variables_attributes: null }, { job_id: -5 }],
  ])('%p %j', (type, sent, values) => expect(faults(type, sent)).toEqual(Object.assign(new type(), values)));

  it('lists in all their forms', () => {
    const read = (sent: object) => readParameters(List, { job_id: 1, ...sent });
    expect(read({ scope: 'failed' }).scope).toEqual(['failed']);
    expect(read({ scope: ['failed', 'success'] }).scope).toEqual(['failed', 'success']);
    expect(read({ scope: { 0: 'success' } }).scope).toEqual(['success']);
    expect(read({ tag_list: 'a, b,,c' }).tag_list).toEqual(['a', 'b', 'c']);
    expect(read({ tag_list: ['a,b'] }).tag_list).toEqual(['a,b']);
    expect(read({ ids: ['1', 2] }).ids).toEqual([1, 2]);
    const [variable] =
      read({ job_variables_attributes: [{ key: 'A', value: 1, more: 'x' }] }).job_variables_attributes ?? [];
    expect(variable).toBeInstanceOf(Variable);
    expect(variable).toEqual({ key: 'A', value: '1' });
  });

  it('what is absent keeps its default, what is null or empty is null', () => {
    expect(readParameters(List, { job_id: 1 })).toMatchObject({ sort: 'desc', include_retried: false });
    expect(readParameters(List, { job_id: 1, name: null, updated_after: '', maximum_timeout: null })).toMatchObject({
      name: null,
      updated_after: null,
      maximum_timeout: null,
    });
  });

  it('times as dates', () => {
    expect(readParameters(List, { job_id: 1, updated_after: '2030-01-31T10:00:00+02:00' }).updated_after).toEqual(
      new Date('2030-01-31T08:00:00Z'),
    );
  });
});

it('the OpenAPI document is told the same', () => {
  expect(declaredParameters(Trigger).map(({ name, required, kind }) => [name, required, kind.schema.type])).toEqual([
    ['ref', true, 'string'],
    ['token', true, 'string'],
    ['variables', false, 'object'],
    ['inputs', false, 'object'],
  ]);
  const [, nested, scope] = declaredParameters(List).map(({ kind }) => kind);
  expect(nested).toMatchObject({ itemClass: Variable, schema: { items: { $ref: '#/components/schemas/Variable' } } });
  expect(scope).toMatchObject({ schema: { items: { type: 'string', enum: [...statuses] } } });
});
