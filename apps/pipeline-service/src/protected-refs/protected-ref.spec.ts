import { protectedRef, type ProtectionRules } from './protected-ref.js';

const rules = (branches: [string, number, number][], tags: [string, number][] = []): ProtectionRules => ({
  branches: branches.map(([name, pushAccessLevel, mergeAccessLevel]) => ({ name, pushAccessLevel, mergeAccessLevel })),
  tags: tags.map(([name, createAccessLevel]) => ({ name, createAccessLevel })),
});

describe('protectedRef', () => {
  it.each([
    ['main', 'main', true],
    ['main', 'Main', false],
    ['main', 'main2', false],
    ['*', 'any/thing', true],
    ['release/*', 'release/1/2', true],
    ['release/*', 'release/', true],
    ['release/*', 'release', false],
    ['*-stable', '9-stable', true],
    ['*-stable', '9-stable-1', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'a-c', false],
    ['a*b*b', 'ab', false],
    ['ab*ba', 'aba', false],
    ['v*.*', 'v1.2', true],
    ['v*.*', 'v12', false],
    ['a.c', 'abc', false],
    ['[a]', 'a', false],
    ['**', 'x', true],
  ])('the rule %j and the branch %j: %j', (rule, name, expected) => {
    expect(protectedRef(rules([[rule, 40, 40]]), 'branch', name).protected).toBe(expected);
  });

  it('answers a rule of a thousand stars at once', () => {
    const rule = `${'*a'.repeat(1000)}*`;
    expect(protectedRef(rules([[rule, 40, 40]]), 'branch', `${'a'.repeat(999)}b`).protected).toBe(false);
  });

  it('keeps branches and tags apart', () => {
    const both = rules([['x', 40, 40]], [['y', 40]]);
    expect(protectedRef(both, 'tag', 'x').protected).toBe(false);
    expect(protectedRef(both, 'tag', 'y').protected).toBe(true);
    expect(protectedRef(both, 'branch', 'y').protected).toBe(false);
  });

  // level of the caller, whether an administrator → may they run a pipeline?
  it.each<[string, [string, number, number][], number, boolean, boolean]>([
    ['not protected, Reporter', [], 20, false, false],
    ['not protected, Developer', [], 30, false, true],
    ['Maintainers, Developer', [['x', 40, 40]], 30, false, false],
    ['Maintainers, Maintainer', [['x', 40, 40]], 40, false, true],
    ['Maintainers push, Developers merge, Developer', [['x', 40, 30]], 30, false, true],
    ['nobody, Owner', [['x', 0, 0]], 50, false, false],
    ['nobody, administrator', [['x', 0, 0]], 50, true, false],
    ['administrators, Owner', [['x', 60, 60]], 50, false, false],
    ['administrators, administrator', [['x', 60, 60]], 50, true, true],
    ['the most lenient of two rules', [['x', 40, 40], ['*', 30, 40]], 30, false, true], // prettier-ignore
  ])('%s', (_case, branches, level, admin, expected) => {
    expect(protectedRef(rules(branches), 'branch', 'x').allowed(level, admin)).toBe(expected);
  });

  it('lets those create pipelines on a protected tag who may create it', () => {
    const tag = protectedRef(rules([], [['v*', 40]]), 'tag', 'v1');
    expect([tag.allowed(30, false), tag.allowed(40, false)]).toEqual([false, true]);
  });
});
