import type { Flagfall, Trigger } from '../testing/flagfall.js';
import type { HandRunner, TakenJob } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';
import { zip } from '../testing/zip.js';

/** What a route's path needs: its parameters by name. */
export type Ids = Record<string, string | number>;

/** A private project that has one of everything, none of it shared with another project. */
export class Target {
  private constructor(
    private readonly flagfall: Flagfall,
    readonly project: Project,
    readonly trigger: Trigger,
    /** Takes the jobs of the project that are made here, and no others. */
    readonly runner: HandRunner,
    /** A branch that only this project has. */
    readonly branch: string,
    /** What stands in paths below the project, by the names that the OpenAPI document has for it. */
    readonly ids: Ids,
  ) {}

  /** @param name of the project; all other names contain it */
  static async make(flagfall: Flagfall, name: string): Promise<Target> {
    const config = `
build:
  script: [make]
  tags: [nobody]
  resource_group: turn-${name}
  rules: [if: $KIND != "mine"]
approve: {script: [make], rules: [{if: $KIND != "mine", when: manual}]}
mine:
  script: [make]
  tags: [hand]
  environment: at-${name}
  artifacts: {paths: [file.txt]}
  rules: [if: $KIND == "mine"]
`;
    const project = await flagfall.newProject({ path: name, files: { '.gitlab-ci.yml': config }, public_jobs: false });
    await project.repository.git('branch', `only-${name}`);
    const runner = await flagfall.newRunner({ project, tag_list: ['hand'], run_untagged: false });
    const trigger = await flagfall.newTrigger(project);
    const user = await flagfall.newUser(`member-of-${name}`);
    await flagfall.join(project, user, 20);
    await project.post('/variables', { key: `KEY_OF_${name}`, value: 'secret' });
    await project.post('/protected_branches', { name: `release-${name}` });
    await project.post('/protected_tags', { name: `v-${name}` });
    const target = new Target(flagfall, project, trigger, runner, `only-${name}`, {});
    const pipeline = await project.trigger();
    const jobId = await target.finishedJob();
    const [{ id: environmentId }] = await project.get('/environments');
    const [{ id: requestId }] = await project.get('/trigger/requests');
    Object.assign(target.ids, {
      id: project.id,
      user_id: user.id,
      pipeline_id: pipeline.id,
      job_id: jobId,
      trigger_id: trigger.id,
      environment_id: environmentId,
      request_id: requestId,
      runner_id: runner.id,
      ref: 'main',
      ref_name: target.branch,
      path: 'file.txt',
    });
    return target;
  }

  /** A job that runs, with its token. */
  async runningJob(): Promise<TakenJob> {
    await this.project.trigger(this.branch, { KIND: 'mine' });
    return this.runner.start();
  }

  /** A job with a log and artifacts, all done. @returns its id */
  async finishedJob(): Promise<number> {
    const job = await this.runningJob();
    await this.runner.log(job, 'done\n');
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(await zip({ 'file.txt': 'content' }))]), 'artifacts.zip');
    await fetch(`${this.flagfall.url}/api/v4/jobs/${job.id}/artifacts`, {
      method: 'POST',
      headers: { 'JOB-TOKEN': job.token },
      body: form,
    });
    await this.runner.end(job, 'success');
    return job.id;
  }
}
