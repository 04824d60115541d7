/** Keeps a collection within a bound: the entries that came first go. @param most how many may stay */
export function forgetOldest<Key>(kept: Set<Key> | Map<Key, unknown>, most: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= most) break;
    kept.delete(oldest);
  }
}
