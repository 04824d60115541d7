import { Matches } from 'class-validator';

/** The SHA-256 of a secret in hex: all that leaves the gateway of it, its visible characters aside (architecture.md §5.1). */
export const IsSecretHash = () => Matches(/^[0-9a-f]{64}$/);
