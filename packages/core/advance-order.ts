import { BkError } from './error.ts';
import { parentOf, type RepoPath, ROOT } from './path.ts';

/**
 * Something that changes which names there are. `from` is left (a path of the tree before), `to` is taken (a path of
 * the tree after); a move has both, a folder that is removed only the first, one that is made only the second.
 */
export interface NameChange {
  readonly from?: RepoPath;
  readonly to?: RepoPath;
  readonly what: 'file' | 'folder';
}

/** `go`: at once; `park` and `unpark`: by way of staging, because others wait for the name. */
export interface Ordered<T extends NameChange> {
  readonly change: T;
  readonly how: 'go' | 'park' | 'unpark';
}

/** Leaving is half 2i, taking is half 2i + 1. */
interface Halves {
  readonly waits: Int32Array;
  readonly frees: readonly number[][];
}

/**
 * An order in which every change finds its path as it names it: what is in a folder leaves before the folder does, a
 * name is left before it is taken, a folder is there before what comes into it. Leaving alone and taking alone never
 * wait in a circle, so every circle is broken by parking one move (files first).
 */
export function orderChanges<T extends NameChange>(changes: readonly T[]): Ordered<T>[] {
  return new Ordering(changes).run();
}

class Ordering<T extends NameChange> {
  readonly #changes: readonly T[];
  readonly #halves: Halves;
  readonly #done: Uint8Array;
  readonly #ordered: Ordered<T>[] = [];
  readonly #ready: number[] = [];
  readonly #parkable: { readonly file: number[]; readonly folder: number[] } = { file: [], folder: [] };

  constructor(changes: readonly T[]) {
    this.#changes = changes;
    this.#halves = halvesOf(changes);
    this.#done = new Uint8Array(changes.length * 2);
  }

  run(): Ordered<T>[] {
    for (const i of this.#changes.keys()) this.#look(i);
    let next = 0;
    for (let parkable = true; parkable; ) {
      for (; next < this.#ready.length; next++) this.#go(this.#ready[next]!);
      parkable = this.#parkOne();
    }
    if (this.#done.some((done) => done === 0))
      throw new BkError('bug', 'the plan has no order', { hint: 'nothing was changed; please report this' });
    return this.#ordered;
  }

  /** Whether it can go now, or at least be parked. */
  #look(i: number): void {
    const left = this.#done[i * 2] === 1;
    if (this.#halves.waits[i * 2] !== 0 && !left) return;
    if (this.#halves.waits[i * 2 + 1] === 0) this.#ready.push(i);
    else if (!left && this.#changes[i]!.from !== undefined) this.#parkable[this.#changes[i]!.what].push(i);
  }

  #go(i: number): void {
    if (this.#done[i * 2 + 1] === 1) return;
    const change = this.#changes[i]!;
    const parked = this.#done[i * 2] === 1;
    this.#ordered.push({ change, how: parked ? 'unpark' : 'go' });
    if (!parked) this.#finish(i * 2);
    this.#finish(i * 2 + 1);
  }

  #parkOne(): boolean {
    for (const queue of [this.#parkable.file, this.#parkable.folder]) {
      for (let i = queue.shift(); i !== undefined; i = queue.shift()) {
        if (this.#done[i * 2] === 1) continue;
        this.#ordered.push({ change: this.#changes[i]!, how: 'park' });
        this.#finish(i * 2);
        return true;
      }
    }
    return false;
  }

  #finish(half: number): void {
    this.#done[half] = 1;
    for (const other of this.#halves.frees[half]!) {
      this.#halves.waits[other]!--;
      const i = other >> 1;
      if (this.#done[i * 2 + 1] === 0 && this.#halves.waits[other] === 0) this.#look(i);
    }
  }
}

function halvesOf(changes: readonly NameChange[]): Halves {
  const leaving = new Map<RepoPath, number>();
  const taking = new Map<RepoPath, number>();
  changes.forEach(({ from, to }, i) => {
    if (from !== undefined) leaving.set(from, i * 2);
    if (to !== undefined) taking.set(to, i * 2 + 1);
  });
  const waits = new Int32Array(changes.length * 2);
  const frees: number[][] = Array.from({ length: changes.length * 2 }, () => []);
  const after = (later: number | undefined, earlier: number | undefined): void => {
    if (later === undefined || earlier === undefined || later >> 1 === earlier >> 1) return;
    waits[later]!++;
    frees[earlier]!.push(later);
  };
  changes.forEach(({ from, to }, i) => {
    if (from !== undefined) after(nearestAbove(from, leaving), i * 2);
    if (to !== undefined) {
      after(i * 2 + 1, nearestAbove(to, taking));
      after(i * 2 + 1, leaving.get(to));
    }
  });
  return { waits, frees };
}

function nearestAbove(path: RepoPath, halves: ReadonlyMap<RepoPath, number>): number | undefined {
  for (let folder = parentOf(path); folder !== ROOT; folder = parentOf(folder)) {
    const half = halves.get(folder);
    if (half !== undefined) return half;
  }
  return undefined;
}
