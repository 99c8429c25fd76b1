import fs from 'node:fs';
import path from 'node:path';
import {
  BkError,
  type ContentHash,
  type ContentSource,
  decodePath,
  type FsName,
  type FsPath,
  filledParts,
  type PlacedContent,
  type RepoPath,
  type Step,
  type StepResult,
  unescapeBytes,
} from '@bk/core';
import { createHasher, hashBytes, hashDescriptor } from './hash.ts';
import { setMtimeOf, setMtimes, type WantedMtime } from './mtimes.ts';
import { nodePath } from './node-path.ts';
import type { TreeFs } from './treefs.ts';

/**
 * Staging: every content that a transaction places is brought onto the disk of `.bk`, hashed, with its mode and times,
 * and made durable, before anything in the tree is touched. What cannot be had whole fails here, alone.
 */
export interface Stage {
  readonly tree: TreeFs;
  /** Absolute path of `.bk`. */
  readonly dot: string;
  /** Absolute path of the transaction's folder in staging. */
  readonly folder: string;
  /** Whether set-uid and set-gid are given to files. */
  readonly special: boolean;
  /** Makes a whole file system durable; false if it cannot. */
  readonly syncFileSystem: (dir: string) => boolean;
  /** Called with the bytes of each file that was read. */
  readonly onFile?: (bytes: number) => void;
}

export type Staged =
  | { readonly ready: true; readonly step: Step }
  | { readonly ready: false; readonly step: Step; readonly result: StepResult };

type PlaceStep = Extract<Step, { do: 'place' }>;

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
const CHUNK = 1 << 20;
/** Above this many files one sync of the file system is cheaper than one for each. */
const FEW = 8;

/** @throws BkError `no-space`, `io` if the disk of `.bk` cannot take it: nothing was changed then */
export function stageSteps(stage: Stage, steps: readonly Step[]): Staged[] {
  const wanted: WantedMtime[] = [];
  const written: { readonly file: string; readonly mode: number }[] = [];
  let reflink = true;
  const staged = steps.map((step, i): Staged => {
    const name = `s${i}`;
    const file = path.join(stage.folder, name);
    if (step.do === 'symlink') {
      const made = stageLink(step, file);
      if (made.ready) wanted.push({ name, mtimeNs: step.mtimeNs });
      return made;
    }
    if (step.do !== 'place') return { ready: true, step };
    const found = firstIntact(stage, step.content, { file, reflink });
    if (found === undefined) {
      return { ready: false, step: withSource(step, path.relative(stage.dot, file)), result: noCopy(step) };
    }
    reflink &&= found.reflink;
    stage.onFile?.(step.content.size);
    const mode = step.mode & (stage.special ? 0o7777 : 0o1777);
    if (found.own) {
      wanted.push({ name, mtimeNs: step.mtimeNs });
      written.push({ file, mode });
    } else dress(path.join(stage.dot, found.source), mode, step.mtimeNs);
    const source = found.own ? path.relative(stage.dot, file) : found.source;
    return { ready: true, step: withSource(step, source) };
  });
  finishFiles(stage, wanted, written);
  return staged;
}

function stageLink(step: Extract<Step, { do: 'symlink' }>, file: string): Staged {
  try {
    fs.symlinkSync(nodePath(unescapeBytes(step.target) ?? ''), file);
    return { ready: true, step };
  } catch (error) {
    if (!KEEPS_NONE.has(String((error as NodeJS.ErrnoException).code))) throw error;
    const reason = 'the file system has no symbolic links';
    return { ready: false, step, result: { step, outcome: 'failed', path: step.path, reason } };
  }
}

function finishFiles(
  stage: Stage,
  wanted: readonly WantedMtime[],
  written: readonly { readonly file: string; readonly mode: number }[],
): void {
  if (wanted.length > 0) setMtimes(stage.folder, wanted);
  const whole = written.length > FEW && stage.syncFileSystem(stage.folder);
  for (const { file, mode } of written) {
    if (!whole) syncPath(file, O_WRONLY);
    chmodIfKept(file, mode);
  }
  if (wanted.length > 0) syncPath(stage.folder, O_RDONLY | fs.constants.O_DIRECTORY);
}

function withSource(step: PlaceStep, source: string): PlaceStep {
  const { blake3, size } = step.content;
  return { ...step, content: { source, how: 'link', blake3, size } };
}

function noCopy(step: Step): StepResult {
  return { step, outcome: 'failed', path: step.path, reason: 'no intact copy of its content is here' };
}

interface Found {
  /** Bytes were brought to the staging file; else `source` itself is to be linked. */
  readonly own: boolean;
  readonly source: string;
  readonly reflink: boolean;
}

function firstIntact(
  stage: Stage,
  content: PlacedContent,
  to: { file: string; reflink: boolean },
): Found | undefined {
  let reflink = to.reflink;
  for (const source of [content, ...(content.instead ?? [])]) {
    const fd = openSource(stage, source);
    if (fd === undefined) continue;
    try {
      if (!fs.fstatSync(fd).isFile()) continue;
      if (source.how === 'link' && source.tree !== true) {
        if (isContent(hashDescriptor(fd), content)) return { own: false, source: source.source, reflink };
        continue;
      }
      reflink &&= cloned(fd, to.file);
      if (isContent(reflink ? hashPath(to.file) : copyOut(fd, to.file), content))
        return { own: true, source: '', reflink };
      fs.rmSync(to.file, { force: true });
    } catch (error) {
      fs.rmSync(to.file, { force: true });
      if (isDiskTrouble(error)) throw diskError(error, to.file);
    } finally {
      fs.closeSync(fd);
    }
  }
  if (content.size > 0 || hashBytes(new Uint8Array(0)) !== content.blake3) return undefined;
  // Of an empty file its record says all.
  fs.writeFileSync(to.file, '', { flag: 'wx', mode: 0o600 });
  return { own: true, source: '', reflink };
}

/** A source that is gone or not to be read is no source; the next one may be. */
function openSource(stage: Stage, source: ContentSource): number | undefined {
  try {
    if (source.tree !== true) {
      return fs.openSync(path.join(stage.dot, source.source), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    }
    const { folder, name } = split(decodePath(source.source as RepoPath));
    return stage.tree.openFile(stage.tree.openFolder(folder), name);
  } catch (error) {
    if (isDiskTrouble(error) && (error as NodeJS.ErrnoException).code !== 'EIO')
      throw diskError(error, source.source);
    return undefined;
  }
}

/** @returns false where the file system does not reflink; the staging file is not there then */
function cloned(fd: number, file: string): boolean {
  const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = fs.constants;
  try {
    fs.copyFileSync(`/proc/self/fd/${fd}`, file, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE);
    fs.chmodSync(file, 0o600);
    return true;
  } catch (error) {
    fs.rmSync(file, { force: true });
    if (isDiskTrouble(error)) throw error;
    return false;
  }
}

function copyOut(from: number, file: string): { hash: ContentHash; size: number } {
  const to = fs.openSync(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    return copyDescriptor(from, to);
  } finally {
    fs.closeSync(to);
  }
}

/** Copies a file from its start into a new one, and hashes what was copied. Holes stay holes. */
export function copyDescriptor(from: number, to: number): { hash: ContentHash; size: number } {
  const chunk = Buffer.allocUnsafe(CHUNK);
  const hasher = createHasher();
  const stat = fs.fstatSync(from);
  const sparse = stat.blocks * 512 < stat.size;
  let size = 0;
  for (
    let read = fs.readSync(from, chunk, 0, CHUNK, 0);
    read > 0;
    read = fs.readSync(from, chunk, 0, CHUNK, size)
  ) {
    const bytes = chunk.subarray(0, read);
    hasher.update(bytes);
    for (const [start, end] of sparse ? filledParts(bytes, size) : [[0, read] as const])
      for (let at = start; at < end; ) at += fs.writeSync(to, bytes, at, end - at, size + at);
    size += read;
  }
  if (sparse) fs.ftruncateSync(to, size);
  return { hash: hasher.digest(), size };
}

/** Hash and size of an ordinary file of bk's own. */
export function hashPath(file: string): { hash: ContentHash; size: number } {
  const fd = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    return hashDescriptor(fd);
  } finally {
    fs.closeSync(fd);
  }
}

export function isContent(found: { hash: ContentHash; size: number }, wanted: PlacedContent): boolean {
  return found.hash === wanted.blake3 && found.size === wanted.size;
}

/** The folder and the last name of a path. */
export function split(whole: FsPath): { readonly folder: FsPath; readonly name: FsName } {
  const slash = whole.lastIndexOf('/');
  return {
    folder: (slash < 0 ? '' : whole.slice(0, slash)) as FsPath,
    name: whole.slice(slash + 1) as FsName,
  };
}

/**
 * A content that is linked from where it lies gets its mode and time before it has a name in the tree, if it has none
 * there yet. bk itself goes on to be able to read and write it: that is taken away when it is in its place.
 */
function dress(file: string, mode: number, mtimeNs: bigint): void {
  const { nlink, mtimeNs: now } = fs.lstatSync(file, { bigint: true });
  if (nlink > 1n) return;
  try {
    if (now !== mtimeNs) setMtimeOf(file, mtimeNs);
  } catch (error) {
    if (!KEEPS_NONE.has(String((error as NodeJS.ErrnoException).code))) throw error;
  }
  chmodIfKept(file, mode | 0o600);
}

/** A file system that keeps no modes says so, or says nothing; both are no failure. */
function chmodIfKept(file: string, mode: number): void {
  try {
    fs.chmodSync(file, mode);
  } catch (error) {
    if (!KEEPS_NONE.has(String((error as NodeJS.ErrnoException).code))) throw error;
  }
}

/** What a file system answers that has no such thing as a mode, or a time like that. */
export const KEEPS_NONE: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EINVAL',
]);

function syncPath(file: string, flags: number): void {
  const fd = fs.openSync(file, flags | O_NOFOLLOW);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

const DISK_TROUBLE = new Set([
  'EIO',
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'ENOMEM',
  'ESTALE',
  'ENODEV',
  'EMFILE',
  'ENFILE',
]);

/** The disk, not the file: there is no point in going on. */
export function isDiskTrouble(error: unknown): boolean {
  return DISK_TROUBLE.has(String((error as NodeJS.ErrnoException).code));
}

export function diskError(error: unknown, where: string): BkError {
  const code = String((error as NodeJS.ErrnoException).code);
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  const what = `cannot write ${where}: ${full ? 'no space left' : code === 'EROFS' ? 'the file system is read-only' : `the disk says ${code}`}`;
  const hint = full
    ? 'free some space, then give the same command again'
    : 'look after the disk, then give the same command again';
  return new BkError(full ? 'no-space' : 'io', what, { hint, path: where, cause: error });
}
