import fs from 'node:fs';
import path from 'node:path';
import { BkError, type ContentHash, filledParts } from '@bk/core';
import { fsyncDirectory, fsyncFile, syncFileSystem } from './durable.ts';

/** Contents that others sent and no command has placed yet: whole and verified ones under their hash, parts as `.part`. */
export const INCOMING = 'incoming';
const WHOLE = /^[0-9a-f]{64}$/;
const { O_RDWR, O_CREAT, O_NOFOLLOW } = fs.constants;
/** From so many on, one sync of the file system is cheaper. */
const MANY = 16;

/** A content on its way, open. */
export interface IncomingFile {
  /** Verified, all of it. */
  readonly whole: boolean;
  readonly bytes: number;
  read(offset: number, target: Uint8Array): number;
  cut(bytes: number): void;
  /** @param sparse whether blocks of zeros are holes. @throws BkError 'no-space' */
  append(chunk: Uint8Array, sparse?: boolean): void;
  /** Whole and verified: `settle` gives it its name. */
  finish(): void;
  close(drop: boolean): void;
}

/**
 * `.bk/staging/incoming`. A name appears only for what is whole, verified and durable. Parts stay for going on after an
 * interruption; the last byte of a content is always sent anew, so that a part is never taken for a whole.
 */
export class Incoming {
  readonly folder: string;
  readonly #finished = new Set<ContentHash>();

  constructor(layout: { readonly staging: string }) {
    this.folder = path.join(layout.staging, INCOMING);
  }

  /** Whole and verified contents. */
  list(): ContentHash[] {
    return namesOf(this.folder).filter((name) => WHOLE.test(name)) as ContentHash[];
  }

  /** Absolute path of a whole content, to be placed from; undefined if it did not arrive. */
  fileOf(blake3: ContentHash): string | undefined {
    const file = path.join(this.folder, blake3);
    return fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() === true ? file : undefined;
  }

  has(blake3: ContentHash): boolean {
    return this.fileOf(blake3) !== undefined || fs.existsSync(this.#part(blake3));
  }

  /** @throws BkError 'no-space' if so many bytes cannot fit */
  checkSpace(bytes: number): void {
    fs.mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.#checkSpace(bytes);
  }

  /** Lets go of what came before a time (ms since 1970) and was never placed: nobody goes on with it. */
  expire(beforeMs: number): void {
    for (const name of namesOf(this.folder)) {
      const file = path.join(this.folder, name);
      const stat = fs.lstatSync(file, { throwIfNoEntry: false });
      if (stat?.isFile() === true && stat.ctimeMs < beforeMs) fs.rmSync(file, { force: true });
    }
    this.#leave();
  }

  /** Lets go of what has its place already, as the same inode: what a killed command left. */
  tidy(): void {
    let removed = false;
    for (const name of namesOf(this.folder)) {
      const file = path.join(this.folder, name);
      if (!WHOLE.test(name) || (fs.lstatSync(file, { throwIfNoEntry: false })?.nlink ?? 0) < 2) continue;
      fs.rmSync(file, { force: true });
      removed = true;
    }
    if (removed || fs.existsSync(this.folder)) this.#leave();
  }

  /** @throws BkError 'no-space' if what is still to come cannot fit */
  open(blake3: ContentHash, size: number): IncomingFile {
    fs.mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const whole = this.fileOf(blake3);
    const file = whole ?? this.#part(blake3);
    const fd = fs.openSync(file, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    try {
      const here = fs.fstatSync(fd).size;
      const bytes = whole === undefined ? Math.min(here, Math.max(0, size - 1)) : here;
      this.#checkSpace(size - bytes);
      return this.#file(fd, { blake3, bytes, whole: whole !== undefined });
    } catch (error) {
      fs.closeSync(fd);
      if (fs.lstatSync(file).size === 0) fs.rmSync(file, { force: true });
      throw error;
    }
  }

  /** Makes what was finished durable, then gives it its names. */
  settle(): void {
    if (this.#finished.size === 0) return;
    const parts = [...this.#finished].map(
      (blake3) => [this.#part(blake3), path.join(this.folder, blake3)] as const,
    );
    if (parts.length < MANY || !syncFileSystem(this.folder)) for (const [part] of parts) fsyncFile(part);
    for (const [part, whole] of parts) fs.renameSync(part, whole);
    this.#finished.clear();
    fsyncDirectory(this.folder);
  }

  /** Lets go of a content that has its place now. The folder goes with its last one. */
  remove(blake3: ContentHash): void {
    for (const file of [path.join(this.folder, blake3), this.#part(blake3)]) fs.rmSync(file, { force: true });
    this.#leave();
  }

  #leave(): void {
    try {
      fs.rmdirSync(this.folder);
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(String((error as NodeJS.ErrnoException).code)))
        throw error;
    }
  }

  #part(blake3: ContentHash): string {
    return path.join(this.folder, `${blake3}.part`);
  }

  #checkSpace(bytes: number): void {
    const { bavail, bsize } = fs.statfsSync(this.folder);
    if (bytes > bavail * bsize) throw noSpace(`it needs ${bytes} bytes, and ${bavail * bsize} are free`);
  }

  #file(
    opened: number,
    start: { readonly blake3: ContentHash; readonly bytes: number; readonly whole: boolean },
  ): IncomingFile {
    const { blake3 } = start;
    let { bytes, whole } = start;
    let fd = opened;
    const cut = (length: number): void => {
      if (whole) fd = this.#partOf(fd, blake3, length);
      whole = false;
      this.#finished.delete(blake3);
      fs.ftruncateSync(fd, length);
      bytes = length;
    };
    if (!whole) cut(bytes);
    return {
      get whole() {
        return whole;
      },
      get bytes() {
        return bytes;
      },
      read: (offset, target) =>
        fs.readSync(fd, target, 0, Math.min(target.length, Math.max(0, bytes - offset)), offset),
      cut,
      append: (chunk, sparse = false) => {
        if (sparse) appendFilled(fd, bytes, chunk);
        else appendAt(fd, bytes, chunk);
        bytes += chunk.length;
      },
      finish: () => {
        whole = true;
        this.#finished.add(blake3);
      },
      close: (drop) => {
        fs.closeSync(fd);
        if (drop || (!whole && bytes === 0)) this.remove(blake3);
      },
    };
  }

  /** A whole one may have its place in the tree already, as the same inode: it is never written to again. */
  #partOf(whole: number, blake3: ContentHash, bytes: number): number {
    const part = fs.openSync(this.#part(blake3), O_RDWR | O_CREAT | O_NOFOLLOW | fs.constants.O_TRUNC, 0o600);
    const chunk = Buffer.allocUnsafe(Math.max(1, Math.min(bytes, 1 << 20)));
    for (let at = 0; at < bytes; ) {
      const read = fs.readSync(whole, chunk, 0, Math.min(chunk.length, bytes - at), at);
      if (read === 0) break;
      appendAt(part, at, chunk.subarray(0, read));
      at += read;
    }
    fs.closeSync(whole);
    fs.rmSync(path.join(this.folder, blake3), { force: true });
    return part;
  }
}

function appendAt(fd: number, position: number, chunk: Uint8Array): void {
  try {
    for (let done = 0; done < chunk.length; )
      done += fs.writeSync(fd, chunk, done, chunk.length - done, position + done);
  } catch (error) {
    if (!['ENOSPC', 'EDQUOT'].includes(String((error as NodeJS.ErrnoException).code))) throw error;
    throw noSpace('the disk is full', error);
  }
}

/** The size of the file says how much is here, though it ends in a hole. */
function appendFilled(fd: number, position: number, chunk: Uint8Array): void {
  for (const [start, end] of filledParts(chunk, position))
    appendAt(fd, position + start, chunk.subarray(start, end));
  fs.ftruncateSync(fd, position + chunk.length);
}

function noSpace(why: string, cause?: unknown): BkError {
  return new BkError('no-space', `cannot take a content: ${why}`, {
    hint: 'free some space there, then give the same command again',
    ...(cause !== undefined && { cause }),
  });
}

/** Only a missing folder is an empty one. */
function namesOf(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
