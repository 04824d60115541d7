import { AccessLevel } from '#libs/contracts';

/** Level 60 of GitLab's protection rules: administrators and nobody else. */
export const administratorLevel = 60;

/** Which branches and tags of a project are protected, and from which level on somebody may change them; 0 is nobody. */
export interface ProtectionRules {
  branches: { name: string; pushAccessLevel: number; mergeAccessLevel: number }[];
  tags: { name: string; createAccessLevel: number }[];
}

/** What protection says of one ref. */
export interface RefProtection {
  protected: boolean;
  /**
   * Whether somebody of this level on the project may run a pipeline on it: push or merge to the branch, create the tag
   * (trigger-api.md §1.6, check 4).
   */
  allowed(accessLevel: number, admin: boolean): boolean;
}

/**
 * Where several rules fit a ref, the most lenient decides (GitLab). A ref that is not protected is open from Developer on.
 * @param name the short name
 */
export function protectedRef(rules: ProtectionRules, refType: 'branch' | 'tag', name: string): RefProtection {
  const levels =
    refType === 'branch'
      ? rules.branches
          .filter((rule) => matches(rule.name, name))
          .flatMap((rule) => [rule.pushAccessLevel, rule.mergeAccessLevel])
      : rules.tags.filter((rule) => matches(rule.name, name)).map((rule) => rule.createAccessLevel);
  if (levels.length === 0) return { protected: false, allowed: (level) => level >= AccessLevel.Developer };
  return {
    protected: true,
    allowed: (level, admin) =>
      levels.some(
        (needed) => needed !== AccessLevel.None && (admin || (needed < administratorLevel && level >= needed)),
      ),
  };
}

/** Whether a rule's name, in which `*` stands for any characters, slashes too, fits a ref. Takes linear time whatever the rule. */
function matches(rule: string, name: string): boolean {
  const parts = rule.split('*');
  const first = parts.shift() ?? '';
  const last = parts.pop();
  if (last === undefined) return first === name;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const part of parts) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
