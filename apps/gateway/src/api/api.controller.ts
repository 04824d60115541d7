import { Controller, Get } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { Needs } from '../access/needs.decorator.js';
import { AtRoot } from '../http/at-root.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ApiDocument } from './openapi.js';

@AtRoot()
@Controller('api/openapi.json')
export class ApiController {
  constructor(private readonly api: ApiDocument) {}

  @Get()
  @Needs('nothing')
  @Endpoint({ summary: 'This document', returns: Object })
  show(): OpenAPIObject | undefined {
    return this.api.document;
  }
}
