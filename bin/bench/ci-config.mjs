import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { noFiles, parseConfig, planPipeline } from '../../dist/libs/ci-config/src/index.js';
import { say } from '../prepare.mjs';
import { median } from './load.mjs';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const peer = ['-p', 'node@24', '-p', 'gitlab-ci-local@4.75.1'];

/** A pipeline of branch `main`, started with a trigger token. */
const context = {
  ref: 'main',
  refType: 'branch',
  source: 'trigger',
  projectPath: 'group/project',
  trigger: { shortToken: 'abcd' },
  predefined: [
    { key: 'CI_COMMIT_BRANCH', value: 'main' },
    { key: 'CI_COMMIT_REF_SLUG', value: 'main' },
    { key: 'CI_PIPELINE_SOURCE', value: 'trigger' },
  ],
  userVariables: [],
  projectVariables: [],
  pipelineVariables: [{ key: 'UPLOAD_TO_S3', value: 'true' }],
  listFiles: () => [],
  changedFiles: null,
};

/**
 * `npm run bench -- ci-config`: a configuration of realistic shape compiled and planned, beside `gitlab-ci-local --list-json` on the same file
 * in the same minutes. Figures of one run compare; those of two do not.
 */
export async function run() {
  const small = configuration(100);
  const large = configuration(5_000);
  const bench = new Peer(small);
  try {
    bench.install();
    const figures = { small: [], large: [], whole: [], startup: [] };
    for (let round = 0; round < rounds; round += 1) {
      say(`round ${round + 1} of ${rounds} …`);
      figures.small.push(...repeat(60, () => compile(small)).slice(30));
      figures.large.push(...repeat(4, () => compile(large)).slice(1));
      bench.measure(figures);
    }
    report(figures, { small, large });
  } finally {
    bench.remove();
  }
}

function compile(text) {
  const parsed = parseConfig(text, noFiles);
  if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
  const plan = planPipeline(parsed.config, context);
  if (!plan.ok) throw new Error(plan.errors[0]);
  return plan;
}

function repeat(times, work) {
  return Array.from({ length: times }, () => {
    const began = performance.now();
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return { wall: performance.now() - began, cpu: (user + system) / 1_000 };
  });
}

function report({ small, large, whole, startup }, texts) {
  const size = (text) => `${(text.length / 1024).toFixed(0)} KB`;
  const ours = median(small.map(({ wall }) => wall));
  const line = (times) =>
    `${['wall', 'cpu'].map((clock) => `${clock} ${shown(median(times.map((time) => time[clock])))} (${shown(Math.min(...times.map((time) => time[clock])))})`).join(', ')}`;
  console.log(`
compiled and planned, warm: median (least) in ms
  100 jobs, ${size(texts.small)}:   ${line(small)}
  5,000 jobs, ${size(texts.large)}: ${line(large)}
memory of a compiled configuration, KB for each job: ${[1_250, 2_500, 5_000].map((jobs) => `${jobs}: ${retained(jobs).toFixed(1)}`).join(', ')}`);
  if (whole.length === 0) return;
  const theirs = median(whole) - median(startup);
  console.log(`gitlab-ci-local --list-json, 100 jobs: ${median(whole).toFixed(0)} ms as a command, ${theirs.toFixed(0)} ms more than for a file of one job
  ${(theirs / ours).toFixed(0)} times as long as the same file takes here (${(median(whole) / ours).toFixed(0)} times with the start of its process)`);
}

function shown(milliseconds) {
  return milliseconds.toFixed(milliseconds < 100 ? 1 : 0);
}

/** Kilobytes for each job that a compiled configuration keeps. */
function retained(jobs) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const text = configuration(jobs);
  parseConfig(text, noFiles);
  collect();
  const before = process.memoryUsage().heapUsed;
  const parsed = parseConfig(text, noFiles);
  collect();
  const after = process.memoryUsage().heapUsed;
  return parsed.ok ? (after - before) / 1024 / jobs : NaN;
}

/** The other tool, with a Node that it runs on. It is left out, saying so, where npm cannot get it. */
class Peer {
  constructor(text) {
    this.home = mkdtempSync(join(tmpdir(), 'flagfall-bench-'));
    this.files = { whole: text, startup: 'job: {script: [make]}\n' };
  }

  install() {
    const found = spawnSync('npx', ['-y', ...peer, '-c', 'command -v node && command -v gitlab-ci-local'], {
      encoding: 'utf8',
    });
    const paths = found.stdout?.trim().split('\n') ?? [];
    if (found.status !== 0 || paths.length !== 2) {
      say(
        `gitlab-ci-local is left out, npm could not get it: ${found.stderr?.trim().split('\n').at(-1) ?? found.error}`,
      );
      return;
    }
    const git = (...words) => execFileSync('git', words, { cwd: this.home, stdio: 'ignore' });
    git('init', '--initial-branch=main');
    git('remote', 'add', 'origin', 'https://git.example.com/group/project.git');
    git('-c', 'user.name=bench', '-c', 'user.email=bench@example.com', 'commit', '--allow-empty', '-m', 'first');
    this.command = paths;
  }

  measure(figures) {
    if (!this.command) return;
    for (const [kind, text] of Object.entries(this.files)) {
      writeFileSync(join(this.home, '.gitlab-ci.yml'), text);
      const began = performance.now();
      execFileSync(this.command[0], [this.command[1], '--list-json'], {
        cwd: this.home,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      figures[kind].push(performance.now() - began);
    }
  }

  remove() {
    rmSync(this.home, { recursive: true });
  }
}

/** Five stages; a base that all jobs extend, shared rules, references, needs, `only`, environments. */
function configuration(jobs) {
  const stages = ['prepare', 'build', 'test', 'package', 'deploy'];
  const perStage = Math.floor(jobs / stages.length);
  const head = `stages: [${stages.join(', ')}]
variables: {GIT_DEPTH: "20", REGISTRY: registry.example.com}
default:
  tags: [docker]
  retry: {max: 1, when: [runner_system_failure]}
  image: $REGISTRY/base:1
.rules: &rules
  - if: $CI_COMMIT_TAG
    when: never
  - if: $CI_COMMIT_BRANCH =~ /^(main|release-.+)$/
    variables: {MODE: full}
  - changes: [src/**/*, "*.md"]
.upload:
  rules:
    - if: $CI_PIPELINE_SOURCE == "trigger" && $UPLOAD_TO_S3 == "true"
    - when: manual
.base:
  before_script:
    - echo "starting"
    - ./prepare
  artifacts: {paths: [out/], expire_in: 1 week}
  cache: {key: $CI_COMMIT_REF_SLUG, paths: [.cache/]}
`;
  const conditions = [
    '  rules: *rules',
    '  only: [main, /^release-/, tags]',
    '  rules:\n    - !reference [.upload, rules]',
  ];
  const body = Array.from({ length: jobs }, (_, index) => {
    const stage = Math.min(stages.length - 1, Math.floor(index / perStage));
    const before = index - perStage;
    const needs =
      stage > 0 && index % 2 === 1
        ? `  needs: [job_${before}, {job: job_${Math.max(0, before - 1)}, artifacts: false}]\n`
        : '';
    return `job_${index}:
  extends: .base
  stage: ${stages[stage]}
  variables: {INDEX: "${index}", NAME: "$REGISTRY/app-${index}"}
  script:
    - make target-${index} FLAGS="-O2"
    - |
      for part in a b c; do
        ./check "$part"
      done
${conditions[index % conditions.length]}
${needs}  environment: {name: env/$CI_COMMIT_REF_SLUG}
  timeout: 1h 30m
`;
  });
  return head + body.join('');
}
