/**
 * Bulk copying for a clone: files of another tree brought into a folder of bk's own (staging), each hashed as it is
 * copied. Nothing here writes into a user's tree, and nothing is durable until the caller syncs the file system.
 */
import fs from 'node:fs';
import { type ContentHash, filledParts } from '@bk/core';
import { createHasher, type Hasher, hashBytes, hashDescriptor } from './hash.ts';
import { secondsText } from './mtimes.ts';
import { native } from './native.ts';
import { nodePath } from './node-path.ts';
import { reasonOf } from './scan.ts';
import { KEEPS_NONE } from './stage.ts';

/** What a file is to be, by its record. */
export interface WantedFile {
  readonly blake3: ContentHash;
  /** Bytes. */
  readonly size: number;
  /** Permission bits as they are to be given. */
  readonly mode: number;
  readonly mtimeNs: bigint;
}

/** The file is not what its record says: nothing was left at the target. */
export const OTHER_CONTENT = 'it is not what was committed';

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
const OPEN_SOURCE = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
const CHUNK = 1 << 20;
/** Of a large file at once: what was read is still in the core's cache when it is hashed and written. */
const PIECE = 128 << 10;
/** From here on a file may have holes worth a look, or may be worth a reflink. */
const LOOK_FROM = 128 * 1024;
/** Bytes of a stream after which the disk begins to write. */
const HURRIED = 8 << 20;

/** Copies files one by one, learns what the file systems can do, and keeps its buffer. */
export class Copier {
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK);
  readonly #onBytes: (bytes: number) => void;
  readonly #umask = process.umask();
  #reflink = true;
  #inode = 0n;

  /** Of the file that was made last. */
  get inode(): bigint {
    return this.#inode;
  }

  /** @param onBytes told of the bytes copied, and 0 after each file */
  constructor(onBytes: (bytes: number) => void = () => {}) {
    this.#onBytes = onBytes;
  }

  /**
   * Copies a file that must be exactly `wanted`, with mode and mtime.
   * @param source byte string path; opened without following a link in the last place, never blocking
   * @param target byte string path where nothing may be
   * @returns why it was not copied: it cannot be read, or OTHER_CONTENT; undefined: it was
   * @throws the system's error, if it is about the target (EEXIST, ENOSPC …)
   */
  copy(source: string, target: string, wanted: WantedFile): string | undefined {
    let from: number;
    try {
      from = fs.openSync(nodePath(source), OPEN_SOURCE);
    } catch (error) {
      return reasonOf(error);
    }
    try {
      const small = wanted.size < CHUNK;
      const same = small ? this.#copySmall(from, target, wanted) : this.#copyLarge(from, target, wanted);
      if (!same) return OTHER_CONTENT;
      this.#onBytes(0);
      return undefined;
    } catch (error) {
      if (error instanceof Unreadable) return error.message;
      throw error;
    } finally {
      fs.closeSync(from);
    }
  }

  /** Makes a file of no bytes; its record says all of it. */
  makeEmpty(target: string, wanted: WantedFile): undefined {
    this.#write(target, wanted, () => true);
    this.#onBytes(0);
  }

  /** Makes a file of bytes that came another way. @returns false: they are another content; nothing is at the target */
  put(bytes: Uint8Array, target: string, wanted: WantedFile): boolean {
    if (bytes.length !== wanted.size || hashBytes(bytes) !== wanted.blake3) return false;
    this.#write(target, wanted, (to) => {
      writeRange(to, bytes, 0);
      return true;
    });
    this.#onBytes(bytes.length);
    this.#onBytes(0);
    return true;
  }

  /** Writes bytes as they come, to be ended by `finish`. @throws EEXIST, ENOSPC … */
  receive(target: string): Receiving {
    return new Receiving(fs.openSync(nodePath(target), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
  }

  /** What an earlier `receive` left at a target: so many bytes, and their hash; undefined: nothing to go on with. */
  partOf(target: string, wanted: WantedFile): Part | undefined {
    const fd = openedPart(target, O_RDONLY);
    if (fd === undefined) return undefined;
    try {
      const stat = fs.fstatSync(fd);
      // What has another name is somebody's file: it is not written into.
      if (!stat.isFile() || stat.nlink !== 1 || stat.size === 0 || stat.size >= wanted.size) return undefined;
      return { bytes: stat.size, prefix: hashDescriptor(fd, stat.size).hash };
    } finally {
      fs.closeSync(fd);
    }
  }

  /** As `receive`, going on behind the first so many bytes of such a part; undefined: there are fewer. */
  receiveMore(target: string, bytes: number): Receiving | undefined {
    const fd = openedPart(target, O_RDWR);
    if (fd === undefined) return undefined;
    const receiving = new Receiving(fd);
    if (receiving.keep(bytes, this.#chunk)) return receiving;
    receiving.abandon();
    return undefined;
  }

  /** Whether a file of staging holds the content; if so it is given mode and mtime again. */
  isWhole(target: string, wanted: WantedFile): boolean {
    let fd: number;
    try {
      fd = fs.openSync(nodePath(target), OPEN_SOURCE);
    } catch (error) {
      // Its own mode may forbid that to its owner.
      if ((error as NodeJS.ErrnoException).code === 'EACCES') return false;
      throw error;
    }
    try {
      const stat = fs.fstatSync(fd);
      if (!stat.isFile() || stat.size !== wanted.size) return false;
      if (hashDescriptor(fd, wanted.size).hash !== wanted.blake3) return false;
      setMode(fd, wanted.mode);
      setMtime(fd, wanted.mtimeNs);
      this.#onBytes(wanted.size);
      this.#onBytes(0);
      return true;
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Read, compared, and only then written. */
  #copySmall(from: number, target: string, wanted: WantedFile): boolean {
    const { size } = wanted;
    let read = readAt(from, this.#chunk, 0);
    // A signal or a network may cut a read short.
    while (read < size) {
      const more = readAt(from, this.#chunk.subarray(read), read);
      if (more === 0) break;
      read += more;
    }
    const bytes = this.#chunk.subarray(0, size);
    if (read !== size || hashBytes(bytes) !== wanted.blake3) return false;
    const sparse = size >= LOOK_FROM && hasHoles(from, size);
    this.#write(target, wanted, (to) => {
      writeAt(to, bytes, 0, sparse);
      if (sparse) fs.ftruncateSync(to, size);
      return true;
    });
    this.#onBytes(size);
    return true;
  }

  #copyLarge(from: number, target: string, wanted: WantedFile): boolean {
    const stat = fs.fstatSync(from);
    if (!stat.isFile() || stat.size !== wanted.size) return false;
    if (this.#reflink && this.#cloned(from, target)) return this.#acceptClone(target, wanted);
    const sparse = stat.blocks * 512 < stat.size;
    return this.#write(target, wanted, (to) => this.#stream(from, to, wanted, sparse));
  }

  /** Hashes what it copies; gives up as soon as it is too long. */
  #stream(from: number, to: number, { size, blake3 }: WantedFile, sparse: boolean): boolean {
    const hasher = createHasher();
    const piece = this.#chunk.subarray(0, PIECE);
    let at = 0;
    for (;;) {
      const read = readAt(from, piece, at);
      if (read === 0) break;
      if (at + read > size) return false;
      const bytes = read === PIECE ? piece : piece.subarray(0, read);
      hasher.update(bytes);
      writeAt(to, bytes, at, sparse);
      at += read;
      this.#onBytes(read);
    }
    if (at !== size || hasher.digest() !== blake3) return false;
    if (sparse) fs.ftruncateSync(to, size);
    // The disk has something to do while the next file is copied; the sync at the end finds less.
    native()?.startWriting(to);
    return true;
  }

  /** Makes the file, fills it, gives it mode and time; what was not filled is removed again. */
  #write(target: string, wanted: WantedFile, fill: (to: number) => boolean): boolean {
    const to = fs.openSync(nodePath(target), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, wanted.mode & 0o777);
    let filled = false;
    try {
      filled = fill(to);
      if (!filled) return false;
      if ((wanted.mode & (this.#umask | 0o7000)) !== 0) setMode(to, wanted.mode);
      setMtime(to, wanted.mtimeNs);
      this.#inode = fs.fstatSync(to, { bigint: true }).ino;
      return true;
    } finally {
      fs.closeSync(to);
      if (!filled) fs.rmSync(nodePath(target), { force: true });
    }
  }

  /** @returns false where the file systems cannot do it; nothing is at the target then */
  #cloned(from: number, target: string): boolean {
    const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = fs.constants;
    try {
      fs.copyFileSync(`/proc/self/fd/${from}`, nodePath(target), COPYFILE_EXCL | COPYFILE_FICLONE_FORCE);
      return true;
    } catch (error) {
      const code = String((error as NodeJS.ErrnoException).code);
      if (code === 'EEXIST') throw error;
      fs.rmSync(nodePath(target), { force: true });
      if (['ENOSPC', 'EDQUOT', 'EIO', 'EROFS'].includes(code)) throw error;
      this.#reflink = false;
      return false;
    }
  }

  /** What is hashed is the new file: whatever happened to the source meanwhile. */
  #acceptClone(target: string, wanted: WantedFile): boolean {
    const fd = fs.openSync(nodePath(target), O_RDWR | O_NOFOLLOW);
    let same = false;
    try {
      same = hashDescriptor(fd, wanted.size, this.#onBytes).hash === wanted.blake3;
      if (!same) return false;
      setMode(fd, wanted.mode);
      setMtime(fd, wanted.mtimeNs);
      this.#inode = fs.fstatSync(fd, { bigint: true }).ino;
      return true;
    } finally {
      fs.closeSync(fd);
      if (!same) fs.rmSync(nodePath(target), { force: true });
    }
  }
}

export interface Part {
  readonly bytes: number;
  readonly prefix: ContentHash;
}

function openedPart(target: string, how: number): number | undefined {
  try {
    return fs.openSync(nodePath(target), how | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ELOOP', 'EISDIR'].includes(String((error as NodeJS.ErrnoException).code)))
      return undefined;
    throw error;
  }
}

class Unreadable extends Error {}

/** @throws Unreadable: it is the source that fails, not the disk that is written to */
function readAt(fd: number, target: Buffer, position: number): number {
  try {
    return fs.readSync(fd, target, 0, target.length, position);
  } catch (error) {
    throw new Unreadable(reasonOf(error));
  }
}

/** A file of staging that is being written from a stream. */
export class Receiving {
  readonly #fd: number;
  readonly #hasher: Hasher = createHasher();
  #size = 0;
  /** Bytes that the disk was not told to write. */
  #waiting = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Keeps the first so many bytes of what is in the file already. @returns false if there are fewer */
  keep(bytes: number, buffer: Buffer): boolean {
    while (this.#size < bytes) {
      const most = Math.min(buffer.length, bytes - this.#size);
      const read = fs.readSync(this.#fd, buffer, 0, most, this.#size);
      if (read === 0) return false;
      this.#hasher.update(buffer.subarray(0, read));
      this.#size += read;
    }
    fs.ftruncateSync(this.#fd, bytes);
    return true;
  }

  /** @param sparse whether blocks of zeros are holes */
  append(bytes: Uint8Array, sparse = false): void {
    this.#hasher.update(bytes);
    writeAt(this.#fd, bytes, this.#size, sparse);
    this.#size += bytes.length;
    // So much is here: whoever goes on another time asks the file for its size.
    if (sparse) fs.ftruncateSync(this.#fd, this.#size);
    this.#waiting += bytes.length;
    if (this.#waiting < HURRIED) return;
    // The disk has something to do while the next bytes are on their way; the sync at the end finds less.
    native()?.startWriting(this.#fd);
    this.#waiting = 0;
  }

  /** Closes it, with mode and mtime. @returns false if it is another content: the caller removes it */
  finish(wanted: WantedFile): boolean {
    try {
      if (this.#size !== wanted.size || this.#hasher.digest() !== wanted.blake3) return false;
      setMode(this.#fd, wanted.mode);
      setMtime(this.#fd, wanted.mtimeNs);
      native()?.startWriting(this.#fd);
      return true;
    } finally {
      fs.closeSync(this.#fd);
    }
  }

  /** Closes it as it is: the caller removes it, or goes on with it another time. */
  abandon(): void {
    fs.closeSync(this.#fd);
  }
}

function hasHoles(fd: number, size: number): boolean {
  return fs.fstatSync(fd).blocks * 512 < size;
}

/** Writes all of it; of a file with holes, all but blocks of zeros. */
function writeAt(fd: number, bytes: Uint8Array, position: number, sparse: boolean): void {
  if (!sparse) writeRange(fd, bytes, position);
  else
    for (const [start, end] of filledParts(bytes, position))
      writeRange(fd, bytes.subarray(start, end), position + start);
}

function writeRange(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done);
}

/** A file system that keeps no modes says so, or says nothing; both are no failure. */
function setMode(fd: number, mode: number): void {
  try {
    fs.fchmodSync(fd, mode);
  } catch (error) {
    if (!KEEPS_NONE.has(String((error as NodeJS.ErrnoException).code))) throw error;
  }
}

/** To the ns, as far as the file system keeps it; without native calls as near as a double of seconds comes. */
function setMtime(fd: number, ns: bigint): void {
  const direct = native();
  if (direct !== undefined) direct.setMtime(fd, ns);
  else fs.futimesSync(fd, secondsText(ns), secondsText(ns));
}

/**
 * Makes a symlink in staging with its mtime.
 * @param at byte string path; @param target its bytes
 * @throws EEXIST; EPERM and the like where there are none
 */
export function copySymlink(target: string, at: string, mtimeNs: bigint): void {
  fs.symlinkSync(nodePath(target), nodePath(at));
  const direct = native();
  if (direct !== undefined) direct.setMtimeOf(nodePath(at), mtimeNs);
  else fs.lutimesSync(nodePath(at), secondsText(mtimeNs), secondsText(mtimeNs));
}
