import { prepare, giveUp } from './prepare.mjs';

/** What `npm run bench -- <name>` can measure. */
const benchmarks = {
  'ci-config': './bench/ci-config.mjs',
  latency: './bench/latency.mjs',
  soak: './bench/soak.mjs',
  triggers: './bench/triggers.mjs',
};

const [name] = process.argv.slice(2);
if (!Object.hasOwn(benchmarks, name ?? ''))
  giveUp(`Say what to measure: npm run bench -- ${Object.keys(benchmarks).join(' | ')}`);
prepare();
const { run } = await import(benchmarks[name]);
await run();
