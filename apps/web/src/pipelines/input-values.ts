import type { RunForm } from '../api/types.js';

type InputType = RunForm['inputs'][number]['type'];

/** How a value stands in a form's field. */
export function inputText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/**
 * The value that a field's text means.
 * @throws Error when a list is not written as JSON
 */
export function inputValue(type: InputType, text: string): unknown {
  if (type === 'number') return Number(text);
  if (type === 'boolean') return text === 'true';
  if (type === 'string') return text;
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list)) return list;
  } catch {
    // Told below.
  }
  throw new Error(`${text || 'Nothing'} is not a list in JSON, such as ["a", "b"]`);
}
