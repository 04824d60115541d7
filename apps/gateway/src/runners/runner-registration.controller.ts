import { Controller, Delete, Post } from '@nestjs/common';
import {
  forbidden,
  invalid,
  orphanedRunner,
  RegisterRunner,
  type RunnerAccessLevel,
  runnerAccessLevels,
  RunnerCall,
} from '#libs/contracts';
import { Needs } from '../access/needs.decorator.js';
import { hashSecret, newSecret } from '../access/secrets.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import {
  BooleanParameter,
  ChoiceParameter,
  IntegerParameter,
  ListParameter,
  StringParameter,
} from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { nothingToTake } from './runner-access.js';
import { RunnerTokenResponse } from './runner.response.js';

class RunnerToken {
  @StringParameter({ required: true, blank: false }) token!: string;
}

class RunnerMachine extends RunnerToken {
  @StringParameter({ required: true, blank: false, description: 'Tells the machines that share a token apart' })
  system_id!: string;
}

class NewRegistration extends RunnerToken {
  @StringParameter() description?: string | null;
  @StringParameter() maintenance_note?: string | null;
  @StringParameter({ description: 'Former name of `maintenance_note`' }) maintainer_note?: string | null;
  @BooleanParameter() paused?: boolean | null;
  @BooleanParameter({ description: 'Former opposite of `paused`' }) active?: boolean | null;
  @BooleanParameter() locked?: boolean | null;
  @BooleanParameter() run_untagged?: boolean | null;
  @ListParameter({ of: 'string', commas: true }) tag_list?: string[] | null;
  @ChoiceParameter(runnerAccessLevels) access_level?: RunnerAccessLevel | null;
  @IntegerParameter({ minimum: 600, description: 'Seconds' }) maximum_timeout?: number | null;
}

/** What a runner does with its own token (runner-api.md §1). */
@Controller('runners')
@Needs('nothing')
export class RunnerRegistrationController {
  constructor(private readonly services: Services) {}

  /** For runners that nobody made first. Off unless an administrator allows it: whoever has a registration token gets jobs with their secrets. */
  @Post()
  @Endpoint({
    summary: 'Register a runner with a registration token',
    success: 201,
    returns: RunnerTokenResponse,
    errors: [403, 410],
    tokenRefusals: [403],
  })
  async register(@Parameters(NewRegistration) given: NewRegistration): Promise<RunnerTokenResponse> {
    const tagList = given.tag_list ?? [];
    const runUntagged = given.run_untagged ?? true;
    if (!runUntagged && tagList.length === 0) throw invalid(nothingToTake);
    const token = newSecret('glrtr');
    const { id } = await this.services.ask(RegisterRunner, {
      registrationTokenHash: hashSecret(given.token).toString('hex'),
      description: given.description ?? '',
      paused: given.paused ?? !(given.active ?? true),
      locked: given.locked ?? false,
      runUntagged,
      tagList,
      accessLevel: given.access_level ?? 'not_protected',
      maximumTimeout: given.maximum_timeout,
      maintenanceNote: given.maintenance_note ?? given.maintainer_note,
      tokenHash: hashSecret(token).toString('hex'),
    });
    return { id, token, token_expires_at: null };
  }

  @Post('verify')
  @Endpoint({
    summary: 'Check a runner’s token',
    returns: RunnerTokenResponse,
    errors: [403, 422],
    tokenRefusals: [403],
  })
  async verify(@Parameters(RunnerToken) { token }: RunnerToken): Promise<RunnerTokenResponse> {
    const { id, orphaned } = await this.#call(token, 'verify');
    if (orphaned) throw orphanedRunner();
    return { id, token, token_expires_at: null };
  }

  @Delete()
  @Endpoint({ summary: 'Remove a runner by its token', success: 204, errors: [403], tokenRefusals: [403] })
  async remove(@Parameters(RunnerToken) { token }: RunnerToken): Promise<void> {
    await this.#call(token, 'remove');
  }

  @Delete('managers')
  @Endpoint({ summary: 'Forget one machine of a runner', success: 204, errors: [403, 404], tokenRefusals: [403] })
  async forgetMachine(@Parameters(RunnerMachine) { token, system_id }: RunnerMachine): Promise<void> {
    await this.#call(token, 'forget-machine', { systemId: system_id });
  }

  @Post('reset_authentication_token')
  @Endpoint({
    summary: 'Give a runner another token',
    success: 201,
    returns: RunnerTokenResponse,
    errors: [403],
    tokenRefusals: [403],
  })
  async resetToken(@Parameters(RunnerToken) { token }: RunnerToken): Promise<RunnerTokenResponse> {
    // By its beginning a runner knows whether it registered itself.
    const fresh = newSecret(token.startsWith('glrtr-') ? 'glrtr' : 'glrt');
    const { id } = await this.#call(token, 'reset', { newTokenHash: hashSecret(fresh).toString('hex') });
    return { id, token: fresh, token_expires_at: null };
  }

  async #call(
    token: string,
    what: RunnerCall['what'],
    more: Partial<RunnerCall> = {},
  ): Promise<{ id: number; orphaned: boolean }> {
    const tokenHash = hashSecret(token).toString('hex');
    const runner = await this.services.ask(RunnerCall, { tokenHash, what, ...more });
    if (!runner) throw forbidden();
    return runner;
  }
}
