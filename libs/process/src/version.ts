/** Version of all services; `metrics.spec.ts` holds it against package.json. */
export const version = '0.1.0';
