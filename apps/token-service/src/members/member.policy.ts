import { AccessLevel } from '#libs/contracts';

/**
 * Whether somebody may add, change or remove a member. Maintainers may, but never above themselves: neither touch an Owner nor make one.
 *
 * @param actor the level of whoever asks
 * @param levels the member's level before and after, as far as there is one
 */
export function mayManageMember(actor: number, ...levels: number[]): boolean {
  return actor >= AccessLevel.Maintainer && levels.every((level) => level <= actor);
}
