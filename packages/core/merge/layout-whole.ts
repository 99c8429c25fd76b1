import type { RecordAt } from '../compare.ts';
import type { ContentHash } from '../ids.ts';
import { comparePaths, nameOf, parentOf, type RepoPath, ROOT } from '../path.ts';
import { isEvidence } from './folder-contents.ts';
import type { Going, LayoutTree } from './layout-tree.ts';

/** A folder of the other tree that is never split, with all that is in it and its own record. */
export interface Whole {
  readonly root: RepoPath;
  readonly entries: readonly RecordAt[];
}

/** The other tree's folders that are never split, sorted by path. */
export function wholesOf({ entries, wholeOf }: LayoutTree): Whole[] {
  const wholes = new Map<RepoPath, RecordAt[]>();
  for (const entry of entries) {
    const root = wholeOf(entry.record.type === 'dir' ? entry.path : parentOf(entry.path));
    if (root === undefined) continue;
    const known = wholes.get(root);
    if (known === undefined) wholes.set(root, [entry]);
    else known.push(entry);
  }
  return [...wholes]
    .map(([root, all]) => ({ root, entries: all }))
    .sort((a, b) => comparePaths(a.root, b.root));
}

/**
 * Where the chosen layout has exactly the same folder, the whole goes there: the same path first, then one with the
 * same name, then the first. No two go to one place. By root; each list holds everything that is in it.
 */
export function wholeMoves(chosen: LayoutTree, wholes: readonly Whole[]): Map<RepoPath, Going[]> {
  const moves = new Map<RepoPath, Going[]>();
  if (wholes.length === 0) return moves;
  const twins = new TwinSearch(chosen);
  const take = (whole: Whole, target: RepoPath | undefined): void => {
    const found = target === undefined ? undefined : twins.take(whole, target);
    if (found !== undefined) moves.set(whole.root, found);
  };
  for (const whole of wholes) if (chosen.folders.has(whole.root)) take(whole, whole.root);
  for (const whole of wholes) {
    if (whole.root === ROOT) continue;
    for (const target of twins.candidates(whole)) {
      if (moves.has(whole.root)) break;
      take(whole, target);
    }
  }
  return moves;
}

class TwinSearch {
  readonly #chosen: LayoutTree;
  readonly #taken = new Set<RecordAt>();
  readonly #byContent = new Map<ContentHash, RecordAt[]>();
  /** How many files and links are below each folder. */
  readonly #sizes = new Map<RepoPath, number>();

  constructor(chosen: LayoutTree) {
    this.#chosen = chosen;
    for (const entry of chosen.entries) {
      const { path, record } = entry;
      if (record.type === 'dir') continue;
      for (let folder = path; folder !== ROOT; ) {
        folder = parentOf(folder);
        this.#sizes.set(folder, (this.#sizes.get(folder) ?? 0) + 1);
      }
      if (!isEvidence(record)) continue;
      const known = this.#byContent.get(record.blake3!);
      if (known === undefined) this.#byContent.set(record.blake3!, [entry]);
      else known.push(entry);
    }
  }

  /** Folders of the chosen tree that have the whole's rarest content at the right place; best first. */
  candidates({ root, entries }: Whole): RepoPath[] {
    let rarest: readonly RecordAt[] | undefined;
    let rest = '';
    for (const { path, record } of entries) {
      if (!isEvidence(record)) continue;
      const homes = this.#byContent.get(record.blake3!) ?? [];
      if (rarest !== undefined && rarest.length <= homes.length) continue;
      rarest = homes;
      rest = path.slice(root.length);
    }
    const sameName = (path: RepoPath): number => (nameOf(path) === nameOf(root) ? 0 : 1);
    return (rarest ?? [])
      .filter((home) => home.path.endsWith(rest) && !this.#taken.has(home))
      .map(({ path }) => path.slice(0, -rest.length) as RepoPath)
      .filter((folder) => folder !== ROOT)
      .sort((a, b) => sameName(a) - sameName(b) || comparePaths(a, b));
  }

  /** Undefined if the folder is not exactly the same, a part of what is never split itself, or taken. */
  take({ root, entries }: Whole, target: RepoPath): Going[] | undefined {
    if (this.#chosen.wholeOf(parentOf(target)) !== undefined && target !== root) return undefined;
    const going: Going[] = [];
    let files = 0;
    for (const entry of entries) {
      const rest = root === ROOT ? `/${entry.path}` : entry.path.slice(root.length);
      const to = (target === ROOT ? rest.slice(1) : `${target}${rest}`) as RepoPath;
      const twin = this.#chosen.at.get(to);
      if (entry.record.type !== 'dir') {
        if (twin === undefined || this.#taken.has(twin) || !isSame(entry, twin)) return undefined;
        files++;
      } else if (!this.#chosen.folders.has(to)) return undefined;
      going.push(twin === undefined ? { entry, to } : { entry, to, twin });
    }
    if (files === 0 || files !== this.#sizes.get(target)) return undefined;
    for (const { twin } of going) if (twin !== undefined) this.#taken.add(twin);
    return going;
  }
}

function isSame(a: RecordAt, b: RecordAt): boolean {
  return a.record.type === b.record.type && a.record.blake3 === b.record.blake3;
}
