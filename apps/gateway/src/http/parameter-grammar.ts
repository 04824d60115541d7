import { invalidParameters } from '#libs/contracts';

/** What a form or query parameter can be: text, a list (`name[]=`), or a map (`name[key]=`); maps have no prototype. */
export type FormValue = string | FormValue[] | FormMap;
export interface FormMap {
  [name: string]: FormValue;
}

/** GitLab's stack stops at 32 levels too. */
const deepest = 32;

/**
 * Turns pairs from a query string, an urlencoded form or a multipart form into nested parameters, by the grammar that GitLab's callers know
 * (Rack's): `a=1` text, `a[k]=1` a map, `a[]=1` a list, `a[][k]=1` a list of maps, in which a repeated key starts the next map. Numbers in
 * brackets are keys like any other (`variables[7]`), and the last one of two equal names wins. General purpose parsers either make lists
 * of numeric keys or cannot read `variables[][key]=K&variables[][value]=V`, which GitLab documents.
 *
 * @param pairs decoded names and values, in the order received
 * @throws Refusal 400 `<name> is invalid` when a name is used as text and as a map, or is nested too deeply
 */
export function nestPairs(pairs: Iterable<readonly [name: string, value: string]>): FormMap {
  const root = emptyMap();
  for (const [name, value] of pairs) {
    const path = splitName(name);
    if (path.length > deepest) throw invalidParameters(`${path[0]} is invalid`);
    if (!put(root, path, value)) throw invalidParameters(`${path[0]} is invalid`);
  }
  return root;
}

/** `variables[A][]` → `variables`, `A`, `` (the empty step appends to a list). A name with unbalanced brackets stands for itself. */
function splitName(name: string): string[] {
  const open = name.indexOf('[');
  if (open <= 0 || !name.endsWith(']')) return [name];
  const rest = name.slice(open + 1, -1);
  return [name.slice(0, open), ...rest.split('][')];
}

function put(map: FormMap, path: readonly string[], value: string): boolean {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    map[key] = value;
    return true;
  }
  const existing = map[key];
  if (rest[0] === '') {
    const list = existing ?? (map[key] = []);
    return Array.isArray(list) && append(list, rest.slice(1), value);
  }
  const inner = existing ?? (map[key] = emptyMap());
  return isMap(inner) && put(inner, rest, value);
}

function append(list: FormValue[], path: readonly string[], value: string): boolean {
  if (path.length === 0) {
    list.push(value);
    return true;
  }
  const last = list.at(-1);
  if (last !== undefined && isMap(last) && !has(last, path)) return put(last, path, value);
  const next = emptyMap();
  list.push(next);
  return put(next, path, value);
}

function has(map: FormMap, path: readonly string[]): boolean {
  const [key = '', ...rest] = path;
  const value = map[key];
  if (value === undefined) return false;
  return rest.length === 0 || rest[0] === '' ? rest.length === 0 : isMap(value) && has(value, rest);
}

function isMap(value: FormValue): value is FormMap {
  return typeof value === 'object' && !Array.isArray(value);
}

function emptyMap(): FormMap {
  return Object.create(null) as FormMap;
}
