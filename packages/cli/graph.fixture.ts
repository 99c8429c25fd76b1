import type { GraphEdge } from './graph.ts';

/** What a drawing shows, from top to bottom. */
export function rowsOf(edges: readonly GraphEdge[]): string[] {
  return edges.flatMap(({ own, turns, below }) => [own, ...turns, below]);
}

/** Where the star of each row that has one stands. */
export function starsOf(rows: readonly string[]): number[] {
  return rows.map((row) => row.indexOf('*')).filter((at) => at >= 0);
}

/** A place on a line that left a commit. */
interface Place {
  readonly at: number;
  readonly char: string;
  readonly child: string;
  /** Which way it took wherever there were several, from the left. */
  readonly way: string;
}

/**
 * Reads a drawing as a person does, along its lines downwards.
 * @param commits whose stars these are, from the top
 * @returns of each commit the parents, from left to right
 */
export function parentsDrawn(rows: readonly string[], commits: readonly string[]): string[][] {
  const found = new Map<string, Map<string, string>>(commits.map((commit) => [commit, new Map()]));
  const names = commits[Symbol.iterator]();
  let places: Place[] = [];
  for (const row of rows) {
    const star = row.indexOf('*');
    const commit = star < 0 ? '' : (names.next().value ?? '');
    const reached: Place[] = [];
    for (const place of places) {
      for (const [i, at] of onwards(place, row).entries()) {
        const way = `${place.way}${i}`;
        if (at === star) found.get(place.child)?.set(way, commit);
        else reached.push({ at, char: row[at] ?? ' ', child: place.child, way });
      }
    }
    places = star < 0 ? reached : [...reached, { at: star, char: '*', child: commit, way: '' }];
  }
  return [...found.values()].map((parents) =>
    [...parents].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name),
  );
}

/** Columns of the next row at which the line goes on. */
function onwards({ at, char }: Place, row: string): number[] {
  const has = (column: number, chars: string): number[] =>
    column >= 0 && column < row.length && chars.includes(row[column] ?? '') ? [column] : [];
  const first = (...lists: readonly number[][]): number[] => lists.find((list) => list.length > 0) ?? [];
  if (char === '*') return [...has(at - 1, '/'), ...has(at, '|*'), ...has(at + 1, '\\')];
  if (char === '|') return first(has(at, '|*'), has(at - 1, '/'), has(at + 1, '\\'));
  if (char === '/') return first(has(at - 2, '/'), has(at - 1, '|*'));
  return [...has(at, '/'), ...has(at + 1, '|*'), ...has(at + 2, '\\')];
}
