import { IsInt, IsOptional, IsString } from 'class-validator';
import { Nested } from './nested.decorator.js';
import { Request } from './request.js';
import { Actor } from './user.js';

export const inputTypes = ['array', 'boolean', 'number', 'string'] as const;

/** What a configuration asks of a person who runs a pipeline; values are JSON values. */
export interface RunFormFacts {
  inputs: {
    name: string;
    type: (typeof inputTypes)[number];
    description: string | null;
    /** Null where it must be given. */
    default: unknown;
    required: boolean;
    /** Null: any value. */
    options: unknown[] | null;
    /** Regular expression, as RE2 reads it. */
    regex: string | null;
  }[];
  variables: { key: string; value: string; description: string; options: string[] | null }[];
  /** Why no pipeline can be made there, in words; that an input must be given is no problem. */
  problems: string[];
}

/** Reads the form for a branch or tag; nothing is created. Refused with 503 while the repository cannot be read. */
export class ShowRunForm extends Request<RunFormFacts> {
  static readonly pattern = 'run-form.show';

  @IsInt() projectId!: number;
  /** Null: the default branch. */
  @IsOptional() @IsString() ref?: string | null;
  /** Who would run it, as whom includes of other projects are read. */
  @Nested(() => Actor) actor!: Actor;
}
