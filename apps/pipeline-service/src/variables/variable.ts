import type { CreateVariable, EditVariable } from '#libs/contracts';

/** The attributes that rules speak about. */
export type CheckedVariable = Pick<
  CreateVariable,
  'key' | 'value' | 'masked' | 'raw' | 'environmentScope' | 'description'
>;

/** GitLab's limits, in characters. */
const longestKey = 255;
const longestValue = 10_000;
const longestText = 255;

const keyFormat = /^[A-Za-z0-9_]+$/;
const scopeFormat = /^[A-Za-z0-9_\-/${}.* ]+$/;
/** What runners can find in a log again: one line of at least eight characters; variables that are expanded have no `$` in it either. */
const maskable = { raw: /^\S{8,}$/, expanded: /^[A-Za-z0-9_+=/@:.~-]{8,}$/ };

/** What is wrong with a variable, in GitLab's sentences; empty when nothing is. */
export function variableProblems(variable: CheckedVariable): Record<string, string[]> {
  const problems: Record<string, string[]> = {};
  const check = (attribute: string, problem: string | false): void => {
    if (problem) (problems[attribute] ??= []).push(problem);
  };
  const { key, value, masked, raw, environmentScope: scope, description } = variable;
  check('key', key === '' && "can't be blank");
  check('key', key.length > longestKey && `is too long (maximum is ${longestKey} characters)`);
  check('key', !keyFormat.test(key) && "can contain only letters, digits and '_'.");
  check('value', [...value].length > longestValue && `is too long (maximum is ${longestValue} characters)`);
  check('value', masked && !maskable[raw ? 'raw' : 'expanded'].test(value) && 'is invalid');
  check('environment_scope', scope.length > longestText && `is too long (maximum is ${longestText} characters)`);
  check(
    'environment_scope',
    !scopeFormat.test(scope) && "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', '*' and spaces",
  );
  check(
    'description',
    [...(description ?? '')].length > longestText && `is too long (maximum is ${longestText} characters)`,
  );
  return problems;
}

/** The variable as the order would have it. */
export function editedVariable<Variable extends Omit<CreateVariable, 'replyType'>>(
  variable: Variable,
  order: EditVariable,
): Variable {
  const { value, variableType, protected: onlyProtected, masked, raw, environmentScope, description } = order;
  return {
    ...variable,
    value: value ?? variable.value,
    variableType: variableType ?? variable.variableType,
    protected: onlyProtected ?? variable.protected,
    masked: masked ?? variable.masked,
    raw: raw ?? variable.raw,
    environmentScope: environmentScope ?? variable.environmentScope,
    description: description === undefined ? variable.description : description,
  };
}
