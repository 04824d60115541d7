/** Version the runner reports to the coordinator and prints in logs; `version.spec.ts` holds it against package.json. */
export const RUNNER_VERSION = '0.1.0';
