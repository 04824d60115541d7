/** One operation of the OpenAPI document, as far as those who attack it need it. */
export interface Operation {
  /** `GET /api/v4/projects/{id}`. */
  name: string;
  method: string;
  /** With its parameters in braces. */
  path: string;
  /** Names in the path. */
  inPath: string[];
  /** Names of what may be sent beside: in the query, or in a body where the method has one. */
  sent: { name: string; type: string; required: boolean }[];
  hasBody: boolean;
}

type Schema = { type?: string; properties?: Record<string, Schema>; required?: string[] };
interface Described {
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

/** Every operation that a gateway describes at `/api/openapi.json`, which it makes from its routes: a new one cannot be forgotten. */
export async function operationsOf(url: string): Promise<Operation[]> {
  const answer = await fetch(`${url}/api/openapi.json`);
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, Described>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([verb, { parameters = [], requestBody }]) => {
      const method = verb.toUpperCase();
      const { properties = {}, required = [] } = Object.values(requestBody?.content ?? {})[0]?.schema ?? {};
      const inBody = Object.entries(properties).map(([name, schema]) => ({
        name,
        type: schema.type ?? 'string',
        required: required.includes(name),
      }));
      const inQuery = parameters
        .filter((each) => each.in === 'query')
        .map(({ name, schema, ...rest }) => ({
          name: name.replace('[]', ''),
          type: schema.type ?? 'string',
          required: rest.required ?? false,
        }));
      return {
        name: `${method} ${path}`,
        method,
        path,
        inPath: [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name),
        sent: [...inBody, ...inQuery],
        hasBody: method !== 'GET' && method !== 'DELETE',
      };
    }),
  );
}

/** A path with values, percent-encoded, in the place of its parameters. @throws Error where one has no value */
export function pathWith(path: string, values: Readonly<Record<string, string | number>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`{${name}} of ${path} has no value: give it one`);
    return encodeURIComponent(value);
  });
}
