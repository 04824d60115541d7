import type { Answer, Call } from './api.js';
import type { Flagfall } from './flagfall.js';

/** One line of a table of calls. Strings may hold `<names>`, which stand for what is known once the installation runs. */
export interface Case {
  name: string;
  call: Omit<Call, 'token'> & {
    /** Name of an access token in the table's values. */
    as?: string;
  };
  status: number;
  /** What the body must equal or have, or a function that checks it. Without one the body is not looked at beyond its description. */
  body?: unknown;
  /** Headers that must be there, or, as null, must not. */
  headers?: Record<string, unknown>;
}

/** What a body must have among other things. */
export class Having {
  constructor(readonly fields: object) {}
}

export const having = (fields: object): Having => new Having(fields);

/** What `<names>` stand for. */
export type Values = Record<string, string | number>;

/** Declares a test for each line; all of them run on the same installation, in the order of the lines. */
export function runTable(cases: readonly Case[], { flagfall, values }: { flagfall: Flagfall; values: Values }): void {
  it.each(cases)('$name', async ({ call, status, body, headers = {} }) => {
    const { as, ...rest } = fill(call, values);
    const token = as === undefined ? undefined : String(values[as] ?? missing(as));
    const answer = await flagfall.call({ ...rest, token });
    const told: unknown = answer.body;
    if (answer.status !== status) expect({ status: answer.status, body: told }).toEqual({ status });
    if (typeof body === 'function') (body as (told: unknown) => void)(told);
    else if (body instanceof Having) expect(told).toMatchObject(fill(body.fields, values));
    else if (body !== undefined) expect(told).toEqual(fill(body, values));
    checkHeaders(answer, fill(headers, values));
  });
}

function checkHeaders(answer: Answer, headers: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(headers))
    expect({ [name]: answer.headers.get(name) }).toEqual({ [name]: value });
}

/** Puts values in the place of their names, however deep they stand; what is no plain data (a matcher of Jest) stays as it is. */
export function fill<Filled>(template: Filled, values: Values): Filled {
  if (typeof template === 'string')
    return template.replace(/<(\w+)>/g, (_, name: string) => String(values[name] ?? missing(name))) as Filled;
  if (Array.isArray(template)) return template.map((item: unknown) => fill(item, values)) as Filled;
  if (typeof template !== 'object' || template === null || Object.getPrototypeOf(template) !== Object.prototype)
    return template;
  return Object.fromEntries(
    Object.entries(template).map(([name, value]) => [name, fill(value as unknown, values)]),
  ) as Filled;
}

function missing(name: string): never {
  throw new Error(`The table speaks of <${name}>, which has no value`);
}
