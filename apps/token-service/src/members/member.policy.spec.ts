import { AccessLevel } from '#libs/contracts';
import { mayManageMember } from './member.policy.js';

const { None, Guest, Reporter, Developer, Maintainer, Owner } = AccessLevel;

test.each([None, Guest, Reporter, Developer])('level %i may manage nobody', (actor) => {
  expect(mayManageMember(actor, Guest)).toBe(false);
});

test.each([
  [Maintainer, [Guest], true],
  [Maintainer, [Maintainer], true],
  [Maintainer, [Owner], false],
  [Maintainer, [Developer, Owner], false],
  [Maintainer, [Owner, Guest], false],
  [Owner, [Owner], true],
  [Owner, [Owner, Guest], true],
  [Owner, [Guest, Owner], true],
])('level %i over levels %j: %s', (actor, levels, may) => {
  expect(mayManageMember(actor, ...levels)).toBe(may);
});
