import { type JobToCancel, redundantJobs } from './redundant-jobs.js';

const job = (interruptible: boolean, started: boolean): JobToCancel => ({ interruptible, started });
const mixed = [job(true, true), job(false, false)];
const begun = [job(true, true), job(false, true)];

it.each<[string, Parameters<typeof redundantJobs>, string]>([
  ['nothing said', [null, [job(false, false)]], 'none'],
  ['interruptible jobs, nothing else begun', [null, mixed], 'all'],
  ['interruptible jobs, another one begun', [null, begun], 'none'],
  ['conservative, nothing begun', [{ onNewCommit: 'conservative' }, [job(false, false)]], 'all'],
  ['conservative, a job begun', [{ onNewCommit: 'conservative' }, begun], 'none'],
  ['the default beside on_job_failure', [{ onJobFailure: 'all' }, [job(false, false)]], 'all'],
  ['interruptible', [{ onNewCommit: 'interruptible' }, begun], 'interruptible'],
  ['none', [{ onNewCommit: 'none' }, mixed], 'none'],
])('%s', (_, given, expected) => {
  expect(redundantJobs(...given)).toBe(expected);
});
