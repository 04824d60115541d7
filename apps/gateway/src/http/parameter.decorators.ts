import { ApiProperty, type ApiPropertyOptions, getSchemaPath } from '@nestjs/swagger';
import { registerDecorator, validateSync, type ValidationArguments } from 'class-validator';
import { invalidParameters } from '#libs/contracts';
import { readBoolean, readDateTime, readInteger, readMap, readString } from './parameter-values.js';

/** What every parameter may say about itself. */
export interface ParameterOptions {
  /** Absent → `<name> is missing`. */
  required?: boolean;
  description?: string;
  example?: unknown;
}

export interface StringOptions extends ParameterOptions {
  /** False: empty or white space only → `<name> is empty`. Blank is allowed unless this says otherwise. */
  blank?: boolean;
  /** In characters. */
  maxLength?: number;
  /** Otherwise → `<name> is invalid`. */
  pattern?: RegExp;
}

export interface IntegerOptions extends ParameterOptions {
  minimum?: number;
  maximum?: number;
}

export interface ListOptions extends ParameterOptions {
  /** What each item is: text, one of some words, or a map described by a class of parameters. */
  of?: 'string' | 'integer' | readonly string[] | ParametersClass;
  /** Also accept one value on its own, as in `scope=failed`. */
  single?: boolean;
  /** Also accept a map whose values are the items, as in `scope[0]=failed`. */
  map?: boolean;
  /** Also accept one text with commas in it. */
  commas?: boolean;
}

/** A class whose properties carry the decorators below. */
export type ParametersClass<Values extends object = object> = new () => Values;

interface Kind {
  /** Reads what came; `undefined` when it cannot be read as this kind. */
  read(raw: unknown): unknown;
  /** What else is wrong with a value that could be read, as the rest of the sentence that begins with the name; none: nothing is. */
  faults?(value: unknown, name: string): string[];
  /** An empty text stands for "no value", as it does for every kind but text itself. */
  emptyIsNull: boolean;
  /** JSON's null means the parameter is not there: for maps and lists. */
  nullIsAbsent?: boolean;
  schema: ParameterSchema;
  itemClass?: ParametersClass;
}

interface Declaration {
  name: string;
  kind: Kind;
  required: boolean;
  blank: boolean;
  description?: string;
  example?: unknown;
}

/** A parameter as the OpenAPI document tells it. */
export interface DescribedParameter {
  name: string;
  required: boolean;
  description?: string;
  example?: unknown;
  schema: ParameterSchema;
  /** What a list holds, where its items are maps. */
  itemClass?: ParametersClass;
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

/** A text. A required one that comes as JSON's null reads as the empty text, an optional one stays null. */
export function StringParameter(options: StringOptions = {}): PropertyDecorator {
  const kind: Kind = {
    read: readString,
    emptyIsNull: false,
    faults: (value, name) => {
      const text = value as string;
      if (options.maxLength !== undefined && [...text].length > options.maxLength)
        return [`${name} is too long (maximum is ${options.maxLength} characters)`];
      return options.pattern && !options.pattern.test(text) ? [`${name} is invalid`] : [];
    },
    schema: { type: 'string', maxLength: options.maxLength, pattern: options.pattern?.source },
  };
  return declare(kind, options, options.blank ?? true);
}

/** A whole number, such as an id in the path. */
export function IntegerParameter(options: IntegerOptions = {}): PropertyDecorator {
  const { minimum = -Infinity, maximum = Infinity } = options;
  return declare(
    {
      read: readInteger,
      emptyIsNull: true,
      faults: (value, name) =>
        (value as number) < minimum || (value as number) > maximum ? [`${name} does not have a valid value`] : [],
      schema: { type: 'integer', minimum: options.minimum, maximum: options.maximum },
    },
    options,
  );
}

export function BooleanParameter(options: ParameterOptions = {}): PropertyDecorator {
  return declare({ read: readBoolean, emptyIsNull: true, schema: { type: 'boolean' } }, options);
}

/** One of some words; anything else → `<name> does not have a valid value`. */
export function ChoiceParameter(choices: readonly string[], options: ParameterOptions = {}): PropertyDecorator {
  return declare({ ...choiceOf(choices), emptyIsNull: false, schema: { type: 'string', enum: [...choices] } }, options);
}

/** An ISO 8601 date or date-time, read as a `Date`. */
export function DateTimeParameter(options: ParameterOptions = {}): PropertyDecorator {
  return declare(
    { read: readDateTime, emptyIsNull: true, schema: { type: 'string', format: 'date-time' } },
    { example: '2030-01-31', ...options },
  );
}

/**
 * A map whose values are texts by declaration, but not by check: what to say about a value that is not a text differs from endpoint to
 * endpoint (trigger-api.md §1.3 step 4). JSON's null means that there is none.
 */
export function StringMapParameter(options: ParameterOptions = {}): PropertyDecorator {
  return declare(
    {
      read: readMap,
      emptyIsNull: false,
      nullIsAbsent: true,
      schema: { type: 'object', additionalProperties: { type: 'string' } },
    },
    options,
  );
}

/** A map with values of any kind, such as `inputs`. */
export function MapParameter(options: ParameterOptions = {}): PropertyDecorator {
  return declare(
    { read: readMap, emptyIsNull: false, nullIsAbsent: true, schema: { type: 'object', additionalProperties: true } },
    options,
  );
}

/** A list; faults of items that are maps are told by their place: `job_variables_attributes[0][key] is missing`. */
export function ListParameter(options: ListOptions = {}): PropertyDecorator {
  const { of = 'string' } = options;
  return declare(
    {
      read: (raw) => readList(raw, options),
      faults: (value, name) => (value as unknown[]).flatMap((item, index) => itemFaults(of, item, name, index)),
      emptyIsNull: false,
      nullIsAbsent: true,
      schema: { type: 'array', items: itemSchema(of) },
      itemClass: typeof of === 'function' ? of : undefined,
    },
    options,
  );
}

function readList(raw: unknown, options: ListOptions): unknown[] | undefined {
  const items = listed(raw, options);
  const { of = 'string' } = options;
  if (of === 'integer') return items?.map((item) => readInteger(item) ?? item);
  if (typeof of !== 'function') return items?.map((item) => readString(item) ?? item);
  return items?.map((item) => {
    const fields = readMap(item);
    return fields ? assignParameters(of, fields) : item;
  });
}

function listed(raw: unknown, options: ListOptions): unknown[] | undefined {
  if (Array.isArray(raw)) return raw;
  const map = options.map ? readMap(raw) : undefined;
  if (map) return Object.values(map);
  const text = options.single || options.commas ? readString(raw) : undefined;
  if (text === undefined) return undefined;
  return options.commas ? text.split(',').flatMap((part) => part.trim() || []) : [text];
}

function itemFaults(of: NonNullable<ListOptions['of']>, item: unknown, name: string, index: number): string[] {
  if (typeof of === 'function')
    return item instanceof of
      ? parameterFaults(item, (field) => `${name}[${index}][${field}]`)
      : [`${name} is invalid`];
  if (of === 'integer') return typeof item === 'number' ? [] : [`${name} is invalid`];
  if (typeof item !== 'string') return [`${name} is invalid`];
  return of === 'string' || of.includes(item) ? [] : [`${name} does not have a valid value`];
}

function itemSchema(of: NonNullable<ListOptions['of']>): ParameterSchema | { $ref: string } {
  if (typeof of === 'function') return { $ref: getSchemaPath(of) };
  return typeof of === 'string' ? { type: of } : { type: 'string', enum: [...of] };
}

function choiceOf(choices: readonly string[]): Pick<Kind, 'read' | 'faults'> {
  return {
    read: readString,
    faults: (value, name) => (choices.includes(value as string) ? [] : [`${name} does not have a valid value`]),
  };
}

const declarations = new Map<Function, Declaration[]>();

function declare(kind: Kind, options: ParameterOptions, blank = true): PropertyDecorator {
  return (target, property) => {
    const { description, example, required = false } = options;
    const declaration: Declaration = { name: String(property), kind, required, blank, description, example };
    const own = declarations.get(target.constructor) ?? [];
    declarations.set(target.constructor, [...own, declaration]);
    registerDecorator({
      name: 'parameter',
      target: target.constructor,
      propertyName: declaration.name,
      validator: {
        validate: (value: unknown) => faultsOf(declaration, value, declaration.name).length === 0,
        defaultMessage: (faulty?: ValidationArguments) =>
          faultsOf(declaration, faulty?.value, declaration.name).join(', '),
      },
    });
    ApiProperty({ ...kind.schema, ...swaggerRequired(kind, required), description, example } as ApiPropertyOptions)(
      target,
      property,
    );
  };
}

/** Swagger has two words for it: maps keep `required` for the names of their own properties. */
function swaggerRequired(kind: Kind, required: boolean): object {
  return kind.schema.type === 'object' ? { selfRequired: required } : { required };
}

/** The parameters of a class, for the OpenAPI document. */
export function describedParameters(type: ParametersClass): DescribedParameter[] {
  return parametersOfClass(type).map(({ name, required, description, example, kind }) => ({
    name,
    required,
    description,
    example,
    schema: kind.schema,
    itemClass: kind.itemClass,
  }));
}

/** The parameters a class declares, its parents' first, each in the order of the source. */
function declaredParameters(type: Function): readonly Declaration[] {
  const parent = Object.getPrototypeOf(type) as Function | null;
  const inherited = parent && parent !== Function.prototype ? declaredParameters(parent) : [];
  return [...inherited, ...(declarations.get(type) ?? [])];
}

const remembered = new WeakMap<Function, readonly Declaration[]>();

function parametersOfClass(type: Function): readonly Declaration[] {
  let found = remembered.get(type);
  if (!found) remembered.set(type, (found = declaredParameters(type)));
  return found;
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

function assignParameters<Values extends object>(
  type: ParametersClass<Values>,
  sent: Readonly<Record<string, unknown>>,
): Values {
  const values = new type();
  for (const declaration of parametersOfClass(type)) {
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

function parameterFaults(values: object, label: (name: string) => string): string[] {
  const errors = validateSync(values, { forbidUnknownValues: false });
  if (errors.length === 0) return [];
  const faulty = new Map(errors.map((error) => [error.property, error]));
  return parametersOfClass(values.constructor).flatMap((declaration) => {
    const error = faulty.get(declaration.name);
    if (!error) return [];
    const own = faultsOf(declaration, error.value, label(declaration.name));
    return own.length > 0 ? own : Object.values(error.constraints ?? {});
  });
}
