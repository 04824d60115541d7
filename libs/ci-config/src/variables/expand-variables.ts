import type { Variable } from '../job.js';

/**
 * How `$NAME`, `${NAME}` and `%NAME%` are replaced (ci-config.md §4.3). `remove` and `keep` say what becomes of names that are
 * not defined; `runner` keeps these and, as text, references to file and raw variables, which the runner resolves itself.
 */
export type ExpansionMode = 'keep' | 'remove' | 'runner';

export type ExpandedVariables = { ok: true; variables: Variable[] } | { ok: false; error: string };
export type ExpandedText = { ok: true; text: string } | { ok: false; error: string };

/** Characters of one list after expansion: `A=$B$B, B=$C$C, …` doubles with every variable. */
const longestExpansion = 4 * 1024 * 1024;
const tooLong = 'variables are too long after expansion';

/** Counts down while values are put in, so that nothing grows beyond the bound even for a moment. */
class Budget {
  private left = longestExpansion;

  take(value: string): string {
    this.left -= value.length;
    if (this.left < 0) throw new BudgetSpent(tooLong);
    return value;
  }
}

class BudgetSpent extends Error {}

function withinBudget<Result>(work: (budget: Budget) => Result): Result | { ok: false; error: string } {
  try {
    return work(new Budget());
  } catch (error) {
    if (error instanceof BudgetSpent) return { ok: false, error: error.message };
    throw error;
  }
}

/** `$$` and `%%` stay as they are and shield what follows. */
const reference = /\$\$|%%|\$([a-zA-Z_]\w*)|\$\{([a-zA-Z_]\w*)\}|%([a-zA-Z_]\w*)%/g;
const referenceWithoutShield = /\$([a-zA-Z_]\w*)|\$\{([a-zA-Z_]\w*)\}|%([a-zA-Z_]\w*)%/g;

/**
 * Expands the values of a list by one another, in whatever order they stand; of entries with one key the last counts. Gives one
 * entry per key, in order of first appearance. Values of raw variables stay. Refused: values that refer to each other in a
 * circle (`circular variable reference detected: ["A", "B"]`), and growth beyond bounds.
 */
export function expandVariables(list: readonly Variable[], mode: ExpansionMode): ExpandedVariables {
  const byKey = lastOfEachKey(list);
  const sorted = sortByReference(byKey);
  if ('circle' in sorted) return { ok: false, error: circleText(sorted.circle) };
  return withinBudget<ExpandedVariables>((budget) => {
    const values = new Map<string, string>();
    for (const variable of sorted.variables)
      values.set(
        variable.key,
        variable.raw
          ? variable.value
          : substitute(variable.value, { mode, self: variable.key, variables: byKey, values, budget }),
      );
    const variables = [...byKey.values()].map((variable) => ({
      ...variable,
      value: values.get(variable.key) ?? variable.value,
    }));
    return { ok: true, variables };
  });
}

/** The variable that counts for a key, or undefined. */
export type FindVariable = (key: string) => Variable | undefined;

/**
 * The circle that these variables are part of or lead to, as the text of the error; null when there is none. Others are found by
 * `find`, so only what refers to something needs to be given (`mayRefer`).
 */
export function findCircularReference(referring: readonly Variable[], find: FindVariable): string | null {
  // A circle takes a variable that refers to one that refers; most refer to none such.
  const suspects = referring.filter((variable) =>
    referencesOf(variable).some((name) => {
      const other = find(name);
      return other !== undefined && mayRefer(other);
    }),
  );
  if (suspects.length === 0) return null;
  const sorted = sortByReference(reachable(suspects, find));
  return 'circle' in sorted ? circleText(sorted.circle) : null;
}

/** Expands one text by variables whose values are expanded first ("nested" in ci-config.md §4.3). */
export function expandText(text: string, find: FindVariable, mode: ExpansionMode): ExpandedText {
  if (!text.includes('$') && !text.includes('%')) return { ok: true, text };
  const variables = reachable(namesIn(text).map(find), find);
  const values = new Map<string, string>();
  if ([...variables.values()].some(mayRefer)) {
    const expanded = expandVariables([...variables.values()], mode);
    if (!expanded.ok) return expanded;
    for (const { key, value } of expanded.variables) values.set(key, value);
  }
  return withinBudget<ExpandedText>((budget) => ({
    ok: true,
    text: substitute(text, { mode, self: '', variables, values, budget }),
  }));
}

/** Expands one text once by raw values; `$$A` is `$` and the value of `A` ("single pass" in ci-config.md §4.3). */
export function expandOnce(
  text: string,
  lookup: (key: string) => string | undefined,
  undefinedNames: 'keep' | 'remove',
): ExpandedText {
  return withinBudget<ExpandedText>((budget) => ({
    ok: true,
    text: text.replace(referenceWithoutShield, (written: string, ...names: string[]) => {
      const value = lookup(nameOf(names) as string);
      return budget.take(value ?? (undefinedNames === 'keep' ? written : ''));
    }),
  }));
}

interface Substitution {
  mode: ExpansionMode;
  /** The variable whose value this is: it does not see itself. */
  self: string;
  variables: ReadonlyMap<string, Variable>;
  values: ReadonlyMap<string, string>;
  budget: Budget;
}

function lastOfEachKey(list: Iterable<Variable>): Map<string, Variable> {
  const byKey = new Map<string, Variable>();
  for (const variable of list) byKey.set(variable.key, variable);
  return byKey;
}

function substitute(text: string, { mode, self, variables, values, budget }: Substitution): string {
  return text.replace(reference, (written: string, ...names: string[]) => {
    const name = nameOf(names);
    if (name === undefined) return written;
    const variable = name === self ? undefined : variables.get(name);
    if (!variable) return mode === 'remove' ? '' : written;
    if (mode === 'runner' && (variable.file || variable.raw)) return written;
    return budget.take(values.get(name) ?? variable.value);
  });
}

function nameOf(names: string[]): string | undefined {
  return names[0] ?? names[1] ?? names[2];
}

/** Whether the value may refer to other variables; a cheap look that says yes too often. */
export function mayRefer(variable: Variable): boolean {
  return !variable.raw && (variable.value.includes('$') || variable.value.includes('%'));
}

function referencesOf(variable: Variable): string[] {
  return mayRefer(variable) ? namesIn(variable.value).filter((name) => name !== variable.key) : [];
}

function namesIn(text: string): string[] {
  const names = new Set<string>();
  for (const match of text.matchAll(reference)) {
    const name = match[1] ?? match[2] ?? match[3];
    if (name !== undefined) names.add(name);
  }
  return [...names];
}

function reachable(start: Iterable<Variable | undefined>, find: FindVariable): Map<string, Variable> {
  const found = new Map<string, Variable>();
  const take = (variable: Variable | undefined) => variable && found.set(variable.key, variable);
  for (const variable of start) take(variable);
  // A Map's iteration goes on to what is added meanwhile.
  for (const variable of found.values())
    for (const name of referencesOf(variable)) if (!found.has(name)) take(find(name));
  return found;
}

/** Referred ones before those that refer; with a stack of its own, since a chain may be as long as the list. */
function sortByReference(byKey: ReadonlyMap<string, Variable>): { variables: Variable[] } | { circle: string[] } {
  const variables: Variable[] = [];
  const state = new Map<string, 'open' | 'done'>();
  for (const key of byKey.keys()) {
    if (state.has(key)) continue;
    const path = [{ key, rest: referencesOf(byKey.get(key) as Variable) }];
    state.set(key, 'open');
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const next = top.rest.shift();
      if (next === undefined) {
        state.set(top.key, 'done');
        variables.push(byKey.get(top.key) as Variable);
        path.pop();
      } else if (state.get(next) === 'open') {
        return { circle: path.slice(path.findIndex((step) => step.key === next)).map((step) => step.key) };
      } else if (byKey.has(next) && !state.has(next)) {
        state.set(next, 'open');
        path.push({ key: next, rest: referencesOf(byKey.get(next) as Variable) });
      }
    }
  }
  return { variables };
}

function circleText(circle: readonly string[]): string {
  return `circular variable reference detected: [${circle.map((key) => JSON.stringify(key)).join(', ')}]`;
}
