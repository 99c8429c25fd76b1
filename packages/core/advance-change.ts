import type { ContentHash, ObjectId } from './ids.ts';
import type { RepoPath } from './path.ts';
import type { EntryExpectation, PlacedContent } from './plan.ts';

/** A file or symlink of a tree, as its record says. */
export interface FileAt {
  readonly path: RepoPath;
  readonly id: ObjectId;
  readonly type: 'file' | 'symlink';
  readonly blake3: ContentHash;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly mode: number;
  /** Of a symlink, its bytes encoded like a name. */
  readonly target?: string;
  /** Objects that became part of this one. */
  readonly was?: readonly ObjectId[];
}

/** A folder that differs between two trees, or is in one of them only. */
export interface FolderAt {
  readonly path: RepoPath;
  readonly mode: number;
  /** Of its own record, if it has one. */
  readonly id?: ObjectId;
  /** Something in it is the same in both trees and was left out of the lists. */
  readonly stays: boolean;
}

/** A folder with exactly the same tree in another place: all of it is here, and nothing in it changes. */
export interface WholeMove {
  readonly from: RepoPath;
  readonly to: RepoPath;
  readonly files: number;
}

/** What has to become of one tree to make another of it; what is equal in both is left out. */
export interface TreeChange {
  readonly before: { readonly files: readonly FileAt[]; readonly folders: readonly FolderAt[] };
  readonly after: { readonly files: readonly FileAt[]; readonly folders: readonly FolderAt[] };
  readonly moved: readonly WholeMove[];
}

/** What the plan has to know of this disk; paths are those of the tree before, but of `wants`. */
export interface DiskFacts {
  /** False: absent here by design. */
  readonly isHere: (path: RepoPath, isFolder: boolean) => boolean;
  /** Of the tree after: the subset has it. */
  readonly wants: (path: RepoPath, isFolder: boolean) => boolean;
  /** The subset had it in the tree before. */
  readonly wanted: (path: RepoPath, isFolder: boolean) => boolean;
  /** The folder, or one in it, holds what is not of the tree: ignored files, other repositories. */
  readonly holdsMore: (folder: RepoPath) => boolean;
  readonly expect: (path: RepoPath) => EntryExpectation;
  /** Undefined: it cannot be had. */
  readonly contentOf: (file: FileAt) => PlacedContent | undefined;
}

/** An object of the tree after, with where it was before. */
export interface Arrival {
  readonly after: FileAt;
  readonly before?: FileAt;
  /** `before` is on this disk. */
  readonly wasHere: boolean;
  /** It is to be on this disk. */
  readonly here: boolean;
  /** Its bytes are those of `before`, which is here. */
  readonly same: boolean;
}

/** Files of one object with the same bytes; the rest of their metadata may differ. */
export function sameBytes(a: FileAt, b: FileAt): boolean {
  return a.type === b.type && a.blake3 === b.blake3 && a.size === b.size;
}

/**
 * What becomes of every file of the tree after. It is to be here if it is wanted, or its object was here before (what
 * leaves the subset stays until it is dropped). What was let go of though it was wanted stays away, until it moves in.
 */
export function arrivalsOf(
  change: TreeChange,
  ground: Pick<DiskFacts, 'isHere' | 'wants' | 'wanted'>,
): Arrival[] {
  const origins = originsOf(change);
  return change.after.files.map((after): Arrival => {
    const before = origins.get(after);
    if (before === undefined)
      return { after, wasHere: false, here: ground.wants(after.path, false), same: false };
    if (ground.isHere(before.path, false))
      return { after, before, wasHere: true, here: true, same: sameBytes(before, after) };
    const here = ground.wants(after.path, false) && !ground.wanted(before.path, false);
    return { after, before, wasHere: false, here, same: false };
  });
}

/** Where files were before: by their ids, then by those of objects that became part of them. None comes from two, or to two. */
function originsOf({ before, after }: TreeChange): Map<FileAt, FileAt> {
  const known = new Map<ObjectId, FileAt>();
  for (const file of before.files) if (!known.has(file.id)) known.set(file.id, file);
  const origins = new Map<FileAt, FileAt>();
  const claim = (file: FileAt, id: ObjectId): void => {
    const origin = origins.has(file) ? undefined : known.get(id);
    if (origin === undefined) return;
    known.delete(id);
    origins.set(file, origin);
  };
  for (const file of after.files) claim(file, file.id);
  for (const file of after.files) {
    if (file.was === undefined || origins.has(file)) continue;
    const here = file.was.find((id) => known.get(id)?.path === file.path);
    if (here !== undefined) claim(file, here);
    for (const id of file.was) claim(file, id);
  }
  return origins;
}
