import { ApiProperty, type ApiPropertyOptions, getSchemaPath } from '@nestjs/swagger';
import { mostPairs } from './request-parameters.js';
import { readBoolean, readDateTime, readInteger, readMap, readString } from './parameter-values.js';
import {
  assignParameters,
  declareParameter,
  type Kind,
  parameterFaults,
  type ParameterSchema,
  type ParametersClass,
} from './read-parameters.js';

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
      // As many as a form may have.
      faults: (value, name) =>
        Object.keys(value as object).length > mostPairs ? [`${name} has more than ${mostPairs} entries`] : [],
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

function declare(kind: Kind, options: ParameterOptions, blank = true): PropertyDecorator {
  return (target, property) => {
    const { description, example, required = false } = options;
    declareParameter(target.constructor, { name: String(property), kind, required, blank, description, example });
    const told = { ...kind.schema, ...swaggerRequired(kind, required), description, example };
    ApiProperty(told as ApiPropertyOptions)(target, property);
  };
}

/** Swagger has two words for it: maps keep `required` for the names of their own properties. */
function swaggerRequired(kind: Kind, required: boolean): object {
  return kind.schema.type === 'object' ? { selfRequired: required } : { required };
}
