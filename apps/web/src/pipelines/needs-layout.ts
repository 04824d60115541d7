import { Graph, layout } from '@dagrejs/dagre';

export interface Placed {
  /** Upper left corner, in pixels. */
  x: number;
  y: number;
}

export interface NeedsLayout {
  width: number;
  height: number;
  places: ReadonlyMap<string, Placed>;
  /** SVG path data of each line from a job to one that needs it. */
  lines: { from: string; to: string; path: string }[];
}

export const tile = { width: 200, height: 40 };

/** Places jobs from left to right so that each stands behind those that it needs. */
export function placeByNeeds(jobs: readonly { name: string; needs: readonly string[] }[]): NeedsLayout {
  const graph = new Graph();
  graph.setGraph({ rankdir: 'LR', nodesep: 12, ranksep: 48, marginx: 16, marginy: 16 });
  graph.setDefaultEdgeLabel(() => ({}));
  const names = new Set(jobs.map(({ name }) => name));
  for (const { name } of jobs) graph.setNode(name, { ...tile });
  for (const { name, needs } of jobs) for (const need of needs) if (names.has(need)) graph.setEdge(need, name);
  layout(graph);
  const places = new Map(
    jobs.map(({ name }) => {
      const { x, y } = graph.node(name) as { x: number; y: number };
      return [name, { x: x - tile.width / 2, y: y - tile.height / 2 }];
    }),
  );
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return {
    width,
    height,
    places,
    lines: graph.edges().map(({ v, w }) => ({ from: v, to: w, path: curve(places.get(v), places.get(w)) })),
  };
}

function curve(from: Placed | undefined, to: Placed | undefined): string {
  if (!from || !to) return '';
  const [x1, y1] = [from.x + tile.width, from.y + tile.height / 2];
  const [x2, y2] = [to.x, to.y + tile.height / 2];
  const middle = (x1 + x2) / 2;
  return `M${x1},${y1} C${middle},${y1} ${middle},${y2} ${x2},${y2}`;
}
