/** No branch or tag has this name (trigger-api.md §1.6, check 6). */
export class RefNotFound extends Error {
  override readonly name = 'RefNotFound';
  constructor() {
    super('Reference not found');
  }
}

/** The short name is a branch and a tag at once (trigger-api.md §1.6, check 5). */
export class RefAmbiguous extends Error {
  override readonly name = 'RefAmbiguous';
  constructor() {
    super('Ref is ambiguous');
  }
}

/** The ref leads to no commit, or the repository has no such commit (trigger-api.md §1.6, check 7). */
export class CommitNotFound extends Error {
  override readonly name = 'CommitNotFound';
  constructor() {
    super('Commit not found');
  }
}

/** The file is larger than is read into memory; `size` and `limit` in bytes. */
export class FileTooLarge extends Error {
  override readonly name = 'FileTooLarge';
  constructor(
    readonly path: string,
    readonly size: number,
    readonly limit: number,
  ) {
    super(`${path} has ${size} bytes; at most ${limit} are read`);
  }
}

/** The repository gave no answer; `reason` is for people, fits after "Repository could not be read: " and holds no credentials. */
export class RepositoryUnreadable extends Error {
  override readonly name = 'RepositoryUnreadable';

  /** True when the same call may succeed later: network, time-out, an error of the server. */
  readonly transient: boolean;
  readonly reason: string;

  constructor(facts: { transient: boolean; reason: string }, options?: ErrorOptions) {
    super(`Repository could not be read: ${facts.reason}`, options);
    this.transient = facts.transient;
    this.reason = facts.reason;
  }
}
