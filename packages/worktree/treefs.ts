/**
 * The one module that writes into the user's tree (SPEC 4, rule 7).
 *
 * Every operation acts through a held parent folder: the walk goes from the root's descriptor name by name with
 * O_DIRECTORY|O_NOFOLLOW, and the operation names its target as /proc/self/fd/<parent>/<name>. A parent that is swapped
 * for a symlink meanwhile redirects nothing. No operation follows a symlink in the last place, none overwrites, none
 * removes what it did not make itself.
 *
 * Where there is no /proc/self/fd (not Linux) the promise is weaker: each parent is looked at just before each
 * operation, so that a swap can win only within that moment.
 */
import fs from 'node:fs';
import { BkError, type FsName, type FsPath, isReservedName } from '@bk/core';
import { setMtimeOf } from './mtimes.ts';
import { bytePath, nodePath } from './node-path.ts';

/** A folder of the tree, open; valid until HELD_FOLDERS others were opened or the TreeFs is closed. */
export interface Folder {
  readonly path: FsPath;
  readonly fd: number;
  /** Byte string that a name is appended to. */
  readonly prefix: string;
}

export interface TreeFsOptions {
  /** False: behave as where there is no /proc/self/fd (tests). */
  readonly anchored?: boolean;
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
/** Linux: a descriptor that only names a file; opens what cannot be read, and never blocks. */
const O_PATH = 0o10000000;
const HELD_FOLDERS = 96;
const SPECIAL_BITS = 0o7000;
const STICKY = 0o1000;

export class TreeFs {
  readonly root: string;
  readonly anchored: boolean;
  readonly #held = new Map<FsPath, Folder>();

  /** @param root absolute path of the repository's folder */
  constructor(root: string, options: TreeFsOptions = {}) {
    this.root = root;
    this.anchored = options.anchored ?? hasProcFd();
  }

  /**
   * Opens a folder below the root, never through a symlink.
   * @throws BkError `refused` at a name that may not be written (`..`, `.bk`) and at the border of a nested repository;
   * the system's error (ENOENT, ENOTDIR, ELOOP, EACCES) if there is no such folder
   */
  openFolder(path: FsPath): Folder {
    const held = this.#held.get(path);
    if (held !== undefined) {
      this.#held.delete(path);
      this.#held.set(path, held);
      return held;
    }
    const folder = path === '' ? this.#openRoot() : this.#openBelow(path);
    this.#held.set(path, folder);
    for (const [oldest, { fd }] of this.#held) {
      if (this.#held.size <= HELD_FOLDERS) break;
      this.#held.delete(oldest);
      fs.closeSync(fd);
    }
    return folder;
  }

  /** What is at a name now, or undefined; a symlink is itself. */
  look(folder: Folder, name: FsName): fs.BigIntStats | undefined {
    return fs.lstatSync(this.#slot(folder, name), { bigint: true, throwIfNoEntry: false });
  }

  /** Bytes of a symlink's target. */
  readLink(folder: Folder, name: FsName): string {
    return fs.readlinkSync(this.#slot(folder, name), 'latin1');
  }

  /** @throws EEXIST */
  makeFolder(folder: Folder, name: FsName, mode: number): void {
    fs.mkdirSync(this.#slot(folder, name), mode & ~SPECIAL_BITS);
  }

  /** Gives a file of `.bk` a name in the tree. @throws EEXIST; EPERM, EXDEV, EMLINK, ENOTSUP where links are refused */
  linkInto(source: string | Buffer, folder: Folder, name: FsName): void {
    fs.linkSync(source, this.#slot(folder, name));
  }

  /** Gives a file or symlink of the tree a second name; both parents must be held. @throws EEXIST; where links are refused */
  linkAcross(from: { folder: Folder; name: FsName }, to: { folder: Folder; name: FsName }): void {
    fs.linkSync(this.#slot(from.folder, from.name), this.#slot(to.folder, to.name));
  }

  /** All names in a folder but bk's own, sorted. */
  names(folder: Folder): FsName[] {
    if (this.#held.get(folder.path) !== folder)
      throw new BkError('bug', 'a folder was used after it was let go');
    const names = fs.readdirSync(nodePath(folder.prefix), { encoding: 'latin1' }) as FsName[];
    return names.filter((name) => !isReservedName(name)).sort();
  }

  /** Opens a new file for writing, mode 0600. @throws EEXIST */
  createFile(folder: Folder, name: FsName): number {
    return fs.openSync(this.#slot(folder, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  }

  /** Opens an ordinary file for reading; never blocks at a pipe, never follows. */
  openFile(folder: Folder, name: FsName): number {
    return fs.openSync(this.#slot(folder, name), O_RDONLY | O_NOFOLLOW | fs.constants.O_NONBLOCK);
  }

  /** @param target its bytes. @throws EEXIST */
  makeSymlink(target: string, folder: Folder, name: FsName): void {
    fs.symlinkSync(nodePath(target), this.#slot(folder, name));
  }

  /**
   * Takes whatever is at the name now out of the tree, atomically.
   * @param destination an absolute path in `.bk` where nothing is
   */
  capture(folder: Folder, name: FsName, destination: string): void {
    fs.renameSync(this.#slot(folder, name), destination);
  }

  /** Gives a file of `.bk` a name where there are no links: a name that is taken first, then renamed on to. @throws EEXIST */
  moveInto(source: string, folder: Folder, name: FsName): void {
    fs.closeSync(this.createFile(folder, name));
    fs.renameSync(source, this.#slot(folder, name));
  }

  /** Gives a file of `.bk` a name that `moveInto` took with an empty file before it was interrupted. */
  fillTaken(source: string | Buffer, folder: Folder, name: FsName): void {
    fs.renameSync(source, this.#slot(folder, name));
  }

  /** Puts a captured folder back; the system refuses if a file or a folder with entries is there. */
  putFolderBack(source: string, folder: Folder, name: FsName): void {
    fs.renameSync(source, this.#slot(folder, name));
  }

  /** Gives a folder another name where nothing is; both parents must be held. @throws ENOTEMPTY, ENOTDIR; EXDEV, EBUSY */
  moveFolder(from: { folder: Folder; name: FsName }, to: { folder: Folder; name: FsName }): void {
    fs.renameSync(this.#slot(from.folder, from.name), this.#slot(to.folder, to.name));
    this.forgetBelow(below(from.folder.path, from.name));
    this.forgetBelow(below(to.folder.path, to.name));
  }

  /** Removes a file that this process made and could not finish; anything else is left alone. */
  removeOwn(folder: Folder, name: FsName, inode: bigint): boolean {
    const slot = this.#slot(folder, name);
    if (fs.lstatSync(slot, { bigint: true, throwIfNoEntry: false })?.ino !== inode) return false;
    fs.unlinkSync(slot);
    return true;
  }

  /** Removes a folder if it is empty; the system refuses any other. */
  removeFolder(folder: Folder, name: FsName): void {
    fs.rmdirSync(this.#slot(folder, name));
    this.forgetBelow(below(folder.path, name));
  }

  /** Sets a modification time, a symlink's own; as exactly as can be done here (`mtimes.ts`). */
  setMtime(folder: Folder, name: FsName, mtimeNs: bigint): void {
    setMtimeOf(this.#slot(folder, name), mtimeNs);
  }

  /**
   * Sets the permissions of the file or folder that has this inode; of nothing else, should it have been swapped.
   * Set-uid and set-gid are left out unless `special`.
   */
  setMode(folder: Folder, name: FsName, wanted: { inode: bigint; mode: number; special?: boolean }): boolean {
    const mode = wanted.mode & (wanted.special ? 0o7777 : 0o777 | STICKY);
    const slot = this.#slot(folder, name);
    if (!this.anchored) {
      const seen = fs.lstatSync(slot, { bigint: true });
      if (seen.ino !== wanted.inode || seen.isSymbolicLink()) return false;
      fs.chmodSync(slot, mode);
      return true;
    }
    const fd = fs.openSync(slot, O_PATH | O_NOFOLLOW);
    try {
      const seen = fs.fstatSync(fd, { bigint: true });
      if (seen.ino !== wanted.inode || seen.isSymbolicLink()) return false;
      fs.chmodSync(`/proc/self/fd/${fd}`, mode);
      return true;
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Makes the names in a folder durable. */
  sync(folder: Folder): void {
    fs.fsyncSync(folder.fd);
  }

  /** Lets go of all held folders: the next operation walks anew (a held folder may have been removed and made again). */
  forget(): void {
    for (const { fd } of this.#held.values()) fs.closeSync(fd);
    this.#held.clear();
  }

  /** Lets go of a folder that is not at its path any more, and of all below it. */
  forgetBelow(path: FsPath): void {
    for (const [held, { fd }] of this.#held) {
      if (held !== path && !held.startsWith(`${path}/`)) continue;
      this.#held.delete(held);
      fs.closeSync(fd);
    }
  }

  /** Whether a folder is still open: opening others may have let it go. */
  holds(folder: Folder): boolean {
    return this.#held.get(folder.path) === folder;
  }

  /** Permissions of the root itself. */
  setRootMode(mode: number): void {
    fs.fchmodSync(this.openFolder('' as FsPath).fd, mode);
  }

  close(): void {
    this.forget();
  }

  #openRoot(): Folder {
    const fd = fs.openSync(this.root, O_RDONLY | O_DIRECTORY);
    return this.#folder('' as FsPath, fd, `${bytePath(this.root)}/`);
  }

  #openBelow(path: FsPath): Folder {
    const slash = path.lastIndexOf('/');
    const parent = this.openFolder((slash < 0 ? '' : path.slice(0, slash)) as FsPath);
    const slot = this.#slot(parent, path.slice(slash + 1) as FsName);
    const fd = fs.openSync(slot, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    const folder = this.#folder(path, fd, `${bytePath(this.root)}/${path}/`);
    if (fs.lstatSync(nodePath(`${folder.prefix}.bk`), { throwIfNoEntry: false }) === undefined) return folder;
    fs.closeSync(fd);
    throw new BkError('refused', 'cannot write there: the folder belongs to another repository', {
      hint: 'work in that repository with -C',
    });
  }

  #folder(path: FsPath, fd: number, plainPrefix: string): Folder {
    return { path, fd, prefix: this.anchored ? `/proc/self/fd/${fd}/` : plainPrefix };
  }

  #slot(folder: Folder, name: FsName): string | Buffer {
    checkName(name);
    // A descriptor that was closed may be another file by now.
    if (this.#held.get(folder.path) !== folder)
      throw new BkError('bug', 'a folder was used after it was let go');
    if (!this.anchored) this.#recheck(folder.path);
    return nodePath(folder.prefix + name);
  }

  #recheck(path: FsPath): void {
    const base = bytePath(this.root);
    for (let end = 0; end >= 0 && path !== ''; ) {
      end = path.indexOf('/', end + 1);
      const part = end < 0 ? path : path.slice(0, end);
      if (fs.lstatSync(nodePath(`${base}/${part}`)).isDirectory()) continue;
      throw new BkError('refused', 'cannot write there: a parent folder was replaced meanwhile');
    }
  }
}

function below(folder: FsPath, name: FsName): FsPath {
  return (folder === '' ? name : `${folder}/${name}`) as FsPath;
}

function checkName(name: FsName): void {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new BkError('refused', `not a name that can be written: ${JSON.stringify(name)}`);
  }
  if (isReservedName(name)) {
    throw new BkError('refused', `a name that bk keeps for itself: ${JSON.stringify(name)}`);
  }
}

function hasProcFd(): boolean {
  return process.platform === 'linux' && fs.existsSync('/proc/self/fd');
}
