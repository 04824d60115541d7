import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { execa } from 'execa';
import type { DoctorConfig } from './config.js';
import { type Finding, ok, reasonOf, unknown, wrong } from './finding.js';

const gib = 1024 ** 3;
const leastFreeBytes = gib;
const leastFreeShare = 0.05;
const commandMs = 10_000;

/** What Flagfall needs of the machine that this runs on: space where it keeps things, and the programs that it starts. */
export async function checkMachine(config: DoctorConfig): Promise<Finding[]> {
  return Promise.all([
    config.storageDir === undefined
      ? unknown('storage', 'a bucket, or not kept here')
      : checkDisk('storage', config.storageDir, 'Logs and artifacts of jobs are kept there.'),
    config.cacheDir === undefined
      ? unknown('cache', 'not kept here; the pipeline-service has it')
      : checkDisk('cache', config.cacheDir, 'Mirrors of repositories are kept there.'),
    checkProgram(
      'git',
      ['--version'],
      'Repositories are read with it. Install it (Debian, Ubuntu: apt-get install git).',
    ),
    config.ssh
      ? checkProgram(
          'ssh',
          ['-V'],
          'Repositories at ssh:// addresses are reached with it. Install it (Debian, Ubuntu: apt-get install openssh-client), or leave ssh out of REPOSITORY_SCHEMES.',
        )
      : unknown('ssh', 'not among REPOSITORY_SCHEMES'),
    ...(['sshKeyFile', 'sshKnownHostsFile'] as const).flatMap((name) =>
      config[name] === undefined
        ? []
        : checkFile(name === 'sshKeyFile' ? 'SSH_KEY_FILE' : 'SSH_KNOWN_HOSTS_FILE', config[name]),
    ),
  ]);
}

/** A directory that is not there yet is made by who needs it, if its parent lets them. */
async function checkDisk(about: string, directory: string, purpose: string): Promise<Finding> {
  try {
    const there = await nearest(directory);
    await access(there, constants.W_OK);
    const { bavail, blocks, bsize, files, ffree } = await statfs(there);
    const [free, size] = [bavail * bsize, blocks * bsize];
    const text = `${directory}: ${(free / gib).toFixed(1)} GiB of ${(size / gib).toFixed(1)} GiB are free`;
    if (files > 0 && ffree === 0)
      return wrong(
        about,
        `${directory}: no file can be made any more (out of inodes)`,
        `${purpose} Delete files there.`,
      );
    if (free < leastFreeBytes || free < size * leastFreeShare)
      return wrong(about, text, `${purpose} Make room, or give it a larger disk; artifacts go when they expire.`);
    return ok(about, text);
  } catch (error) {
    return wrong(
      about,
      `${directory} cannot be written: ${reasonOf(error)}`,
      `${purpose} Give the user that Flagfall runs as the right to write there.`,
    );
  }
}

async function nearest(directory: string): Promise<string> {
  const there = await access(directory).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
  return there ? directory : nearest(dirname(directory));
}

async function checkProgram(name: string, words: string[], advice: string): Promise<Finding> {
  try {
    // ssh tells its version on standard error.
    const { stdout, stderr } = await execa(name, words, { timeout: commandMs });
    return ok(name, (stdout || stderr).split('\n', 1)[0]?.trim() ?? '');
  } catch (error) {
    return wrong(name, `it does not run: ${(error as { code?: string }).code ?? reasonOf(error)}`, advice);
  }
}

async function checkFile(variable: string, file: string): Promise<Finding> {
  return access(file, constants.R_OK).then(
    () => ok('ssh', `${variable} can be read`),
    (error: unknown) =>
      wrong(
        'ssh',
        `${variable} cannot be read: ${reasonOf(error)}`,
        `Give the user that Flagfall runs as the right to read ${file}.`,
      ),
  );
}
