import fs from 'node:fs';
import {
  BkError,
  type ContentHash,
  decodePath,
  type EntryType,
  type FsName,
  type FsPath,
  type Live,
  type RepoPath,
} from '@bk/core';
import { hashBytes, hashDescriptor, TreeFs } from '@bk/worktree';

/** What is at a path of a folder now, looked at through its held parents: a symlink on the way leads nowhere. */
export class LiveTree {
  readonly #tree: TreeFs;

  constructor(root: string) {
    this.#tree = new TreeFs(root);
  }

  /** Undefined: nothing, or its folder is none. */
  stat(path: RepoPath): fs.BigIntStats | undefined {
    if (path === '') return fs.lstatSync(this.#tree.root, { bigint: true });
    return this.#at(path, (folder, name) => this.#tree.look(folder, name));
  }

  type(path: RepoPath): EntryType | 'other' | undefined {
    const stat = this.stat(path);
    return stat === undefined ? undefined : typeOfStat(stat);
  }

  /** The hash of what the file or symlink holds now; undefined if it cannot be read, or is neither. */
  content(path: RepoPath): ContentHash | undefined {
    return this.#at(path, (folder, name) => {
      const stat = this.#tree.look(folder, name);
      if (stat?.isSymbolicLink()) return hashBytes(Buffer.from(this.#tree.readLink(folder, name), 'latin1'));
      if (!stat?.isFile()) return undefined;
      const fd = this.#tree.openFile(folder, name);
      try {
        return hashDescriptor(fd, Number(stat.size)).hash;
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  /** Undefined: there is no file that can be read. */
  withFile<T>(path: RepoPath, read: (fd: number, size: number) => T): T | undefined {
    return this.#at(path, (folder, name) => {
      const stat = this.#tree.look(folder, name);
      if (!stat?.isFile()) return undefined;
      const fd = this.#tree.openFile(folder, name);
      try {
        return read(fd, Number(stat.size));
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  /** For core: the content only of what has one of the sizes that matter. */
  live(path: RepoPath, sizes: ReadonlySet<number>): Live | undefined {
    const stat = this.stat(path);
    if (stat === undefined) return undefined;
    const type = typeOfStat(stat);
    // A socket or device is in the way like a file, and equal to none.
    if (type === 'other') return { type: 'file' };
    const blake3 = type === 'dir' || !sizes.has(Number(stat.size)) ? undefined : this.content(path);
    return blake3 === undefined ? { type } : { type, blake3 };
  }

  close(): void {
    this.#tree.close();
  }

  #at<T>(path: RepoPath, work: (folder: ReturnType<TreeFs['openFolder']>, name: FsName) => T): T | undefined {
    const whole = decodePath(path);
    const slash = whole.lastIndexOf('/');
    try {
      const folder = this.#tree.openFolder((slash < 0 ? '' : whole.slice(0, slash)) as FsPath);
      return work(folder, whole.slice(slash + 1) as FsName);
    } catch (error) {
      // Another repository's folder: what is in it is not ours to see; writing there fails by itself.
      if (error instanceof BkError && error.code === 'refused') return undefined;
      if (ABSENT.has(String((error as NodeJS.ErrnoException).code))) return undefined;
      throw error;
    }
  }
}

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENAMETOOLONG']);

export function typeOfStat(stat: fs.BigIntStats): EntryType | 'other' {
  return stat.isFile() ? 'file' : stat.isSymbolicLink() ? 'symlink' : stat.isDirectory() ? 'dir' : 'other';
}
