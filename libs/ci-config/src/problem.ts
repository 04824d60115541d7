/** Something wrong with the configuration, in the words of ci-config.md §7. */
export interface Problem {
  message: string;
  /** Keys that lead to the place, e.g. `['build', 'rules', '0', 'if']`. */
  path?: string[];
  /** Line (1 = first) of the file that was given, or of `file`. */
  line?: number;
  /** The included file where it lies; of another project `group/project:path`. */
  file?: string;
}

const longestMessage = 10_000;

/** Messages quote what the file says, and a file may say a lot. */
export function clip(message: string): string {
  return message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message;
}
