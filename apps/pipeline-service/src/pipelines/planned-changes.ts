import { type CiConfig, type PipelineContext, type Plan, planPipeline } from '#libs/ci-config';
import type { Repositories } from '../repositories/repositories.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';

/** As many refs one configuration may compare with; further ones count as no refs. */
const refsAtMost = 50;

/**
 * Plans a pipeline. Planning is pure, so which refs `rules:changes:compare_to` asks for is found out by planning: what was not known yet is
 * looked up, and it is planned again (ci-config.md §2.4).
 *
 * @param at where the commit lies
 * @throws RepositoryUnreadable
 */
export async function planAt(
  repositories: Repositories,
  at: { address: RepositoryAddress; sha: string },
  config: CiConfig,
  context: PipelineContext,
): Promise<Plan> {
  if (!config.usesCompareTo) return planPipeline(config, context);
  const known = new Map<string, readonly string[] | null>();
  for (;;) {
    const wanted = new Set<string>();
    const plan = planPipeline(config, {
      ...context,
      changedSince(ref) {
        const paths = known.get(ref);
        if (paths !== undefined) return paths;
        wanted.add(ref);
        return [];
      },
    });
    if (wanted.size === 0) return plan;
    const left = refsAtMost - known.size;
    const changes = [...wanted].map(async (ref, index) => {
      known.set(ref, index < left ? await changedSince(repositories, at, ref) : null);
    });
    await Promise.all(changes);
  }
}

async function changedSince(
  repositories: Repositories,
  { address, sha }: { address: RepositoryAddress; sha: string },
  ref: string,
): Promise<readonly string[] | null> {
  const base = await repositories.commitNamed(address, ref);
  return base === null ? null : repositories.changedPaths(address, base, sha);
}
