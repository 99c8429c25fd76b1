import { isInside, joinPath, nameOf, parentOf, type RepoPath, ROOT } from '../path.ts';
import { foldersOver } from './layout-tree.ts';

/** A file that tells where its folder went: where it is now, undefined if the chosen layout has nothing like it. */
export interface Sign {
  readonly path: RepoPath;
  readonly to: RepoPath | undefined;
}

/** Where the rest of a folder follows to; undefined: it stays. */
export interface FolderTarget {
  /** What lies directly in it. */
  readonly files?: RepoPath | undefined;
  /** Folders in it of whose contents the chosen layout has nothing; they keep their names. */
  readonly folders?: RepoPath | undefined;
}

/** Of the files that tell; `below`: anywhere in the folder. */
interface Tally {
  files: number;
  equal: number;
  below: number;
  equalBelow: number;
  /** Equal ones that are below the target now. */
  along: number;
  /** null: not one, but several. */
  target: RepoPath | null | undefined;
  /** The same from the folders in it, as far as they kept their names. */
  fromInner: RepoPath | null | undefined;
}

/** A folder went as a whole if at least this much of what it holds did; else its rest stays. */
const MOSTLY = 0.5;

/**
 * Where folders went. A folder went to another one if all equal files directly in it did, and they are at least half of
 * it; one without files of its own, if all folders in it that tell went there under their names (`a/x` to `b/x` and
 * `a/y` to `b/y`: `a` to `b`). Folders of which the chosen layout has nothing follow the folder that they are in, if at
 * least half of that went there. The root goes nowhere: it is a place, not a folder that somebody put somewhere.
 */
export function folderTargets(signs: readonly Sign[]): (folder: RepoPath) => FolderTarget {
  const tallies = count(signs);
  const known = new Map<RepoPath, FolderTarget>([[ROOT, {}]]);
  const targetOf = (folder: RepoPath): FolderTarget => {
    const found = known.get(folder) ?? find(folder);
    known.set(folder, found);
    return found;
  };
  const find = (folder: RepoPath): FolderTarget => {
    const tally = tallies.get(folder);
    if (tally === undefined || tally.equalBelow === 0) {
      const { folders } = targetOf(parentOf(folder));
      if (folders === undefined || isInside(folder, folders)) return {};
      const target = joinPath(folders, nameOf(folder));
      return { files: target, folders: target };
    }
    const target = tally.target ?? undefined;
    const mostly = tally.along >= tally.below * MOSTLY;
    const files = tally.equal === 0 ? mostly : tally.equal >= tally.files * MOSTLY;
    return { files: files ? target : undefined, folders: mostly ? target : undefined };
  };
  return targetOf;
}

function count(signs: readonly Sign[]): Map<RepoPath, Tally> {
  const tallies = new Map<RepoPath, Tally>();
  const groups = groupSigns(signs);
  for (const { from, to, files } of groups) {
    for (const folder of upwards(from)) {
      const tally = tallyOf(tallies, folder);
      tally.below += files;
      if (to !== undefined) tally.equalBelow += files;
      if (folder !== from) continue;
      tally.files += files;
      if (to === undefined) continue;
      tally.equal += files;
      tally.target = agree(tally.target, to);
    }
  }
  const deepestFirst = [...tallies].sort(([a], [b]) => b.length - a.length);
  for (const [folder, tally] of deepestFirst) {
    if (tally.equal === 0) tally.target = tally.fromInner;
    if (tally.equalBelow === 0 || parentOf(folder) === ROOT) continue;
    const outer = tallyOf(tallies, parentOf(folder));
    outer.fromInner = agree(outer.fromInner, outerTarget(folder, tally.target));
  }
  for (const { from, to, files } of groups) {
    if (to === undefined) continue;
    for (const folder of upwards(from)) {
      const tally = tallyOf(tallies, folder);
      if (typeof tally.target === 'string' && isInside(to, tally.target)) tally.along += files;
    }
  }
  return tallies;
}

/** Files of one folder that are in one folder now. */
interface Group {
  readonly from: RepoPath;
  readonly to: RepoPath | undefined;
  files: number;
}

function groupSigns(signs: readonly Sign[]): Group[] {
  const groups = new Map<RepoPath, Map<RepoPath | undefined, Group>>();
  for (const { path, to } of signs) {
    const from = parentOf(path);
    const folder = to === undefined ? undefined : parentOf(to);
    const ofFolder = groups.get(from) ?? new Map<RepoPath | undefined, Group>();
    const group = ofFolder.get(folder);
    if (group === undefined) ofFolder.set(folder, { from, to: folder, files: 1 });
    else group.files++;
    groups.set(from, ofFolder);
  }
  return [...groups.values()].flatMap((ofFolder) => [...ofFolder.values()]);
}

/** A folder and those above it, but the root. */
function* upwards(folder: RepoPath): Generator<RepoPath> {
  if (folder !== ROOT) yield folder;
  yield* foldersOver(folder);
}

function tallyOf(tallies: Map<RepoPath, Tally>, folder: RepoPath): Tally {
  const known = tallies.get(folder);
  if (known !== undefined) return known;
  const fresh = { files: 0, equal: 0, below: 0, equalBelow: 0, along: 0 };
  const tally: Tally = { ...fresh, target: undefined, fromInner: undefined };
  tallies.set(folder, tally);
  return tally;
}

function agree(known: RepoPath | null | undefined, next: RepoPath | null): RepoPath | null {
  return known === undefined || known === next ? next : null;
}

/** Where the folder above went, if one in it went to `target`. */
function outerTarget(folder: RepoPath, target: RepoPath | null | undefined): RepoPath | null {
  if (typeof target !== 'string' || target === ROOT || nameOf(target) !== nameOf(folder)) return null;
  return parentOf(target);
}
