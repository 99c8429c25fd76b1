import type { RecordAt } from '../compare.ts';
import type { RepoPath } from '../path.ts';
import { foldersOver, type Going } from './layout-tree.ts';

/** What is taken in a tree that is being made. Entries are only added, so what has room once has it for good. */
export class Ground {
  readonly #files = new Set<RepoPath>();
  readonly #folders = new Set<RepoPath>();
  readonly #records = new Set<RepoPath>();

  /** Returns the paths at which there was nothing before. */
  add(path: RepoPath, isFolder: boolean): RepoPath[] {
    const fresh: RepoPath[] = [];
    if (isFolder) this.#records.add(path);
    else this.#files.add(path);
    if (isFolder && !this.#folders.has(path)) fresh.push(path);
    if (isFolder) this.#folders.add(path);
    else fresh.push(path);
    for (const folder of foldersOver(path)) {
      if (this.#folders.has(folder)) break;
      this.#folders.add(folder);
      fresh.push(folder);
    }
    return fresh;
  }

  /** For a file, or for a folder's own record. */
  hasRoom(path: RepoPath, isFolder: boolean): boolean {
    if (this.#files.has(path) || (isFolder ? this.#records : this.#folders).has(path)) return false;
    for (const folder of foldersOver(path)) if (this.#files.has(folder)) return false;
    return true;
  }

  /** Something lies in it, or it has a record. */
  hasFolder(path: RepoPath): boolean {
    return this.#folders.has(path);
  }
}

export interface Settled {
  /** The moves that have room, by what moves. */
  readonly going: ReadonlyMap<RecordAt, Going>;
  /** Everything that was to move. */
  readonly asked: ReadonlySet<RecordAt>;
  /** The tree after them, which is a valid one. */
  readonly ground: Ground;
}

/**
 * Which of several groups of moves can be made, each as a whole, so that the tree is valid: no two entries at one path,
 * no file where a folder is. All are made at once, so a path that is left is free; one whose group finds no room stays,
 * and may take the room of others. The answer is the largest such choice, whatever the order.
 * @param entries of the whole tree; `groups`: with targets that do not clash among themselves
 */
export function movesWithRoom(entries: readonly RecordAt[], groups: readonly (readonly Going[])[]): Settled {
  const ground = new Ground();
  const stay = ({ path, record }: RecordAt): RepoPath[] => ground.add(path, record.type === 'dir');
  const asked = new Set<RecordAt>();
  const staying = new Set<readonly Going[]>();
  for (const group of groups) for (const { entry } of group) asked.add(entry);
  for (const entry of entries) if (!asked.has(entry)) stay(entry);
  let waiting: ((path: RepoPath) => readonly (readonly Going[])[]) | undefined;
  const open = [...groups];
  for (let group = open.pop(); group !== undefined; group = open.pop()) {
    if (staying.has(group) || fits(group, ground)) continue;
    staying.add(group);
    waiting ??= indexByTarget(groups);
    for (const { entry } of group)
      for (const path of stay(entry)) for (const other of waiting(path)) open.push(other);
  }
  const going = new Map<RecordAt, Going>();
  for (const group of groups) {
    if (staying.has(group)) continue;
    for (const move of group) {
      going.set(move.entry, move);
      ground.add(move.to, move.entry.record.type === 'dir');
    }
  }
  return { going, asked, ground };
}

function fits(group: readonly Going[], ground: Ground): boolean {
  return group.every(({ entry, to }) => ground.hasRoom(to, entry.record.type === 'dir'));
}

/** Groups that something at a path may leave without room: those that go there, or into it. */
function indexByTarget(
  groups: readonly (readonly Going[])[],
): (path: RepoPath) => readonly (readonly Going[])[] {
  const files = new Set<RepoPath>();
  for (const group of groups)
    for (const { entry } of group) if (entry.record.type !== 'dir') files.add(entry.path);
  const index = new Map<RepoPath, (readonly Going[])[]>();
  const put = (path: RepoPath, group: readonly Going[]): void => {
    const known = index.get(path);
    if (known === undefined) index.set(path, [group]);
    else if (known.at(-1) !== group) known.push(group);
  };
  for (const group of groups) {
    for (const { to } of group) {
      put(to, group);
      for (const folder of foldersOver(to)) if (files.has(folder)) put(folder, group);
    }
  }
  return (path) => index.get(path) ?? [];
}
