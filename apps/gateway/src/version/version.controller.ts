import { Controller, Get } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { Needs } from '../access/needs.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { apiVersion } from './api-version.js';

class VersionResponse {
  @ApiProperty({ example: apiVersion.version })
  version!: string;

  @ApiProperty({ example: apiVersion.revision })
  revision!: string;
}

class KasResponse {
  @ApiProperty()
  enabled!: boolean;

  @ApiProperty({ type: String, nullable: true })
  externalUrl!: string | null;

  @ApiProperty({ type: String, nullable: true })
  externalK8sProxyUrl!: string | null;

  @ApiProperty({ type: String, nullable: true })
  version!: string | null;
}

class MetadataResponse extends VersionResponse {
  @ApiProperty()
  kas!: KasResponse;

  @ApiProperty()
  enterprise!: boolean;
}

/** trigger-api.md §5.1. */
@Controller()
@Needs('user', { scopes: ['read_user'] })
export class VersionController {
  @Get('version')
  @Endpoint({ summary: 'The version of the API', returns: VersionResponse, errors: [401] })
  version(): VersionResponse {
    return apiVersion;
  }

  @Get('metadata')
  @Endpoint({ summary: 'The version of the API, and what it does not have', returns: MetadataResponse, errors: [401] })
  metadata(): MetadataResponse {
    return {
      ...apiVersion,
      kas: { enabled: false, externalUrl: null, externalK8sProxyUrl: null, version: null },
      enterprise: false,
    };
  }
}
