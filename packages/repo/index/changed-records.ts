import { type GitId, joinPath, type RepoPath, ROOT } from '@bk/core';
import type { HistoryReader, TreeEntry, TreeFile } from '@bk/store';

type Trees = Pick<HistoryReader, 'readTree'>;

/** Records at paths where only one of two trees has them. */
export interface ChangedRecords {
  readonly before: readonly TreeFile[];
  readonly after: readonly TreeFile[];
}

/**
 * What differs between two trees (undefined: nothing is there), without folders that are in both at other paths: of
 * those nothing is read below what it takes to find them.
 */
export function changedRecords(
  reader: Trees,
  before: GitId | undefined,
  after: GitId | undefined,
): ChangedRecords {
  const sides = [new Side(reader), new Side(reader)] as const;
  const add = (at: 0 | 1, folder: Folder): void => {
    if (!sides[1 - at]!.match(folder.id)) sides[at].add(folder);
  };
  for (const [at, entry] of differences(reader, before, after)) {
    if (entry.kind === 'tree') add(at, { ...entry, above: undefined, moved: false });
    else sides[at].records.push({ ...entry, folder: undefined });
  }
  while (sides.some(({ unread }) => unread.length > 0))
    for (const at of [0, 1] as const) for (const folder of sides[at].read()) add(at, folder);
  return { before: sides[0].changed(), after: sides[1].changed() };
}

interface Entry extends TreeFile {
  readonly kind: TreeEntry['kind'];
}

/** A folder that is at its path in one tree only. */
interface Folder extends TreeFile {
  readonly above: Folder | undefined;
  moved: boolean;
}

class Side {
  readonly records: (TreeFile & { readonly folder: Folder | undefined })[] = [];
  unread: Folder[] = [];
  readonly #reader: Trees;
  readonly #folders = new Map<GitId, Folder[]>();

  constructor(reader: Trees) {
    this.#reader = reader;
  }

  add(folder: Folder): void {
    this.unread.push(folder);
    const same = this.#folders.get(folder.id);
    if (same === undefined) this.#folders.set(folder.id, [folder]);
    else same.push(folder);
  }

  /** Whether there is such a folder here: then it has moved, each to one other place. */
  match(id: GitId): boolean {
    const same = this.#folders.get(id);
    for (let folder = same?.pop(); folder !== undefined; folder = same?.pop()) {
      if (isMoved(folder)) continue;
      folder.moved = true;
      return true;
    }
    return false;
  }

  /** Opens the folders that were added last. @returns those in them */
  read(): Folder[] {
    const found: Folder[] = [];
    for (const folder of this.unread.splice(0)) {
      if (isMoved(folder)) continue;
      for (const { name, kind, id } of this.#reader.readTree(folder.id)) {
        const path = joinPath(folder.path, name);
        if (kind === 'tree') found.push({ path, id, above: folder, moved: false });
        else this.records.push({ path, id, folder });
      }
    }
    return found;
  }

  changed(): TreeFile[] {
    return this.records.filter(({ folder }) => !isMoved(folder));
  }
}

function isMoved(folder: Folder | undefined): boolean {
  for (let at = folder; at !== undefined; at = at.above) if (at.moved) return true;
  return false;
}

/** Entries that one of two trees has alone, or that are not folders in both and differ. */
function* differences(
  reader: Trees,
  before: GitId | undefined,
  after: GitId | undefined,
): Generator<readonly [side: 0 | 1, entry: Entry]> {
  const read = (id: GitId | undefined): readonly TreeEntry[] => (id === undefined ? [] : reader.readTree(id));
  const pairs: (readonly [RepoPath, GitId | undefined, GitId | undefined])[] = [[ROOT, before, after]];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [folder, one, other] = pair;
    if (one === other) continue;
    const others = new Map(read(other).map((entry) => [entry.name, entry]));
    for (const entry of read(one)) {
      const path = joinPath(folder, entry.name);
      const now = others.get(entry.name);
      if (now?.kind === entry.kind) others.delete(entry.name);
      if (now?.kind === entry.kind && entry.kind === 'tree') pairs.push([path, entry.id, now.id]);
      else if (now?.id !== entry.id || now.kind !== entry.kind) {
        yield [0, { ...entry, path }];
        if (now?.kind === entry.kind) yield [1, { ...now, path }];
      }
    }
    for (const entry of others.values()) yield [1, { ...entry, path: joinPath(folder, entry.name) }];
  }
}
