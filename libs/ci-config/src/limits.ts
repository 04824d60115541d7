/** Bounds on what one configuration may ask of the server (ci-config.md §7, last table). */
export interface Limits {
  /** UTF-8 bytes of one file. */
  fileBytes: number;
  /** Nesting of lists and maps. */
  depth: number;
  aliases: number;
  /** Characters and nodes of one configuration after aliases, includes, `extends` and references are written out. */
  expandedSize: number;
  includes: number;
  /** Jobs of one pipeline. */
  jobs: number;
  /** Variables of the file, counted for each job of the file. */
  variables: number;
  needs: number;
  /** Instances of one `parallel` job. */
  parallel: number;
}

export const defaultLimits: Limits = {
  fileBytes: 2 * 1024 * 1024,
  depth: 100,
  aliases: 10_000,
  expandedSize: 16 * 1024 * 1024,
  includes: 150,
  jobs: 5_000,
  variables: 500_000,
  needs: 50,
  parallel: 200,
};
