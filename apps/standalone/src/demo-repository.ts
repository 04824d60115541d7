import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/** The branch of the demo repository. */
export const demoBranch = 'main';

const limitMs = 30_000;

/** The example of GitLab's own page on triggers, with the script `./make` in place of the tool, which a machine need not have. */
const ciFile = `stages:
  - test
  - build
  - package

run_tests:
  stage: test
  script:
    - ./make test

build_package:
  stage: build
  script:
    - ./make build

upload_package:
  stage: package
  script:
    - if [ -n "\${UPLOAD_TO_S3}" ]; then ./make upload; fi
`;

const makeScript = `#!/bin/sh
# What make does in this project.
set -eu
case "\${1:-}" in
  test)
    sh ./hello.sh | grep -q 'Hello, world' && echo 'hello.sh greets the world: 1 test passed'
    ;;
  build)
    mkdir -p build
    tar -cf build/hello.tar hello.sh README.md
    echo "Packed build/hello.tar from commit \${CI_COMMIT_SHORT_SHA:-unknown}"
    ;;
  upload)
    echo 'Here a real project would upload its package to S3.'
    ;;
  *)
    echo 'Usage: ./make test|build|upload' >&2
    exit 2
    ;;
esac
`;

const files: Record<string, { text: string; mode?: number }> = {
  '.gitlab-ci.yml': { text: ciFile },
  make: { text: makeScript, mode: 0o755 },
  'hello.sh': { text: `#!/bin/sh\necho 'Hello, world'\n`, mode: 0o755 },
  'README.md': {
    text: `# Demo

The repository of the project demo/app. Change it, commit, and start another pipeline: it is read anew each time.
`,
  },
};

/** Nothing of the user's own git: no identity, hooks, templates, signing, or a repository named by the environment. */
const gitEnvironment = {
  PATH: process.env.PATH,
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Flagfall demo',
  GIT_AUTHOR_EMAIL: 'demo@flagfall.invalid',
  GIT_COMMITTER_NAME: 'Flagfall demo',
  GIT_COMMITTER_EMAIL: 'demo@flagfall.invalid',
};

/**
 * Makes a git repository with a three-stage `.gitlab-ci.yml` on the branch `main`, complete or not at all; one that is there already stays
 * as it is, for its owner may have changed it.
 * @param directory where; its parent exists
 */
export async function makeDemoRepository(directory: string): Promise<void> {
  if (existsSync(directory)) return;
  const draft = `${directory}.unfinished`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft);
  for (const [name, { text, mode }] of Object.entries(files)) await writeFile(join(draft, name), text, { mode });
  const git = (...args: string[]) =>
    execa('git', args, { cwd: draft, env: gitEnvironment, extendEnv: false, timeout: limitMs });
  await git('init', '--quiet', '--template=');
  // `init -b` needs git 2.28.
  await git('symbolic-ref', 'HEAD', `refs/heads/${demoBranch}`);
  await git('add', '--all');
  await git('commit', '--quiet', '--message=Say hello');
  await rename(draft, directory);
}
