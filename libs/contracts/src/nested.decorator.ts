import 'reflect-metadata';
import { Type } from 'class-transformer';
import { ValidateNested } from 'class-validator';

type ClassOf = () => new () => object;

const classes = new Map<object, Map<string, ClassOf>>();

/** A field that is a message of its own, checked like one. */
export function Nested(type: ClassOf): PropertyDecorator {
  return (prototype, name) => {
    ValidateNested()(prototype, name);
    Type(type)(prototype, name as string);
    const fields = classes.get(prototype) ?? new Map<string, ClassOf>();
    classes.set(prototype, fields.set(String(name), type));
  };
}

/** The class of such a field, declared by the class itself or by one it extends. */
export function nestedClass(type: Function, name: string): (new () => object) | undefined {
  for (
    let prototype = type.prototype as object | null;
    prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  ) {
    const found = classes.get(prototype)?.get(name);
    if (found) return found();
  }
  return undefined;
}
