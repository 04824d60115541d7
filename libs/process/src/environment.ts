/** What the operator has to correct, all of it at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  /**
   * @param who cannot start
   * @param faults one sentence each, naming the variable and never a secret's value
   */
  constructor(
    who: string,
    readonly faults: readonly string[],
  ) {
    super(`${who} cannot start:\n${faults.map((fault) => `- ${fault}`).join('\n')}`);
  }
}

/** Reads environment variables and collects what is wrong with them, so that an operator hears of everything at once. Blank counts as absent. */
export class Environment {
  readonly #env: NodeJS.ProcessEnv;
  readonly #faults: string[] = [];

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  text(name: string): string | undefined {
    return this.#env[name]?.trim() || undefined;
  }

  /** Words between commas. */
  list(name: string): string[] {
    return (this.text(name) ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }

  /** @param protocols with their colon: `https:` */
  url(name: string, protocols: readonly string[]): string | undefined {
    const value = this.text(name);
    if (value !== undefined && !(URL.canParse(value) && protocols.includes(new URL(value).protocol)))
      this.fault(`${name} is not an address that begins with ${protocols.map((each) => `${each}//`).join(' or ')}`);
    return value;
  }

  requiredUrl(name: string, protocols: readonly string[]): string {
    const value = this.url(name, protocols);
    if (value === undefined) this.fault(`${name} is missing: give an address that begins with ${protocols[0]}//`);
    return value ?? '';
  }

  whole(name: string, usual: number, least: number, most: number): number {
    const value = Number(this.text(name) ?? usual);
    if (!Number.isInteger(value) || value < least || value > most)
      this.fault(`${name} is not a whole number from ${least} to ${most}`);
    return value;
  }

  oneOf<Word extends string>(name: string, words: readonly Word[], usual: Word): Word {
    const value = this.text(name) ?? usual;
    if (!(words as readonly string[]).includes(value)) this.fault(`${name} is not one of ${words.join(', ')}`);
    return value as Word;
  }

  /** `NAMESPACE`: first part of the names of this installation's exchanges and queues; the same in all its processes. */
  namespace(): string {
    const value = this.text('NAMESPACE') ?? 'flagfall';
    if (!/^[\w-]{1,50}$/.test(value)) this.fault('NAMESPACE may have letters, digits, _ and - only, 50 at most');
    return value;
  }

  /** A secret that must not be guessed. */
  secret(name: string, leastLength: number): string | undefined {
    const value = this.text(name);
    if (value !== undefined && value.length < leastLength)
      this.fault(`${name} is too short: give at least ${leastLength} random characters`);
    return value;
  }

  /** Notes something wrong that only the caller can see. */
  fault(sentence: string): void {
    this.#faults.push(sentence);
  }

  /** @throws ConfigError when anything was wrong */
  check(who: string): void {
    if (this.#faults.length > 0) throw new ConfigError(who, this.#faults);
  }
}
