import fs from 'node:fs';
import path from 'node:path';
import { BkError, decodePath, encodePath, type FsPath, parentOf, type RepoPath, ROOT } from '@bk/core';
import { letGoOfCaptured, makeStaging, newTransactionId, removeStaging, SafetyNet } from '@bk/store';
import { contentOf, diskError, isDiskTrouble, split, TreeFs } from '@bk/worktree';
import type { Repository } from '../repository.ts';
import type { AsRecorded } from './check.ts';

/** Takes files out of the tree, one by one: each is captured, looked at, and goes only if it is the one that was meant. */
export class Removal {
  readonly #repo: Repository;
  readonly #tree: TreeFs;
  readonly #id = newTransactionId();
  readonly #staging: string;
  readonly #folders = new Set<RepoPath>();
  #count = 0;

  constructor(repo: Repository) {
    this.#repo = repo;
    this.#tree = new TreeFs(repo.layout.root);
    this.#staging = makeStaging(repo.layout, this.#id);
  }

  /** @returns why it stays; undefined: it is gone. @throws BkError `io`, `no-space` */
  remove(file: AsRecorded): string | undefined {
    try {
      return this.#remove(file);
    } catch (error) {
      if (isDiskTrouble(error)) throw diskError(error, file.path);
      if (error instanceof BkError) return error.message;
      const code = String((error as NodeJS.ErrnoException).code);
      if (GONE.has(code)) return undefined;
      if (code in REASONS) return REASONS[code];
      throw error;
    } finally {
      this.#folders.add(parentOf(file.path));
    }
  }

  /**
   * Removes the folders that are empty now, upwards; never one that has anything in it.
   * @param gone files that were not there any more, whose folders are looked at too
   */
  removeEmptyFolders(gone: Iterable<RepoPath>): void {
    this.#tree.forget();
    for (const path of gone) this.#folders.add(parentOf(path));
    const deepest = [...this.#folders].sort((a, b) => b.split('/').length - a.split('/').length);
    const kept = new Set<RepoPath>([ROOT]);
    for (const start of deepest)
      for (let folder = start; !kept.has(folder); folder = parentOf(folder)) {
        kept.add(folder);
        if (!this.#removeFolder(decodePath(folder))) break;
      }
  }

  /** What was captured and could not be put back goes into the net. */
  close(): void {
    this.#tree.close();
    const left = removeStaging(this.#repo.layout, this.#id).filter((name) => /^c\d+$/.test(name));
    if (left.length === 0) return;
    const net = new SafetyNet(this.#repo.layout);
    for (const name of left) {
      const file = path.join(this.#staging, name);
      if (!fs.lstatSync(file).isDirectory()) net.adopt(file, contentOf(file));
    }
    net.makeDurable();
    removeStaging(this.#repo.layout, this.#id);
  }

  #remove({ path: wanted, stat }: AsRecorded): string | undefined {
    const at = split(decodePath(wanted));
    const folder = this.#tree.openFolder(at.folder);
    const now = this.#tree.look(folder, at.name);
    if (now === undefined) return undefined;
    if (!isSame(now, stat) || now.ctimeNs !== stat.ctimeNs) return MEANWHILE;
    const captured = path.join(this.#staging, `c${this.#count++}`);
    this.#tree.capture(folder, at.name, captured);
    const taken = fs.lstatSync(captured, { bigint: true });
    if (isSame(taken, stat)) {
      letGoOfCaptured(captured);
      return undefined;
    }
    try {
      if (taken.isDirectory()) this.#tree.putFolderBack(captured, folder, at.name);
      else {
        this.#tree.linkInto(captured, folder, at.name);
        letGoOfCaptured(captured);
      }
    } catch (error) {
      if (!STAYS_CAPTURED.has(String((error as NodeJS.ErrnoException).code))) throw error;
    }
    return MEANWHILE;
  }

  #removeFolder(whole: FsPath): boolean {
    const { folder, name } = split(whole);
    try {
      this.#tree.removeFolder(this.#tree.openFolder(folder), name);
      return true;
    } catch (error) {
      if (error instanceof BkError) return false;
      const code = String((error as NodeJS.ErrnoException).code);
      if (GONE.has(code)) return true;
      if (isDiskTrouble(error)) throw diskError(error, encodePath(whole));
      if (FILLED.has(code)) return false;
      throw error;
    }
  }
}

const MEANWHILE = 'it was changed meanwhile';
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);
const FILLED = new Set(['ENOTEMPTY', 'EEXIST', 'EBUSY', 'EACCES', 'EPERM']);
/** Something took the name, or there are no links here: it goes into the net. */
const STAYS_CAPTURED = new Set(['EEXIST', 'ENOTEMPTY', 'ENOENT', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP']);
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EXDEV: 'it is on another file system than .bk',
  EBUSY: 'it is in use',
};

function isSame(a: fs.BigIntStats, b: fs.BigIntStats): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.isFile() === b.isFile();
}
