/** What stands before the lines of a commit. */
export interface GraphEdge {
  /** Before its first line. */
  readonly own: string;
  /** Before the lines that follow, one each, while lanes change places; drawn also if the commit has no more lines. */
  readonly turns: readonly string[];
  /** Before all further lines. */
  readonly below: string;
}

interface Node {
  readonly commit: string;
  readonly parents: readonly string[];
}

/**
 * Draws lanes beside commits, which come children first: `*` is the commit, `|` a line that passes it by. As in git each
 * lane leads to the next commit of which something drawn above is a child: the first parent goes on in the lane of the
 * commit, others open lanes at its right, and lanes that lead to the same commit become the leftmost of them. To a parent
 * that is not among the commits no line is drawn.
 */
export function graph(commits: readonly Node[]): GraphEdge[] {
  const drawn = new Set(commits.map(({ commit }) => commit));
  let lanes: string[] = [];
  return commits.map(({ commit, parents }) => {
    if (!lanes.includes(commit)) lanes.push(commit);
    const at = lanes.indexOf(commit);
    const own = row(lanes.map((_, i) => [2 * i, i === at ? '*' : '|']));
    const known = [...new Set(parents)].filter((parent) => drawn.has(parent));
    const spread = [...lanes.slice(0, at), ...known, ...lanes.slice(at + 1)];
    const turns = [...spreadRows(lanes.length, at, known.length), ...gatherRows(spread, at, known.length)];
    lanes = [...new Set(spread)];
    const below = row(lanes.map((_, i) => [2 * i, '|']));
    const width = Math.max(...[own, below, ...turns].map(({ length }) => length)) + 1;
    const padded = (text: string) => text.padEnd(width);
    return { own: padded(own), turns: turns.map(padded), below: padded(below) };
  });
}

type Mark = readonly [column: number, char: string];

function row(marks: readonly Mark[]): string {
  const chars: string[] = [];
  for (const [column, char] of marks) chars[column] = char;
  return Array.from(chars, (char = ' ') => char).join('');
}

/** Room for further parents: one lane a row opens at the right of the commit, and what is there goes on to the right. */
function spreadRows(lanes: number, at: number, parents: number): string[] {
  return Array.from({ length: Math.max(0, parents - 1) }, (_, step) => {
    const marks: Mark[] = [];
    for (let lane = 0; lane <= at + step; lane++) marks.push([2 * lane, '|']);
    for (let lane = at; lane < lanes; lane++) marks.push([2 * (lane + step) + 1, '\\']);
    return row(marks);
  });
}

/** Every lane goes to the left, one place a row, until it is where it belongs; it passes before those that are there. */
function gatherRows(spread: readonly string[], at: number, parents: number): string[] {
  const targets = [...new Set(spread)];
  // A commit without parents leaves a gap.
  const gap = parents === 0 ? 1 : 0;
  const moves = spread.map((commit, i) => ({ from: i + (i >= at ? gap : 0), to: targets.indexOf(commit) }));
  const rows = Math.max(0, ...moves.map(({ from, to }) => from - to));
  return Array.from({ length: rows }, (_, step) =>
    row(moves.map(({ from, to }): Mark => (from - step > to ? [2 * (from - step) - 1, '/'] : [2 * to, '|']))),
  );
}

/** The same commits, in the same order but for those that stand before a child of theirs: a clock was wrong. */
export function childrenFirst<N extends Node>(commits: readonly N[]): N[] {
  const children = new Map(commits.map(({ commit }) => [commit, 0]));
  const nodes = new Map(commits.map((node) => [node.commit, node]));
  const count = (parent: string, by: number): number => {
    const left = (children.get(parent) ?? 0) + by;
    children.set(parent, left);
    return left;
  };
  for (const { parents } of commits) for (const parent of parents) count(parent, 1);
  const waiting = new Set<N>();
  const ordered: N[] = [];
  for (const node of commits) {
    waiting.add(node);
    const ready = count(node.commit, 0) === 0 ? [node] : [];
    for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
      waiting.delete(next);
      ordered.push(next);
      for (const parent of next.parents) {
        const older = nodes.get(parent);
        if (count(parent, -1) === 0 && older !== undefined && waiting.has(older)) ready.push(older);
      }
    }
  }
  return ordered;
}
