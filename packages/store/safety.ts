import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { type ContentHash, PROTECTION, type Protection } from '@bk/core';
import { fsyncDirectory, fsyncFile, syncFileSystem } from './durable.ts';
import { TEMPORARY_PREFIX } from './staging.ts';

/**
 * The safety net: names for known contents below `.bk/safety`, in 256 folders by the first two digits of the hash.
 * `<62 digits>-<inode in base 36>` is a hard link: it protects against deletion and replacement, not against a program
 * that writes into the file, and there is one for each inode. `<62 digits>` is an independent copy (reflink or bytes),
 * shared by all files of that content. Whoever relies on an entry hashes it first.
 */
export interface SafetyEntry {
  readonly blake3: ContentHash;
  /** Absolute. */
  readonly file: string;
  /** Below `.bk`: "safety/ab/cd…". */
  readonly source: string;
  /** Of a link: the inode that its name says. Absent: independent. */
  readonly inode?: bigint;
}

export interface ProtectedFile {
  readonly blake3: string;
  readonly inode: bigint;
  readonly size: number;
}

export interface SafetyOptions {
  /** Largest file, in bytes, that is copied where it can neither be reflinked nor linked. */
  readonly copyLimit?: number;
  /** False: never try a reflink (the probe of the file system said no, or a test wants links). */
  readonly reflink?: boolean;
}

const MEBIBYTE = 1 << 20;
const NAME = /^([0-9a-f]{62})(?:-([0-9a-z]{1,13}))?$/;
const SHARDS = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
/** The file system, or this pair of places, does not reflink. */
const NO_REFLINK = new Set(['ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOTTY', 'ENOSYS', 'EXDEV', 'EPERM']);
/** Links are not possible for this file: file system without, another device, 65,000 links, someone else's file. */
const NO_LINK = new Set(['EPERM', 'EXDEV', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES', 'EINVAL']);

/**
 * The net of one repository. Each thread has its own: which way works is learned once, not tried for every file;
 * what is known to it of the net's contents is read folder by folder when it is first asked for.
 */
export class SafetyNet {
  /** What is not durable yet in each of the 256 folders: 1 names, 2 contents (reflinks) too. Hand it to `makeDurable`. */
  readonly touched = new Uint8Array(256);
  readonly #dir: string;
  readonly #staging: string;
  readonly #copyLimit: number;
  readonly #shards = new Map<string, Map<string, SafetyEntry[]>>();
  readonly #random = randomBytes(8).toString('hex');
  #reflink: 'untried' | 'works' | 'refused';
  #temporaries = 0;

  constructor(layout: { readonly safety: string; readonly staging: string }, options: SafetyOptions = {}) {
    this.#dir = layout.safety;
    this.#staging = layout.staging;
    this.#copyLimit = options.copyLimit ?? MEBIBYTE;
    this.#reflink = options.reflink === false ? 'refused' : 'untried';
  }

  /** Makes the 256 folders; before the first `protect`, once for all threads. */
  makeFolders(): void {
    if (fs.existsSync(path.join(this.#dir, 'ff'))) return;
    for (const shard of SHARDS) fs.mkdirSync(path.join(this.#dir, shard), { recursive: true, mode: 0o700 });
    fsyncDirectory(this.#dir);
  }

  /**
   * Gives a content a second name in the net. The caller looks at the file again afterwards: if it is not the one that
   * was hashed any more, the new entry is mislabelled and must be dropped (`unprotect`).
   * @param source absolute path
   * @returns how it is kept; `PROTECTION.none` if it cannot be. Never fails because of what a file system cannot do.
   * @throws the system's error if the file is gone or the disk is full
   */
  protect(source: string | Buffer, file: ProtectedFile): Protection {
    if (this.#reflink !== 'refused' && file.size > 0 && this.#keepReflink(source, file.blake3))
      return PROTECTION.reflink;
    try {
      return this.#keepLink(source, file) ? PROTECTION.link : PROTECTION.none;
    } catch (error) {
      if (!NO_LINK.has(codeOf(error))) throw error;
    }
    if (file.size > this.#copyLimit) return PROTECTION.none;
    this.#keepCopy(source, file.blake3);
    return PROTECTION.copy;
  }

  /**
   * Takes back what `protect` made for a file that turned out to be another one; never an independent entry, and never
   * the last link of anything (the file was replaced meanwhile: then the entry holds what was hashed).
   */
  unprotect(file: ProtectedFile): void {
    const name = this.#linkName(file.blake3, file.inode);
    const entry = fs.lstatSync(name, { throwIfNoEntry: false });
    if (entry !== undefined && entry.nlink > 1) fs.rmSync(name, { force: true });
  }

  /**
   * Takes a captured file (in `.bk/staging`, a link of nobody else's) into the net, under its content's name.
   * Symlinks are kept as files that hold the target's bytes.
   */
  adopt(captured: string, blake3: ContentHash): void {
    const stat = fs.lstatSync(captured, { bigint: true });
    if (stat.isSymbolicLink()) {
      this.#keepBytes(fs.readlinkSync(captured, { encoding: 'buffer' }), blake3);
    } else {
      const name = this.#linkName(blake3, stat.ino);
      const there = fs.lstatSync(name, { bigint: true, throwIfNoEntry: false });
      if (there?.ino !== stat.ino) {
        this.#makeShard(blake3);
        // On to a free name or on to an equal-named entry of an inode that is gone: a rename works without links too.
        fs.renameSync(captured, there === undefined ? name : this.#freeName(blake3, stat.ino));
        this.#touch(blake3);
        return;
      }
    }
    fs.unlinkSync(captured);
    this.#touch(blake3);
  }

  /** Makes new entries durable: those of this thread's net, or of another's whose `touched` is given. */
  makeDurable(touched: Uint8Array = this.touched): void {
    const whole = touched.some((what) => what > 1) && syncFileSystem(this.#dir);
    touched.forEach((what, i) => {
      if (what !== 0 && !whole) this.#syncShard(SHARDS[i] ?? '', what > 1);
      touched[i] = 0;
    });
  }

  /** Entries that claim a content, independent ones first. */
  lookup(blake3: ContentHash): readonly SafetyEntry[] {
    return this.#shard(blake3.slice(0, 2)).get(blake3) ?? [];
  }

  /** Every entry, in the order of hashes. */
  *list(): Generator<SafetyEntry> {
    for (const shard of SHARDS) for (const entries of this.#shard(shard).values()) yield* entries;
  }

  /** Names in the net that are not bk's: reported, never removed. */
  strangers(): string[] {
    const found = readNames(this.#dir).filter((name) => !SHARDS.includes(name));
    for (const shard of SHARDS) {
      const names = readNames(path.join(this.#dir, shard)).filter((name) => !NAME.test(name));
      found.push(...names.map((name) => `${shard}/${name}`));
    }
    return found.map((name) => `safety/${name}`);
  }

  /** Lets an entry go. Whether that may be is for the caller to decide (rule 1, rule 12). */
  release(entry: SafetyEntry): void {
    fs.rmSync(entry.file, { force: true });
    const shard = this.#shards.get(entry.blake3.slice(0, 2));
    const left = shard?.get(entry.blake3)?.filter(({ file }) => file !== entry.file);
    if (left?.length) shard?.set(entry.blake3, left);
    else shard?.delete(entry.blake3);
    this.#touch(entry.blake3);
  }

  /**
   * Drops the old label of an inode whose content was written over in place: the live file is that inode, so the old
   * content is lost already, and no name of any content is the last one.
   * @param live absolute path of the file now
   * @returns whether there was one
   */
  dropOverwritten(old: ContentHash, inode: bigint, live: string | Buffer): boolean {
    const name = this.#linkName(old, inode);
    const entry = fs.lstatSync(name, { bigint: true, throwIfNoEntry: false });
    const now = fs.lstatSync(live, { bigint: true, throwIfNoEntry: false });
    if (entry === undefined || now === undefined || entry.ino !== now.ino || entry.dev !== now.dev)
      return false;
    this.release({ blake3: old, file: name, source: '' });
    return true;
  }

  /** @returns false if the name is taken by another inode: the file is not the one that was hashed any more */
  #keepLink(source: string | Buffer, file: ProtectedFile): boolean {
    const name = this.#linkName(file.blake3, file.inode);
    try {
      fs.linkSync(source, name);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT' && this.#makeShard(file.blake3)) {
        fs.linkSync(source, name);
      } else if (code !== 'EEXIST') throw error;
      else if (!sameInode(name, source)) return false;
    }
    this.#touch(file.blake3);
    return true;
  }

  #keepReflink(source: string | Buffer, blake3: string): boolean {
    const name = this.#independentName(blake3);
    this.#makeShard(blake3);
    if (this.#reflink === 'works' && fs.existsSync(name)) return true;
    const temporary = this.#temporary();
    try {
      fs.copyFileSync(source, temporary, fs.constants.COPYFILE_FICLONE_FORCE | fs.constants.COPYFILE_EXCL);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      const code = codeOf(error);
      if (!NO_REFLINK.has(code)) throw error;
      if (this.#reflink === 'untried' && code !== 'EXDEV') this.#reflink = 'refused';
      return false;
    }
    this.#reflink = 'works';
    // What is kept already may be the last copy; the source may have changed since it was hashed: never one over the other.
    if (fs.existsSync(name)) fs.rmSync(temporary);
    else fs.renameSync(temporary, name);
    this.#touch(blake3, 3);
    return true;
  }

  #keepCopy(source: string | Buffer, blake3: string): void {
    if (fs.existsSync(this.#independentName(blake3))) return;
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    const fd = fs.openSync(source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      this.#keepBytes(fs.readFileSync(fd), blake3);
    } finally {
      fs.closeSync(fd);
    }
  }

  #keepBytes(bytes: Uint8Array, blake3: string): void {
    const temporary = this.#temporary();
    this.#makeShard(blake3);
    try {
      fs.writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o600, flush: true });
      fs.renameSync(temporary, this.#independentName(blake3));
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    }
    this.#touch(blake3);
  }

  #syncShard(shard: string, contents: boolean): void {
    const dir = path.join(this.#dir, shard);
    if (contents) for (const name of readNames(dir)) if (!name.includes('-')) fsyncFile(path.join(dir, name));
    fsyncDirectory(dir);
  }

  #shard(shard: string): Map<string, SafetyEntry[]> {
    const known = this.#shards.get(shard);
    if (known !== undefined) return known;
    const entries = new Map<string, SafetyEntry[]>();
    for (const name of readNames(path.join(this.#dir, shard)).sort()) {
      const match = NAME.exec(name);
      if (match === null) continue;
      const blake3 = (shard + match[1]) as ContentHash;
      const place = { blake3, file: path.join(this.#dir, shard, name), source: `safety/${shard}/${name}` };
      const entry = match[2] === undefined ? place : { ...place, inode: fromBase36(match[2]) };
      const others = entries.get(blake3);
      if (others === undefined) entries.set(blake3, [entry]);
      else others.push(entry);
    }
    this.#shards.set(shard, entries);
    return entries;
  }

  /** Somebody may have removed it. @returns whether it had to be made */
  #makeShard(blake3: string): boolean {
    const shard = path.join(this.#dir, blake3.slice(0, 2));
    if (fs.existsSync(shard)) return false;
    fs.mkdirSync(shard, { recursive: true, mode: 0o700 });
    fsyncDirectory(this.#dir);
    return true;
  }

  #linkName(blake3: string, inode: bigint): string {
    return `${this.#independentName(blake3)}-${BigInt.asUintN(64, inode).toString(36)}`;
  }

  #independentName(blake3: string): string {
    return `${this.#dir}/${blake3.slice(0, 2)}/${blake3.slice(2)}`;
  }

  /** A name for one more inode of a content, where the proper one is taken by a mislabelled entry. */
  #freeName(blake3: string, inode: bigint): string {
    for (let other = inode + (1n << 63n); ; other++) {
      const name = this.#linkName(blake3, other);
      if (fs.lstatSync(name, { throwIfNoEntry: false }) === undefined) return name;
    }
  }

  #temporary(): string {
    return path.join(this.#staging, `${TEMPORARY_PREFIX}${this.#random}-${this.#temporaries++}`);
  }

  #touch(blake3: string, what = 1): void {
    this.touched[Number.parseInt(blake3.slice(0, 2), 16)]! |= what;
    this.#shards.delete(blake3.slice(0, 2));
  }
}

function sameInode(a: string, b: string | Buffer): boolean {
  const one = fs.lstatSync(a, { bigint: true, throwIfNoEntry: false });
  const other = fs.lstatSync(b, { bigint: true, throwIfNoEntry: false });
  return one !== undefined && other !== undefined && one.ino === other.ino;
}

/** Only a missing folder is an empty one. */
function readNames(dir: string): string[] {
  try {
    return fs.readdirSync(dir);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function fromBase36(text: string): bigint {
  let value = 0n;
  for (const digit of text) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  return value;
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}
