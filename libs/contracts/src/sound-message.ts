import { getMetadataStorage } from 'class-validator';
import { nestedClass } from './nested.decorator.js';

type Check = (value: unknown, whole: object) => boolean;

/** Properties of one class with what class-validator was told about them. */
interface Property {
  name: string;
  /** Whether the checks apply at all; absent and null optional properties skip them. */
  applies: Check[];
  checks: Check[];
}

const known = new Map<Function, Property[]>();

/**
 * Whether a message is sound, without saying what is wrong when it is not. It asks the same rules as class-validator's own validation, but
 * collects them once per class instead of once per message, which costs a tenth (docs/performance.md). Anything but a clear yes is a no, upon
 * which the caller has class-validator look at it and name the faults.
 *
 * @param type the message's class, its fields decorated
 * @param data plain data, as it came out of JSON
 */
export function isSound(type: Function, data: object): boolean {
  let properties = known.get(type);
  if (!properties) known.set(type, (properties = propertiesOf(type)));
  for (const { name, applies, checks } of properties) {
    const value = (data as Record<string, unknown>)[name];
    if (applies.every((condition) => condition(value, data)) && !checks.every((check) => check(value, data)))
      return false;
  }
  return true;
}

function propertiesOf(type: Function): Property[] {
  const storage = getMetadataStorage();
  const properties = new Map<string, Property>();
  for (const metadata of storage.getTargetValidationMetadatas(type, '', false, false)) {
    const name = metadata.propertyName;
    let property = properties.get(name);
    if (!property) properties.set(name, (property = { name, applies: [], checks: [] }));
    if (metadata.type === 'conditionalValidation') {
      const condition = metadata.constraints[0] as (whole: object, value: unknown) => boolean;
      property.applies.push((value, whole) => condition(whole, value));
    } else if (metadata.type === 'nestedValidation') {
      property.checks.push(nested(nestedClass(type, name)));
    } else if (metadata.type === 'customValidation') {
      for (const { instance } of storage.getTargetValidatorConstraints(metadata.constraintCls)) {
        const one: Check = (value, whole) =>
          instance.validate(value, {
            value,
            object: whole,
            property: name,
            targetName: type.name,
            constraints: metadata.constraints,
          }) === true;
        property.checks.push(
          metadata.each ? (value, whole) => Array.isArray(value) && value.every((item) => one(item, whole)) : one,
        );
      }
    }
  }
  return [...properties.values()];
}

/** Lists of nested messages are left to class-validator, as is whatever else was declared without `@Nested`. */
function nested(type: Function | undefined): Check {
  if (!type) return () => false;
  return (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && isSound(type, value);
}
