import { getMetadataStorage, validateSync, type ValidationError } from 'class-validator';
import { invalidParameters } from '#libs/contracts';

/** A class whose properties carry the decorators of `parameter.decorators.ts`. */
export type ParametersClass<Values extends object = object> = new () => Values;

/** How values of one kind of parameter are read and checked. */
export interface Kind {
  /** Reads what came; `undefined` when it cannot be read as this kind. */
  read(raw: unknown): unknown;
  /** What else is wrong with a value that could be read, as sentences that begin with the name. */
  faults?(value: unknown, name: string): string[];
  /** An empty text stands for "no value", as it does for every kind but text itself. */
  emptyIsNull: boolean;
  /** JSON's null means the parameter is not there: for maps and lists. */
  nullIsAbsent?: boolean;
  schema: ParameterSchema;
  /** What a list holds, where its items are maps. */
  itemClass?: ParametersClass;
}

/** A parameter as its class declares it. */
export interface Declaration {
  name: string;
  kind: Kind;
  required: boolean;
  /** Whether a text may be empty or white space only. */
  blank: boolean;
  description?: string;
  example?: unknown;
}

/** As much of an OpenAPI schema as parameters need. */
export interface ParameterSchema {
  type: 'string' | 'integer' | 'boolean' | 'array' | 'object';
  format?: string;
  enum?: string[];
  pattern?: string;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  items?: ParameterSchema | { $ref: string };
  additionalProperties?: ParameterSchema | boolean;
}

const declarations = new Map<Function, Declaration[]>();

/** Adds a parameter to a class; the order of calls is the order in which faults are told. */
export function declareParameter(type: Function, declaration: Declaration): void {
  declarations.set(type, [...(declarations.get(type) ?? []), declaration]);
}

/** The parameters a class declares, its parents' first, each in the order of the source. */
export function declaredParameters(type: Function): readonly Declaration[] {
  const parent = Object.getPrototypeOf(type) as Function | null;
  const inherited = parent && parent !== Function.prototype ? declaredParameters(parent) : [];
  const own = declarations.get(type) ?? [];
  return [...inherited.filter(({ name }) => !own.some((each) => each.name === name)), ...own];
}

/** What reading needs to know of a class, worked out once. */
interface Plan {
  declarations: readonly Declaration[];
  /** Whether properties carry decorators of class-validator beside ours. */
  furtherRules: boolean;
}

const plans = new WeakMap<Function, Plan>();

function planOf(type: Function): Plan {
  let plan = plans.get(type);
  if (!plan) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
    plan = { declarations: declaredParameters(type), furtherRules: rules.length > 0 };
    plans.set(type, plan);
  }
  return plan;
}

/**
 * Reads the parameters that a class declares out of everything that was sent, and checks them.
 *
 * @param sent name → value; unknown names are ignored
 * @throws Refusal 400 with GitLab's texts, in the order of declaration (trigger-api.md §0.3)
 */
export function readParameters<Values extends object>(
  type: ParametersClass<Values>,
  sent: Readonly<Record<string, unknown>>,
): Values {
  const values = assignParameters(type, sent);
  const faults = parameterFaults(values, (name) => name);
  if (faults.length > 0) throw invalidParameters(...faults);
  return values;
}

/** The parameters of a class, read but not checked. */
export function assignParameters<Values extends object>(
  type: ParametersClass<Values>,
  sent: Readonly<Record<string, unknown>>,
): Values {
  const values = new type();
  for (const declaration of planOf(type).declarations) {
    if (!Object.hasOwn(sent, declaration.name)) continue;
    const value = readValue(declaration, sent[declaration.name]);
    if (value !== undefined) (values as Record<string, unknown>)[declaration.name] = value;
  }
  return values;
}

/** Stands in for a value that could not be read, until the check says so. */
class Unreadable {}
const unreadable = new Unreadable();

function readValue({ kind, required }: Declaration, raw: unknown): unknown {
  if (raw === null || (raw === '' && kind.emptyIsNull)) {
    if (kind.nullIsAbsent) return undefined;
    if (!required) return null;
    return kind.emptyIsNull ? undefined : '';
  }
  return kind.read(raw) ?? unreadable;
}

function faultsOf({ kind, required, blank }: Declaration, value: unknown, label: string): string[] {
  if (value === undefined) {
    if (!required) return [];
    return blank ? [`${label} is missing`] : [`${label} is missing`, `${label} is empty`];
  }
  if (value === null) return blank ? [] : [`${label} is empty`];
  if (value === unreadable) return [`${label} is invalid`];
  if (!blank && (value as string).trim() === '') return [`${label} is empty`];
  return kind.faults?.(value, label) ?? [];
}

/**
 * The kinds' own checks are called directly: going through class-validator's registry costs 15 µs a call, a tenth of that remains. It is
 * asked where a class has rules of its own, whose messages are then told as they are.
 */
export function parameterFaults(values: object, label: (name: string) => string): string[] {
  const { declarations: declared, furtherRules } = planOf(values.constructor);
  const further = furtherRules ? validateSync(values, { forbidUnknownValues: false }) : [];
  return declared.flatMap((declaration) => {
    const value = (values as Record<string, unknown>)[declaration.name];
    const own = faultsOf(declaration, value, label(declaration.name));
    return own.length > 0 ? own : furtherFaults(further, declaration.name);
  });
}

function furtherFaults(errors: ValidationError[], name: string): string[] {
  return errors.flatMap((error) => (error.property === name ? Object.values(error.constraints ?? {}) : []));
}
