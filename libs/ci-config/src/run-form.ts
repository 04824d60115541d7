import { ConfigError } from './config-error.js';
import { Patterns } from './expressions/pattern.js';
import { splitHeader } from './inputs/header.js';
import { type InputDefinition, type InputType, readInputDefinitions } from './inputs/input-definitions.js';
import { resolveInputs } from './inputs/input-values.js';
import { Checks, Place } from './keywords/place.js';
import { type DescribedVariable, describedVariables } from './keywords/variables.js';
import { defaultLimits, type Limits } from './limits.js';
import { toPlain } from './yaml/plain.js';
import { readYaml } from './yaml/read-yaml.js';
import { YamlMap, type Value } from './yaml/values.js';

/** An input as a form asks for it; values are JSON values. */
export interface FormInput {
  name: string;
  type: InputType;
  description: string | null;
  /** What it is when nothing is given; null where it must be. */
  default: unknown;
  required: boolean;
  /** Where rules decide: all that some rule allows. Null: any value. */
  options: unknown[] | null;
  /** As it is written. */
  regex: string | null;
}

/** What a file asks of a person who runs it. */
export interface RunForm {
  inputs: FormInput[];
  /** The described variables of the file itself, includes left aside, whose texts depend on no input. */
  variables: DescribedVariable[];
}

/**
 * Reads what a configuration asks for. That can be told where the configuration cannot be compiled, since its required inputs are yet to be
 * given. Never throws: what is wrong with the file, `parseConfig` says.
 */
export function readRunForm(text: string, limits: Limits = defaultLimits): RunForm {
  try {
    const { header, content } = splitHeader(readYaml(text, limits));
    return { inputs: header ? inputsOf(header) : [], variables: plainVariables(content) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { inputs: [], variables: [] };
  }
}

function inputsOf(header: YamlMap): FormInput[] {
  const checks = new Checks();
  const definitions = readInputDefinitions(Place.root(header, checks, 'header'));
  if (checks.faults.length > 0) return [];
  const { values } = resolveInputs(definitions, new Map(), new Patterns());
  return definitions.map((definition) => formInput(definition, values.get(definition.name) ?? null));
}

function formInput(definition: InputDefinition, byDefault: Value): FormInput {
  const { name, type, description = null, pattern = null } = definition;
  return {
    name,
    type,
    description,
    default: toPlain(byDefault),
    required: byDefault === null,
    options: optionsOf(definition)?.map(toPlain) ?? null,
    regex: pattern,
  };
}

/** Which rule applies depends on what is given for other inputs, and the compiler will see. */
function optionsOf({ options, rules }: InputDefinition): Value[] | undefined {
  if (!rules) return options;
  if (rules.some((rule) => !rule.options)) return undefined;
  return [...new Set(rules.flatMap((rule) => rule.options ?? []))];
}

function plainVariables(content: Value): DescribedVariable[] {
  if (!(content instanceof YamlMap)) return [];
  const described = describedVariables(Place.root(content).child('variables'));
  return described.filter((variable) => !JSON.stringify(variable).includes('$[['));
}
