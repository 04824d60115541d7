// needs: rabbitmq, postgresql
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({ name: 'inputs' });
let app: Project;
let trigger: Trigger;

/** The names of the jobs tell which values the configuration got. */
const config = `spec:
  inputs:
    target: { options: [staging, production] }
    copies: { type: number, default: 1 }
    dry: { type: boolean, default: true }
    regions: { type: array, default: [] }
---
"ship $[[ inputs.target ]] x$[[ inputs.copies ]]":
  script: make ship
  tags: $[[ inputs.regions ]]
"pretend $[[ inputs.dry ]]":
  script: make pretend
`;

beforeAll(async () => {
  app = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
  trigger = await flagfall.newTrigger(app);
});

const path = () => `/projects/${app.id}/trigger/pipeline`;
const json = (inputs: object) =>
  flagfall.call({ method: 'POST', path: path(), json: { token: trigger.token, ref: 'main', inputs } });
const form = (...inputs: [name: string, value: string][]) =>
  flagfall.call({ method: 'POST', path: path(), form: [['token', trigger.token], ['ref', 'main'], ...inputs] });
const jobsOf = async (answer: Awaited<ReturnType<typeof json>>) => {
  expect(answer).toMatchObject({ status: 201 });
  return Object.values(await app.jobs(answer.body.id)).map(({ name, tag_list }) => [name, ...tag_list]);
};
const ship = (name: string, pretend: string, ...tags: string[]) => [[`pretend ${pretend}`], [`ship ${name}`, ...tags]];

describe('inputs of a trigger call', () => {
  it('fill in the configuration, with their types', async () => {
    const inputs = { target: 'staging', copies: 3, dry: false, regions: ['east', 'west'] };
    expect(await jobsOf(await json(inputs))).toEqual(ship('staging x3', 'false', 'east', 'west'));
  });

  it('are texts in a form, and are read as what the configuration wants', async () => {
    const answer = form(
      ['inputs[target]', 'production'],
      ['inputs[copies]', '2'],
      ['inputs[dry]', 'false'],
      ['inputs[regions]', '["north"]'],
    );
    expect(await jobsOf(await answer)).toEqual(ship('production x2', 'false', 'north'));
  });

  it('of one call are not those of the next', async () => {
    expect(await jobsOf(await json({ target: 'staging' }))).toEqual(ship('staging x1', 'true'));
    expect(await jobsOf(await json({ target: 'production' }))).toEqual(ship('production x1', 'true'));
    expect(await jobsOf(await json({ target: 'staging' }))).toEqual(ship('staging x1', 'true'));
  });

  it('that are wrong are all told at once, and leave a failed pipeline that says so', async () => {
    const message =
      '`target` input: `moon` cannot be used because it is not in the list of allowed options, ' +
      '`copies` input: provided value is not a number, unknown input arguments: colour';
    const answer = await json({ target: 'moon', copies: 'many', colour: 'red' });
    expect([answer.status, answer.body]).toEqual([422, { message: { base: [message] } }]);
    const [failed] = await app.pipelines();
    expect(await app.pipeline(failed.id)).toMatchObject({ status: 'failed', yaml_errors: message });
  });

  it('that are wanted and not there are told', async () => {
    const answer = await form();
    const message = '`target` input: required value has not been provided';
    expect([answer.status, answer.body]).toEqual([422, { message: { base: [message] } }]);
  });

  it('are part of TRIGGER_PAYLOAD', async () => {
    const { body } = await json({ target: 'staging' });
    const variables = await app.get(`/pipelines/${body.id}/variables`);
    expect(JSON.parse(variables[0].value)).toMatchObject({ inputs: { target: 'staging' } });
  });
});

describe('inputs elsewhere', () => {
  it('are taken by POST /projects/:id/pipeline', async () => {
    const { id } = await app.post('/pipeline', { ref: 'main', inputs: { target: 'staging', copies: 7 } });
    expect(Object.keys(await app.jobs(id))).toContain('ship staging x7');
    const path = `/projects/${app.id}/pipeline`;
    const call = { method: 'POST', path, token: flagfall.rootToken, json: { ref: 'main', inputs: { target: 'moon' } } };
    expect(await flagfall.call(call)).toMatchObject({ status: 400 });
  });

  it('are taken by CI Lint', async () => {
    expect(await app.get('/ci/lint')).toMatchObject({
      valid: false,
      errors: [expect.stringContaining('`target` input: required value has not been provided')],
    });
    const linted = await app.post('/ci/lint', { content: config, inputs: { target: 'staging' }, include_jobs: true });
    expect(linted).toMatchObject({ valid: true, jobs: [{ name: 'ship staging x1' }, { name: 'pretend true' }] });
  });
});
