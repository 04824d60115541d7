import type { ConfigFiles } from './config-files.js';
import type { Limits } from './limits.js';
import { parseConfig } from './parse-config.js';
import type { PipelineContext, Plan } from './plan.js';
import { planPipeline } from './planning/plan-pipeline.js';

/** Both steps at once, for lint and tests: all problems of the file as errors, or the plan. */
export function compile(text: string, files: ConfigFiles, context: PipelineContext, limits?: Limits): Plan {
  const parsed = parseConfig(text, files, limits);
  if (parsed.ok) return planPipeline(parsed.config, context);
  const errors = parsed.wanted
    ? [`Files have not been read yet: ${JSON.stringify(parsed.wanted)}`]
    : parsed.problems.map(({ message }) => message);
  return { ok: false, reason: 'config_error', errors, warnings: [] };
}
