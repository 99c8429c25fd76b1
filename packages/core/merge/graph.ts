import type { GitId } from '../ids.ts';
import { compareNames } from '../path.ts';

/** A commit's place in the graph. */
export interface GraphCommit {
  readonly parents: readonly GitId[];
  /** Committer time, s since 1970; a parent's may be later than its child's (clocks are wrong). */
  readonly timeSec: number;
}

/** Looks a commit up; asked once for each commit that is needed. */
export type CommitGraph = (id: GitId) => GraphCommit;

/**
 * All best common ancestors of two commits, as `git merge-base --all`: common ancestors that are not ancestors of
 * others. Oldest first, ties by id. Source of the method: git's commit-reach.c (paint down to common); times only
 * decide how much of the graph is read, never what is found.
 */
export function mergeBases(graph: CommitGraph, one: GitId, other: GitId): GitId[] {
  if (one === other) return [one];
  const lookup = remembered(graph);
  const candidates = new Painting(lookup).run(one, [other]).common();
  const best = candidates.filter((id) => !isRedundant(lookup, id, candidates));
  return best.sort((a, b) => lookup(a).timeSec - lookup(b).timeSec || compareNames(a, b));
}

/** Commits that lead to one commit and not to another, the newest first, ties by greater id first. */
export function commitsAlone(graph: CommitGraph, side: GitId, other: GitId): GitId[] {
  const lookup = remembered(graph);
  const common = ancestors(lookup, [other], new Set());
  const alone = ancestors(lookup, [side], common);
  return [...alone].sort((a, b) => lookup(b).timeSec - lookup(a).timeSec || compareNames(b, a));
}

function ancestors(graph: CommitGraph, start: readonly GitId[], except: ReadonlySet<GitId>): Set<GitId> {
  const found = new Set<GitId>();
  const waiting = [...start];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (found.has(id) || except.has(id)) continue;
    found.add(id);
    waiting.push(...graph(id).parents);
  }
  return found;
}

function isRedundant(graph: CommitGraph, id: GitId, candidates: readonly GitId[]): boolean {
  if (candidates.length === 1) return false;
  const others = candidates.filter((candidate) => candidate !== id);
  return new Painting(graph).run(id, others).isReachedByOthers(id);
}

function remembered(graph: CommitGraph): CommitGraph {
  const known = new Map<GitId, GraphCommit>();
  return (id) => {
    let commit = known.get(id);
    if (commit === undefined) {
      commit = graph(id);
      known.set(id, commit);
    }
    return commit;
  };
}

const ONE = 1;
const OTHER = 2;
const BOTH = ONE | OTHER;
/** An ancestor of a common ancestor. */
const STALE = 4;

interface Painted {
  readonly id: GitId;
  readonly commit: GraphCommit;
  colours: number;
  waiting: boolean;
}

/**
 * Goes back from one commit and from others at once, newest first, giving each commit the colours of those that lead to
 * it. What is not stale is painted completely, so no best common ancestor is missed, whatever the clocks said.
 */
class Painting {
  readonly #graph: CommitGraph;
  readonly #painted = new Map<GitId, Painted>();
  readonly #queue = new NewestFirst();
  /** How many in the queue are not stale: without them nothing new can be found. */
  #fresh = 0;

  constructor(graph: CommitGraph) {
    this.#graph = graph;
  }

  run(one: GitId, others: readonly GitId[]): this {
    this.#paint(one, ONE);
    for (const other of others) this.#paint(other, OTHER);
    while (this.#fresh > 0) {
      const at = this.#queue.take()!;
      at.waiting = false;
      if ((at.colours & STALE) === 0) this.#fresh--;
      const colours = (at.colours & BOTH) === BOTH ? at.colours | STALE : at.colours;
      for (const parent of at.commit.parents) this.#paint(parent, colours);
    }
    return this;
  }

  /** Common ancestors among which all best ones are. */
  common(): GitId[] {
    return [...this.#painted.values()].filter(({ colours }) => colours === BOTH).map(({ id }) => id);
  }

  isReachedByOthers(id: GitId): boolean {
    return (this.#painted.get(id)!.colours & OTHER) !== 0;
  }

  #paint(id: GitId, colours: number): void {
    const found = this.#painted.get(id) ?? { id, commit: this.#graph(id), colours: 0, waiting: false };
    this.#painted.set(id, found);
    if ((found.colours & colours) === colours) return;
    if (found.waiting && (found.colours & STALE) === 0) this.#fresh--;
    found.colours |= colours;
    if ((found.colours & STALE) === 0) this.#fresh++;
    if (found.waiting) return;
    found.waiting = true;
    this.#queue.add(found);
  }
}

/** A binary heap: the newest commit on top, ties by greater id. */
class NewestFirst {
  readonly #heap: Painted[] = [];

  add(item: Painted): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isNewer(item, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = item;
  }

  take(): Painted | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      if (below + 1 < heap.length && isNewer(heap[below + 1]!, heap[below]!)) below++;
      if (!isNewer(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return top;
  }
}

function isNewer(a: Painted, b: Painted): boolean {
  return (a.commit.timeSec - b.commit.timeSec || compareNames(a.id, b.id)) > 0;
}
