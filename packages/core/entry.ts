import type { ContentHash, GitId, ObjectId } from './ids.ts';
import type { RepoPath } from './path.ts';

export type EntryType = 'file' | 'symlink' | 'dir';

/** What identifies a file on its volume, apart from its name: never a device number (it changes when a disk is re-plugged). */
export interface Inode {
  /** 0n: unknown, or the file system has no stable ones. */
  readonly inode: bigint;
  readonly birthNs: bigint;
}

/** An object as the last commit knows it, with the place on this disk where the index last saw it. */
export interface TrackedEntry extends Inode {
  readonly path: RepoPath;
  readonly type: EntryType;
  readonly id: ObjectId;
  /** Absent for directories. */
  readonly blake3?: ContentHash;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly mode: number;
  /** The blob that holds its record. */
  readonly record: GitId;
  /** It may have been written to just after its content was read, and its stat does not tell: no proof of the content. */
  readonly racy?: boolean;
  /** By design it is not on this disk: nothing that is seen there can show that it was moved or deleted. */
  readonly absent?: boolean;
}

/** An entry as a scan found it now; its content is known only if the index vouched for it or it was hashed. */
export interface SeenEntry extends Inode {
  readonly path: RepoPath;
  readonly type: EntryType;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly mode: number;
  readonly links: number;
  readonly blake3?: ContentHash;
  /** Of media that were read: the hash of the pixels or the sound without the tags. */
  readonly payload?: ContentHash;
  /** Of a symlink, its bytes encoded like a name. */
  readonly target?: string;
}
