const mask = '[MASKED]';

/** Tokens with GitLab's prefixes, which are masked wherever something is shown (architecture.md §5.5). */
const tokens = /(gl(?:pat|rtr|rt|cbt|ptt|dt|ft|imt|agent|soat|oas|ffct|tok)-)[\w.=-]+/g;
/** A shorter text stands for so much else that hiding it everywhere would hide the rest. */
const shortestPhrase = 8;

/** What a caller sent. */
export interface SentContent {
  variables: readonly (readonly [key: string, value: string])[];
  /** As `triggerPayload` wrote it. */
  payload: string;
}

/**
 * What was sent, as it may be shown: values of variables that the project masks are hidden, in the payload too, and so are tokens. Pure.
 * @param maskedKeys keys under which the project has a masked variable
 */
export function redacted({ variables, payload }: SentContent, maskedKeys: ReadonlySet<string>): SentContent {
  const secrets = variables.flatMap(([key, value]) => (maskedKeys.has(key) && value !== '' ? [value] : []));
  return {
    variables: variables.map(([key, value]) => [key, maskedKeys.has(key) ? mask : maskTokens(value)] as const),
    payload: maskTokens(withoutPhrases(withoutVariables(payload, maskedKeys), secrets)),
  };
}

export function maskTokens(text: string): string {
  return text.includes('gl') ? text.replace(tokens, `$1${mask}`) : text;
}

function withoutVariables(payload: string, maskedKeys: ReadonlySet<string>): string {
  if (maskedKeys.size === 0) return payload;
  const content = JSON.parse(payload) as { variables?: unknown };
  if (typeof content.variables !== 'object' || content.variables === null) return payload;
  const shown = Object.entries(content.variables).map(([key, value]) => [key, maskedKeys.has(key) ? mask : value]);
  return JSON.stringify({ ...content, variables: Object.fromEntries(shown) });
}

/** A webhook may say the same value in another place of its body. */
function withoutPhrases(payload: string, phrases: readonly string[]): string {
  return phrases
    .filter(({ length }) => length >= shortestPhrase)
    .sort((one, other) => other.length - one.length)
    .reduce((text, phrase) => text.replaceAll(JSON.stringify(phrase).slice(1, -1), mask), payload);
}
