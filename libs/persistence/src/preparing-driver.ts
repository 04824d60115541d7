import pg from 'pg';

/** Statements that come a second time are worth preparing; so many texts are remembered at most, which is far more than the services have. */
const mostStatements = 500;
const names = new Map<string, string>();

/**
 * Begins a statement that is planned each time. For one that joins a table that is empty at first and large soon: the plan that suits the empty one, reading
 * all of it, would be kept until PostgreSQL next analyzes the table.
 */
export const plannedEachTime = '/* planned each time */';

/**
 * The name under which a statement is prepared, or undefined while it has come only once. PostgreSQL then plans it a few times per connection
 * instead of each time; planning the statements that create pipelines costs more than running them (docs/performance.md).
 */
function preparedName(text: string): string | undefined {
  if (text.startsWith(plannedEachTime)) return undefined;
  const name = names.get(text);
  if (name === undefined && names.size < mostStatements) names.set(text, `flagfall_${names.size + 1}`);
  return name;
}

class PreparingClient extends pg.Client {
  // TypeORM hands over text and values; everything else goes through as it is.
  override query(...args: unknown[]): never {
    const [text, values] = args;
    const name =
      typeof text === 'string' && Array.isArray(values) && values.length > 0 ? preparedName(text) : undefined;
    const query = super.query as (...args: unknown[]) => never;
    return name ? query.call(this, { name, text, values }, ...args.slice(2)) : query.apply(this, args);
  }
}

class PreparingPool extends pg.Pool {
  constructor(options?: pg.PoolConfig) {
    super({ ...options, Client: PreparingClient } as pg.PoolConfig);
  }
}

/** What TypeORM takes in place of the `pg` module. */
export const preparingDriver = { ...pg, Pool: PreparingPool };
