import { Controller, Get, Header } from '@nestjs/common';
import { notFound } from '#libs/contracts';
import { Needs } from '../access/needs.decorator.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Ledger } from './ledger.js';
import { presentTriggerRequest, TriggerRequestResponse } from './trigger-request.response.js';
import { statusTokenHash } from './trigger-requests.js';

class StatusParameters {
  @StringParameter({ required: true, description: 'From the `Location` of a 202' }) status_token!: string;
}

/** Tells those who got a 202 how it went on. Whoever has the URL may ask: it is the credential. */
@Controller('trigger_requests')
export class TriggerRequestStatusController {
  constructor(
    private readonly ledger: Ledger,
    private readonly config: GatewayConfig,
  ) {}

  @Get(':status_token')
  @Needs('nothing')
  @Endpoint({
    summary: 'The outcome of a trigger request',
    returns: TriggerRequestResponse,
    errors: [404],
    tokenRefusals: [404],
  })
  @Header('Cache-Control', 'no-store')
  @Header('Referrer-Policy', 'no-referrer')
  async show(@Parameters(StatusParameters) { status_token }: StatusParameters): Promise<TriggerRequestResponse> {
    const recorded = await this.ledger.byStatusToken(statusTokenHash(status_token));
    if (!recorded) throw notFound();
    return presentTriggerRequest(recorded, this.config.externalUrl);
  }
}
