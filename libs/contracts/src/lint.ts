import { IsBoolean, IsInt, IsObject, IsOptional, IsString } from 'class-validator';
import { Nested } from './nested.decorator.js';
import { Request } from './request.js';
import { Actor } from './user.js';

/** A job as CI lint shows it. */
export interface LintJobFacts {
  name: string;
  stage: string;
  beforeScript: string[];
  script: string[];
  afterScript: string[];
  tagList: string[];
  environment: string | null;
  when: string;
  allowFailure: boolean;
  only: { refs: string[] } | null;
  except: { refs: string[] } | null;
  needs: { name: string }[] | null;
}

/** An included file as CI lint shows it. */
export interface LintIncludeFacts {
  type: string;
  location: string;
  /** Of another project. */
  project: string | null;
  ref: string | null;
  /** The project that includes it, and at which commit. */
  contextProject: string;
  contextSha: string | null;
}

/** What is wrong, and where. */
export interface LintProblemFacts {
  /** In GitLab's words. */
  message: string;
  /** Keys that lead to the place. */
  path: string[] | null;
  line: number | null;
  /** The included file in which the line is. */
  file: string | null;
}

/** What CI lint says of a configuration. */
export interface LintFacts {
  valid: boolean;
  errors: string[];
  /** The errors one by one with their places. */
  problems: LintProblemFacts[];
  warnings: string[];
  mergedYaml: string | null;
  includes: LintIncludeFacts[];
  /** Null unless asked for. */
  jobs: LintJobFacts[] | null;
  /** Jobs that the pipeline of the dry run would not have, and the rule that says so; null where none was wanted. */
  leftOut: { job: string; rule: string }[] | null;
}

/** Checks a CI configuration: the text that is given, or the project's own at a commit. */
export class LintConfig extends Request<LintFacts> {
  static readonly pattern = 'ci.lint';

  @IsInt() projectId!: number;
  @Nested(() => Actor) actor!: Actor;
  /** The text to check; without it, the project's file at `contentRef`. */
  @IsOptional() @IsString() content?: string | null;
  /** Branch, tag or commit whose file is checked; the default branch where not given. */
  @IsOptional() @IsString() contentRef?: string | null;
  /** Evaluates rules too, as for a push to `ref`. */
  @IsBoolean() dryRun!: boolean;
  /** Branch or tag; the default branch where not given. */
  @IsOptional() @IsString() ref?: string | null;
  @IsBoolean() includeJobs!: boolean;
  /** Values for the configuration's `spec:inputs`, by name. */
  @IsOptional() @IsObject() inputs?: Record<string, unknown>;
}
