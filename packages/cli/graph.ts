/** What stands before the lines of a commit: `own` before its first, `below` before the others. */
export interface GraphEdge {
  readonly own: string;
  readonly below: string;
}

interface Node {
  readonly commit: string;
  readonly parents: readonly string[];
}

/** Draws lanes beside commits, which come children first: `*` is the commit, `|` a line that passes it by. */
export function graph(commits: readonly Node[]): GraphEdge[] {
  let lanes: string[] = [];
  return commits.map(({ commit, parents }) => {
    if (!lanes.includes(commit)) lanes.push(commit);
    const at = lanes.indexOf(commit);
    const own = lanes.map((_, i) => (i === at ? '* ' : '| ')).join('');
    const before = lanes.length;
    const next = [...lanes.slice(0, at), ...parents, ...lanes.slice(at + 1)];
    lanes = [...new Set(next)];
    const below = lanes.map((_, i) => (i > at && i < at + parents.length ? '\\ ' : '| ')).join('');
    const width = 2 * Math.max(before, lanes.length);
    return { own: own.padEnd(width), below: below.padEnd(width) };
  });
}
