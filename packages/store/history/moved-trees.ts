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
  const sides = [new Side(reader), new Side(reader)] as const;
  parted(reader, before, after, (side, path, { kind, id }) => {
    if (kind === 'tree') sides[side].add(path, id, undefined);
    else sides[side].records.push({ path, id });
  });
  matchFolders(sides);
  const [gone, came] = sides.map((side) => side.left()) as [TreeFile[], TreeFile[]];
  const shared = new Set(gone.map(({ id }) => id));
  const moved = new Set(came.flatMap(({ id }) => (shared.has(id) ? [id] : [])));
  const result = (side: Side, records: readonly TreeFile[]): OneSided => ({
    records: records.filter(({ id }) => !moved.has(id)),
    folders: side.folders,
  });
  return { gone: result(sides[0], gone), came: result(sides[1], came) };
}

/** Entries that differ, down to what only one side has at its path. */
function parted(
  reader: Trees,
  before: GitId | undefined,
  after: GitId | undefined,
  tell: (side: 0 | 1, path: RepoPath, entry: TreeEntry) => void,
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
      if (other?.id === entry.id) continue;
      const at = joinPath(path, entry.name);
      if (other?.kind === 'tree' && entry.kind === 'tree')
        pairs.push({ path: at, before: entry.id, after: other.id });
      else {
        tell(0, at, entry);
        if (other !== undefined) tell(1, at, other);
      }
    }
    for (const entry of now.values()) tell(1, joinPath(path, entry.name), entry);
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
