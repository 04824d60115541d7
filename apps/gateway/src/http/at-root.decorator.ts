import { SetMetadata } from '@nestjs/common';

export const atRootMetadata = 'flagfall:at-root';

/** Everything else is below it. */
export const apiPrefix = 'api/v4';

/** Puts a controller's routes at the root of the site instead of below `/api/v4`. */
export const AtRoot = (): ClassDecorator => SetMetadata(atRootMetadata, true);
