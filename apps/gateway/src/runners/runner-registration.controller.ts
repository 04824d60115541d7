import { Controller, Delete, Post } from '@nestjs/common';
import { forbidden, Refusal, RunnerCall } from '#libs/contracts';
import { Needs } from '../access/needs.decorator.js';
import { hashSecret, newSecret } from '../access/secrets.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { RunnerTokenResponse } from './runner.response.js';

class RunnerToken {
  @StringParameter({ required: true, blank: false }) token!: string;
}

class RunnerMachine extends RunnerToken {
  @StringParameter({ required: true, blank: false, description: 'Tells the machines that share a token apart' })
  system_id!: string;
}

/** What a runner does with its own token (runner-api.md §1). */
@Controller('runners')
@Needs('nothing')
export class RunnerRegistrationController {
  constructor(private readonly services: Services) {}

  /** Runners are made by a user first; tokens that let anybody register one are not given out. */
  @Post()
  @Endpoint({ summary: 'Register a runner with a registration token (not offered)', success: 201, errors: [410] })
  register(): never {
    throw new Refusal(410, {
      message: '410 Gone - registration tokens are not offered: create the runner with POST /user/runners',
    });
  }

  @Post('verify')
  @Endpoint({ summary: 'Check a runner’s token', returns: RunnerTokenResponse, errors: [403] })
  async verify(@Parameters(RunnerToken) { token }: RunnerToken): Promise<RunnerTokenResponse> {
    const { id } = await this.#call(token, 'verify');
    return { id, token, token_expires_at: null };
  }

  @Delete()
  @Endpoint({ summary: 'Remove a runner by its token', success: 204, errors: [403] })
  async remove(@Parameters(RunnerToken) { token }: RunnerToken): Promise<void> {
    await this.#call(token, 'remove');
  }

  @Delete('managers')
  @Endpoint({ summary: 'Forget one machine of a runner', success: 204, errors: [403, 404] })
  async forgetMachine(@Parameters(RunnerMachine) { token, system_id }: RunnerMachine): Promise<void> {
    await this.#call(token, 'forget-machine', { systemId: system_id });
  }

  @Post('reset_authentication_token')
  @Endpoint({ summary: 'Give a runner another token', success: 201, returns: RunnerTokenResponse, errors: [403] })
  async resetToken(@Parameters(RunnerToken) { token }: RunnerToken): Promise<RunnerTokenResponse> {
    const fresh = newSecret('glrt');
    const { id } = await this.#call(token, 'reset', { newTokenHash: hashSecret(fresh).toString('hex') });
    return { id, token: fresh, token_expires_at: null };
  }

  async #call(token: string, what: RunnerCall['what'], more: Partial<RunnerCall> = {}): Promise<{ id: number }> {
    const tokenHash = hashSecret(token).toString('hex');
    const runner = await this.services.ask(RunnerCall, { tokenHash, what, ...more });
    if (!runner) throw forbidden();
    return runner;
  }
}
