/** The first that fits: each of them also calls itself by names of those below. */
const browsers: [name: string, version: RegExp][] = [
  ['Edge', /Edg(?:e|A|iOS)?\/(\d+)/],
  ['Opera', /OPR\/(\d+)/],
  ['Firefox', /(?:Firefox|FxiOS)\/(\d+)/],
  ['Chrome', /(?:Headless)?(?:Chrome|CriOS)\/(\d+)/],
  ['Safari', /Version\/(\d+)\S* (?:Mobile\/\S+ )?Safari/],
];
const systems: [name: string, sign: RegExp][] = [
  ['Android', /Android/],
  ['iOS', /iPhone|iPad/],
  ['Windows', /Windows/],
  ['macOS', /Mac OS X/],
  ['Linux', /Linux|X11/],
];

/** "Firefox 140 on Linux" for a `User-Agent`; what is no browser is called as it calls itself. */
export function browserName(userAgent: string): string {
  for (const [name, version] of browsers) {
    const found = version.exec(userAgent);
    if (!found) continue;
    const system = systems.find(([, sign]) => sign.test(userAgent))?.[0];
    return `${name} ${found[1]}${system ? ` on ${system}` : ''}`;
  }
  return userAgent || 'unknown';
}
