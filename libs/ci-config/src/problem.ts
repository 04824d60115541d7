/** Something wrong with the file, in the words of ci-config.md §7. */
export interface Problem {
  message: string;
  /** Keys that lead to the place, e.g. `['build', 'rules', '0', 'if']`. */
  path?: string[];
  /** Line in the file that was given (1 = first); absent for included files. */
  line?: number;
}

const longestMessage = 10_000;

/** Messages quote what the file says, and a file may say a lot. */
export function clip(message: string): string {
  return message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message;
}
