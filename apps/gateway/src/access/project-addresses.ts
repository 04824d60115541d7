import { Injectable } from '@nestjs/common';
import type { Visibility } from '#libs/contracts';
import { DataSource } from 'typeorm';
import type { ProjectFacts } from './access.policy.js';
import { SharedRead } from './shared-read.js';

/** A project as far as it is needed to find it and to say who may do what in it. */
export interface ProjectAddress extends ProjectFacts {
  id: number;
  /** Full path, such as `group/project`. */
  path: string;
  /** True when it was looked up by a path that it no longer has. */
  moved: boolean;
}

interface Row {
  key: string;
  project_id: number;
  path: string;
  current: boolean;
  visibility: Visibility;
  public_jobs: boolean;
  builds_access_level: ProjectFacts['buildsAccessLevel'];
  archived: boolean;
}

/** Reads the pipeline service's published view; see architecture.md §1. Never cached. */
@Injectable()
export class ProjectAddresses {
  readonly #database: DataSource;
  readonly #byKey = new SharedRead<string, ProjectAddress>((keys) => this.#read(keys));

  constructor(database: DataSource) {
    this.#database = database;
  }

  /**
   * Finds a project that is neither being made nor being removed.
   * @param idOrPath the decoded `:id` of a path: digits, or a full path, present or former, in whatever case
   */
  async find(idOrPath: string): Promise<ProjectAddress | undefined> {
    const key = lookUpKey(idOrPath);
    return key === undefined ? undefined : this.#byKey.get(key);
  }

  async #read(keys: string[]): Promise<ReadonlyMap<string, ProjectAddress>> {
    const ids = keys.filter(isId).map(Number);
    const paths = keys.filter((key) => !isId(key));
    const columns = 'project_id, path, current, visibility, public_jobs, builds_access_level, archived';
    // One path can be a project's present and another's former address: the present one comes last here and so stays in the map.
    const rows: Row[] = await this.#database.query(
      `select project_id::text as key, ${columns} from pipelines.project_addresses
         where project_id = any($1::bigint[]) and current and state = 'active'
       union all
       select lower(path) as key, ${columns} from pipelines.project_addresses
         where lower(path) = any($2::text[]) and state = 'active'
       order by current, project_id`,
      [ids, paths],
    );
    return new Map(rows.map((row) => [row.key, addressOf(row)]));
  }
}

/** A number, or a path with a slash in it: GitLab finds nothing under a path without one (trigger-api.md §0.1). */
function lookUpKey(idOrPath: string): string | undefined {
  if (/^\d{1,15}$/.test(idOrPath)) return String(Number(idOrPath));
  return idOrPath.includes('/') && idOrPath.length <= 1024 ? idOrPath.toLowerCase() : undefined;
}

function isId(key: string): boolean {
  return !key.includes('/');
}

function addressOf(row: Row): ProjectAddress {
  return {
    id: Number(row.project_id),
    path: row.path,
    moved: !row.current,
    visibility: row.visibility,
    publicJobs: row.public_jobs,
    buildsAccessLevel: row.builds_access_level,
    archived: row.archived,
  };
}
