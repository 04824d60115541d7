/** The page's own words, then what it is part of. */
export function setTitle(...parts: (string | undefined)[]): void {
  document.title = [...parts.filter((part) => part), 'Flagfall'].join(' · ');
}
