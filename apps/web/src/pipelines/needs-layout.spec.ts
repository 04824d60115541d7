import { placeByNeeds, tile } from './needs-layout.js';

test('a job stands to the right of all that it needs, and none covers another', () => {
  const jobs = [
    { name: 'build', needs: [] },
    { name: 'lint', needs: [] },
    { name: 'test', needs: ['build'] },
    { name: 'deploy', needs: ['test', 'lint', 'left out'] },
  ];
  const { places, lines, width, height } = placeByNeeds(jobs);
  const at = (name: string) => places.get(name) ?? { x: NaN, y: NaN };
  expect(lines.map(({ from, to }) => `${from} ${to}`).toSorted()).toEqual(['build test', 'lint deploy', 'test deploy']);
  for (const { from, to } of lines) expect(at(from).x + tile.width).toBeLessThan(at(to).x);
  const covers = (a: string, b: string): boolean =>
    Math.abs(at(a).x - at(b).x) < tile.width && Math.abs(at(a).y - at(b).y) < tile.height;
  const pairs = jobs.flatMap(({ name }) =>
    jobs.filter((other) => name < other.name).map((other) => [name, other.name] as const),
  );
  expect(pairs.filter(([a, b]) => covers(a, b))).toEqual([]);
  for (const { x, y } of places.values()) {
    expect(x + tile.width).toBeLessThanOrEqual(width);
    expect(y + tile.height).toBeLessThanOrEqual(height);
  }
});

test('no jobs need no room', () => {
  expect(placeByNeeds([]).lines).toEqual([]);
});
