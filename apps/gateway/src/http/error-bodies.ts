import { ApiProperty } from '@nestjs/swagger';

/** The first family of refusals: faults of parameters, unknown routes and methods. */
export class ParameterError {
  @ApiProperty({ description: 'What is wrong with the request', example: 'ref is missing, ref is empty' })
  error!: string;
}

/** The second family: everything raised once the parameters are in order. */
export class ErrorMessage {
  @ApiProperty({
    description: 'A sentence, or an object of attribute → list of what is wrong with it',
    anyOf: [{ type: 'string' }, { type: 'object', additionalProperties: true }],
    example: '403 Forbidden',
  })
  message!: string | Record<string, unknown>;
}

/** An access token that cannot be used, or not for this. */
export class TokenError {
  @ApiProperty({ enum: ['invalid_token', 'insufficient_scope'] })
  error!: string;

  @ApiProperty()
  error_description!: string;

  @ApiProperty({ required: false })
  scope?: string;
}
