import type { RecordAt } from '../compare.ts';
import { foldersAbove } from '../folder-change.ts';
import type { ContentHash } from '../ids.ts';
import { isInside, parentOf, type RepoPath } from '../path.ts';
import type { Settled } from './layout-room.ts';
import { foldersOver, type LayoutTree } from './layout-tree.ts';
import type { Whole } from './layout-whole.ts';

/** Where the moves of equal contents stand. */
export interface Situation {
  readonly chosen: LayoutTree;
  readonly other: LayoutTree;
  readonly settled: Settled;
  /** Contents of files that could be twins. */
  readonly known: ReadonlySet<ContentHash | undefined>;
  /** Folders of the other tree that are never split and have no twin. */
  readonly wholes: readonly Whole[];
}

/**
 * Nothing that follows its folder may come upon anything in either tree, make a name that differs from another one only
 * by case, or go into a folder that is never split.
 */
export class RoomForRest {
  readonly #of: Situation;
  readonly #wholes = new Set<RepoPath>();
  readonly #names: Spellings;

  constructor(of: Situation) {
    this.#of = of;
    this.#names = new Spellings(of);
  }

  /** Whether there is room for a file, link or empty folder; if so it is taken, as by takeWhole. */
  take({ path, record }: RecordAt, to: RepoPath): boolean {
    const { chosen, settled } = this.#of;
    const isFolder = record.type === 'dir';
    const twin = chosen.at.get(to);
    if (!settled.ground.hasRoom(to, isFolder) || settled.ground.hasFolder(to)) return false;
    if (this.#isInWhole(isFolder ? to : parentOf(to)) || !this.#isReachable(to)) return false;
    if (chosen.folders.has(to) && !isFolder) return false;
    if (twin !== undefined && (twin.record.type !== record.type || twin.record.blake3 !== record.blake3))
      return false;
    return this.#names.take(path, to);
  }

  takeWhole(root: RepoPath, to: RepoPath): boolean {
    const { chosen, settled } = this.#of;
    if (!settled.ground.hasRoom(to, false) || chosen.at.has(to) || chosen.folders.has(to)) return false;
    if (this.#isInWhole(to) || !this.#isReachable(to) || !this.#names.take(root, to)) return false;
    this.#wholes.add(to);
    return true;
  }

  #isInWhole(folder: RepoPath): boolean {
    const { chosen, other } = this.#of;
    if (chosen.wholeOf(folder) !== undefined || other.wholeOf(folder) !== undefined) return true;
    if (this.#wholes.has(folder)) return true;
    for (const above of foldersOver(folder)) if (this.#wholes.has(above)) return true;
    return false;
  }

  /** No file of the chosen tree is where a folder on the way would be. */
  #isReachable(to: RepoPath): boolean {
    const { at, folders } = this.#of.chosen;
    for (const folder of foldersOver(to)) if (at.has(folder) && !folders.has(folder)) return false;
    return true;
  }
}

/** The paths of both trees as file systems without letter case see them; made when first asked. */
class Spellings {
  readonly #of: Situation;
  #chosen: Map<string, RepoPath> | undefined;
  #other: Map<string, RepoPath> | undefined;

  constructor(of: Situation) {
    this.#of = of;
  }

  /** False if the path or a folder above it would be another spelling of one that is there. */
  take(from: RepoPath, to: RepoPath): boolean {
    const { chosen, settled } = this.#of;
    this.#chosen ??= foldAll(chosen.at.keys());
    this.#other ??= foldAll(this.#afterMoves());
    const fresh = [to];
    for (const folder of foldersOver(to)) {
      if (chosen.folders.has(folder) || settled.ground.hasFolder(folder)) break;
      fresh.push(folder);
    }
    if (fresh.some((path) => this.#isOtherSpelling(path, from))) return false;
    for (const path of fresh) this.#other.set(fold(path), path);
    return true;
  }

  /** What is spelled so in the other tree may be the entry itself or a folder that it leaves. */
  #isOtherSpelling(path: RepoPath, from: RepoPath): boolean {
    const kept = this.#chosen?.get(fold(path)) ?? path;
    const known = this.#other?.get(fold(path)) ?? path;
    return kept !== path || (known !== path && !isInside(from, known));
  }

  #afterMoves(): RepoPath[] {
    const { other, settled } = this.#of;
    return other.entries.map((entry) => settled.going.get(entry)?.to ?? entry.path);
  }
}

function foldAll(paths: Iterable<RepoPath>): Map<string, RepoPath> {
  const all = [...paths];
  const folded = new Map<string, RepoPath>();
  for (const path of foldersAbove(all)) folded.set(fold(path), path);
  for (const path of all) folded.set(fold(path), path);
  return folded;
}

/** Equal for names that file systems without letter case take for one. */
function fold(path: RepoPath): string {
  return path.normalize('NFC').toLowerCase();
}
