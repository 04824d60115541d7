import { hasLoop } from './bridge-orders.js';
import type { Upstream } from './bridges.repository.js';

const at = (projectId: number, source: string, ref = 'main'): Upstream => ({ id: 0, projectId, source, ref });
const [a, b, child] = [at(1, 'pipeline'), at(2, 'pipeline'), at(1, 'parent_pipeline')];

it.each<[string, Upstream[], boolean]>([
  ['A → B → A → B', [b, a, b, at(1, 'trigger')], false],
  ['B for the third time', [b, a, b, a, b, at(1, 'trigger')], true],
  ['other branches', [at(1, 'pipeline', 'a'), at(1, 'pipeline', 'b'), at(1, 'pipeline', 'c')], false],
  ['children of children', [child, child, child, at(1, 'trigger')], false],
])('a loop: %s', (_, chain, expected) => expect(hasLoop(chain)).toBe(expected));
