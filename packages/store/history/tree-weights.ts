import { BkError, type GitId } from '@bk/core';
import type { PackLimits, PackRows } from './pack-scan.ts';
import type { HistoryReader } from './reader.ts';

interface Weighed {
  readonly rows: PackRows;
  readonly outside: HistoryReader;
  readonly inside: HistoryReader;
  readonly limits: PackLimits;
}

type Entries = readonly { readonly kind: 'tree' | 'blob'; readonly id: GitId }[];

interface Noted {
  readonly folders: readonly GitId[];
  readonly files: number;
}

function notedOf(entries: Entries): Noted {
  const folders = entries.filter(({ kind }) => kind === 'tree').map((entry) => entry.id);
  return { folders, files: entries.length - folders.length };
}

interface Weight {
  /** Entries below, each way to reach one counted. */
  readonly paths: number;
  /** Folders inside one another, this one counted. */
  readonly height: number;
  /** Ways from here into trees that were here before. */
  readonly ways: number;
}

/** Looks at more edges than this are not worth it: then the old trees are weighed too. */
const MOST_LOOKS = 5_000_000;

/**
 * How many paths a tree stands for: a few small trees that name one another can stand for 2^40 (RELIABILITY S15). Old
 * trees are not read unless a new one names one of them more than once, which no honest folder does.
 */
export class TreeWeights {
  readonly #context: Weighed;
  readonly #weights = new Map<GitId, Weight>();
  readonly #checked = new Set<GitId>();
  readonly #noted = new Map<GitId, Noted>();
  #exact = false;
  #looks = 0;

  constructor(context: Weighed) {
    this.#context = context;
  }

  /** Takes note of a new tree that was read anyway, so that it is not read once more. */
  note(id: GitId, entries: Entries): void {
    this.#noted.set(id, notedOf(entries));
  }

  /** @throws BkError 'damaged' if the tree of a commit is too deep or stands for too many paths */
  check(root: GitId): void {
    if (this.#checked.has(root)) return;
    this.#checked.add(root);
    let weight = this.#weigh(root);
    if (!this.#exact && weight.ways > 0 && this.#isNew(root) && this.#hasRepeatedWay(root)) {
      this.#exact = true;
      this.#weights.clear();
      weight = this.#weigh(root);
    }
    this.#refuse(weight);
  }

  #refuse({ paths, height }: Weight): void {
    const { limits } = this.#context;
    if (height > limits.folders)
      throw new BkError('damaged', `its folders lie more than ${limits.folders} deep in one another`);
    if (paths > limits.paths)
      throw new BkError('damaged', `its trees stand for more than ${limits.paths} files`);
  }

  #isNew(id: GitId): boolean {
    return this.#context.rows.find(id) >= 0;
  }

  #children(id: GitId): Entries {
    const { outside, inside } = this.#context;
    return (this.#isNew(id) ? outside : inside).readTree(id);
  }

  /** Depth first with a stack of its own; every tree once. */
  #weigh(root: GitId): Weight {
    const known = this.#weights.get(root);
    if (known !== undefined) return known;
    const stack = [this.#open(root)];
    for (let frame = stack.at(-1)!; ; frame = stack.at(-1)!) {
      const child = frame.folders[frame.next];
      if (child === undefined) {
        this.#weights.set(frame.id, this.#sum(frame));
        stack.pop();
        if (stack.length === 0) return this.#weights.get(root)!;
        continue;
      }
      if (this.#weights.has(child)) frame.next++;
      else if (!this.#exact && !this.#isNew(child)) {
        this.#weights.set(child, { paths: 1, height: 1, ways: 1 });
        frame.next++;
      } else {
        stack.push(this.#open(child));
        if (stack.length > this.#context.limits.folders)
          this.#refuse({ paths: 0, height: stack.length, ways: 0 });
      }
    }
  }

  #open(id: GitId): Noted & { readonly id: GitId; next: number } {
    if (!this.#exact && !this.#isNew(id)) return { id, folders: [], files: 1, next: 0 };
    const { folders, files } = this.#noted.get(id) ?? notedOf(this.#children(id));
    this.#noted.delete(id);
    return { id, folders, files, next: 0 };
  }

  #sum({ folders, files }: { readonly folders: readonly GitId[]; readonly files: number }): Weight {
    let paths = files;
    let height = 0;
    let ways = 0;
    for (const folder of folders) {
      const below = this.#weights.get(folder)!;
      paths += below.paths + 1;
      ways += below.ways;
      height = Math.max(height, below.height);
    }
    return { paths, ways, height: height + 1 };
  }

  /** Whether more than one way leads from a new root to the same old tree. */
  #hasRepeatedWay(root: GitId): boolean {
    const seen = new Set<GitId>([root]);
    const waiting = [root];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      for (const { kind, id: child } of this.#children(id)) {
        if (++this.#looks > MOST_LOOKS) return true;
        if (kind !== 'tree' || (this.#weights.get(child)?.ways ?? 0) === 0) continue;
        if (seen.has(child)) return true;
        seen.add(child);
        if (this.#isNew(child)) waiting.push(child);
      }
    }
    return false;
  }
}
