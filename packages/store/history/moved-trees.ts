import { type GitId, joinPath, type RepoPath, ROOT } from '@bk/core';
import type { HistoryReader } from './reader.ts';
import type { TreeEntry } from './tree-object.ts';
import type { TreeFile } from './tree-walk.ts';

type Trees = Pick<HistoryReader, 'readTree'>;

/** What only one of two trees has. */
export interface OneSided {
  /** Records, with their paths; none that the other side has too, whatever its path there. */
  readonly records: readonly TreeFile[];
  /** Folders that were read, and those that the other side has in another place. */
  readonly folders: readonly GitId[];
}

interface Folder {
  readonly path: RepoPath;
  readonly id: GitId;
  readonly parent: Folder | undefined;
  /** The other side has the very same folder in another place. */
  moved: boolean;
}

/**
 * Records that only one of two trees has (undefined: nothing there). A folder that both have is not read, be it in
 * another place: so the cost follows what changed, also where very much was moved.
 */
export function recordsOfOne(
  reader: Trees,
  before: GitId | undefined,
  after: GitId | undefined,
): { readonly gone: OneSided; readonly came: OneSided } {
  const sides = sidesOf(reader, before, after, () => {});
  const [gone, came] = sides.map((side) => side.left()) as [TreeFile[], TreeFile[]];
  const shared = new Set(gone.map(({ id }) => id));
  const moved = new Set(came.flatMap(({ id }) => (shared.has(id) ? [id] : [])));
  const result = (side: Side, records: readonly TreeFile[]): OneSided => ({
    records: records.filter(({ id }) => !moved.has(id)),
    folders: side.folders,
  });
  return { gone: result(sides[0], gone), came: result(sides[1], came) };
}

export interface MovedFolder {
  readonly from: RepoPath;
  readonly to: RepoPath;
  readonly id: GitId;
}

/** Folders that went as a whole, without those inside of others, as far as each is there only once. */
export function movedFolders(reader: Trees, before: GitId, after: GitId): MovedFolder[] {
  const [gone, came] = sidesOf(reader, before, after, () => {});
  const places = came.movedFolders();
  return [...gone.movedFolders()].flatMap(([id, from]) => {
    const to = places.get(id);
    return from === undefined || to === undefined ? [] : [{ from, to, id }];
  });
}

/**
 * Tells names of objects of one tree, so that whoever has all that it needs can tell what is new in another: what both
 * have, wherever. Of folders that both have, only their own names.
 */
export function namesKnown(reader: Trees, before: GitId, after: GitId, tell: (id: GitId) => void): void {
  const [gone] = sidesOf(reader, before, after, tell);
  for (const id of gone.folders) tell(id);
  for (const { id } of gone.left()) tell(id);
}

function sidesOf(
  reader: Trees,
  before: GitId | undefined,
  after: GitId | undefined,
  same: (id: GitId) => void,
): readonly [Side, Side] {
  const sides = [new Side(reader), new Side(reader)] as const;
  const differs = (side: 0 | 1, path: RepoPath, { kind, id }: TreeEntry): void => {
    if (kind === 'tree') sides[side].add(path, id, undefined);
    else sides[side].records.push({ path, id });
  };
  parted(reader, [before, after], { differs, same });
  matchFolders(sides);
  return sides;
}

interface Tell {
  readonly differs: (side: 0 | 1, path: RepoPath, entry: TreeEntry) => void;
  readonly same: (id: GitId) => void;
}

/** Entries that differ, down to what only one side has at its path, and those that are the same. */
function parted(
  reader: Trees,
  [before, after]: readonly [GitId | undefined, GitId | undefined],
  { differs, same }: Tell,
): void {
  const pairs = [{ path: ROOT, before, after }];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const { path } = pair;
    if (pair.before === pair.after) continue;
    const old = pair.before === undefined ? [] : reader.readTree(pair.before);
    const now = new Map(
      (pair.after === undefined ? [] : reader.readTree(pair.after)).map((entry) => [entry.name, entry]),
    );
    for (const entry of old) {
      const other = now.get(entry.name);
      now.delete(entry.name);
      if (other?.id === entry.id) {
        same(entry.id);
        continue;
      }
      const at = joinPath(path, entry.name);
      if (other?.kind === 'tree' && entry.kind === 'tree')
        pairs.push({ path: at, before: entry.id, after: other.id });
      else {
        differs(0, at, entry);
        if (other !== undefined) differs(1, at, other);
      }
    }
    for (const entry of now.values()) differs(1, joinPath(path, entry.name), entry);
  }
}

/** Reads folders of both sides in turn until all that is left is read: so a moved one is met before it is gone through. */
function matchFolders([gone, came]: readonly [Side, Side]): void {
  for (;;) {
    const [first, second] = gone.read <= came.read ? [gone, came] : [came, gone];
    if (!first.readNext(second) && !second.readNext(first)) return;
  }
}

/** Folders that only one side has at their paths. */
class Side {
  read = 0;
  readonly folders: GitId[] = [];
  readonly records: TreeFile[] = [];
  readonly #reader: Trees;
  readonly #known = new Map<GitId, Folder[]>();
  readonly #waiting: Folder[] = [];
  readonly #found: { readonly path: RepoPath; readonly id: GitId; readonly parent: Folder }[] = [];

  constructor(reader: Trees) {
    this.#reader = reader;
  }

  add(path: RepoPath, id: GitId, parent: Folder | undefined): void {
    const folder: Folder = { path, id, parent, moved: false };
    this.#waiting.push(folder);
    this.folders.push(id);
    const others = this.#known.get(id);
    if (others === undefined) this.#known.set(id, [folder]);
    else others.push(folder);
  }

  /** Whether it was read already or not. */
  has(id: GitId): boolean {
    return this.#known.has(id);
  }

  markMoved(id: GitId): void {
    for (const folder of this.#known.get(id) ?? []) folder.moved = true;
  }

  /** Nearest to the root first. @returns false: there is none */
  readNext(other: Side): boolean {
    for (let folder = this.#next(); folder !== undefined; folder = this.#next()) {
      if (isMoved(folder)) continue;
      if (other.has(folder.id)) {
        this.markMoved(folder.id);
        other.markMoved(folder.id);
        continue;
      }
      this.read++;
      for (const { name, kind, id } of this.#reader.readTree(folder.id)) {
        const path = joinPath(folder.path, name);
        if (kind === 'tree') this.add(path, id, folder);
        else this.#found.push({ path, id, parent: folder });
      }
      return true;
    }
    return false;
  }

  #at = 0;

  #next(): Folder | undefined {
    return this.#waiting[this.#at++];
  }

  /** Paths of the outermost ones; undefined: the same folder is at several. */
  movedFolders(): Map<GitId, RepoPath | undefined> {
    const found = new Map<GitId, RepoPath | undefined>();
    for (const folders of this.#known.values())
      for (const { id, path, parent, moved } of folders)
        if (moved && (parent === undefined || !isMoved(parent)))
          found.set(id, folders.length > 1 ? undefined : path);
    return found;
  }

  /** Records that are in no moved folder. */
  left(): TreeFile[] {
    const inside = this.#found.filter(({ parent }) => !isMoved(parent));
    return [...this.records, ...inside.map(({ path, id }) => ({ path, id }))];
  }
}

function isMoved(folder: Folder): boolean {
  for (let at: Folder | undefined = folder; at !== undefined; at = at.parent) if (at.moved) return true;
  return false;
}
