import { toPlain } from '../yaml/plain.js';
import { isScalar, scalarText, type Value } from '../yaml/values.js';

/** A value put into a text: scalars as Ruby prints them, lists and maps as JSON, nothing for null. */
export function valueText(value: Value): string {
  if (value === null) return '';
  return isScalar(value) ? scalarText(value) : JSON.stringify(toPlain(value));
}
