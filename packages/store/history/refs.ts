import fs from 'node:fs';
import path from 'node:path';
import { BkError, compareNames, type GitId } from '@bk/core';
import { fsyncDirectory, writeFully } from '../durable.ts';
import { makeFolder } from './init.ts';

const ID = /^[0-9a-f]{40}$/;
/** Longest that a lock of another program (git) is waited for. */
const LOCK_WAIT_MS = 1000;
const LOCK_POLL_MS = 10;

/** Git's rules for a ref name, narrowed: below `refs/`, at least three parts, none of which could be a path or a lock. */
export function isRefName(name: string): boolean {
  const parts = name.split('/');
  if (parts.length < 3 || parts[0] !== 'refs' || name.length > 1000 || !name.isWellFormed()) return false;
  return parts.every(isRefPart) && !name.includes('@{');
}

function isRefPart(part: string): boolean {
  if (
    part === '' ||
    part.startsWith('.') ||
    part.startsWith('-') ||
    part.endsWith('.') ||
    part.endsWith('.lock')
  )
    return false;
  return !part.includes('..') && !/[\u0000-\u0020\u007f~^:?*[\\]/.test(part);
}

export function checkRefName(name: string): void {
  if (!isRefName(name)) throw new BkError('usage', `not a ref name: ${JSON.stringify(name)}`);
}

/** The commit a ref names, loose or packed; undefined only if there is no such ref. @throws BkError 'damaged' for a ref file that is empty or garbage */
export function readRef(historyDir: string, name: string): GitId | undefined {
  checkRefName(name);
  const text = readIfThere(path.join(historyDir, name));
  if (text !== undefined) return parseRefFile(name, text);
  return packedRefs(historyDir).get(name);
}

function parseRefFile(name: string, text: string): GitId {
  const id = text.endsWith('\n') ? text.slice(0, -1).trimEnd() : text;
  if (ID.test(id)) return id as GitId;
  throw new BkError('damaged', `the ref ${name} of the history is damaged: it names no object`, {
    hint: 'run `bk check`',
    path: name,
  });
}

/** A folder where the file would be means that there is no such ref. */
function readIfThere(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined;
    throw error;
  }
}

/** Refs that `git gc` moved into one file; a loose ref of the same name is newer. */
export function packedRefs(historyDir: string): Map<string, GitId> {
  const refs = new Map<string, GitId>();
  const text = readIfThere(path.join(historyDir, 'packed-refs')) ?? '';
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#') || line.startsWith('^')) continue;
    const id = line.slice(0, 40);
    const name = line.slice(41);
    if (!ID.test(id) || line[40] !== ' ' || name === '') {
      throw new BkError('damaged', 'packed-refs of the history is damaged: a line is no ref', {
        hint: 'run `bk check`',
      });
    }
    refs.set(name, id as GitId);
  }
  return refs;
}

/** All refs whose name begins with `prefix` (a folder: `refs/bk/repositories/`), by name. @throws BkError 'damaged' */
export function listRefs(historyDir: string, prefix: string): [name: string, id: GitId][] {
  if (!/^refs\/([^/]+\/)*$/.test(prefix) || prefix.split('/').includes('..')) {
    throw new BkError('usage', `not a folder of refs: ${JSON.stringify(prefix)}`);
  }
  const refs = new Map<string, GitId>();
  for (const [name, id] of packedRefs(historyDir)) if (name.startsWith(prefix)) refs.set(name, id);
  const folders = [prefix];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of entriesOf(path.join(historyDir, folder))) {
      const name = folder + entry.name;
      if (entry.isDirectory()) folders.push(`${name}/`);
      else if (!name.endsWith('.lock')) {
        const text = readIfThere(path.join(historyDir, name));
        if (text !== undefined) refs.set(name, parseRefFile(name, text));
      }
    }
  }
  return [...refs].sort(([a], [b]) => compareNames(a, b));
}

function entriesOf(folder: string): fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export interface UpdateRefOptions {
  /** The caller holds bk's own exclusive lock: a lock file older than this process is a dead process' and is removed. */
  readonly exclusive?: boolean;
}

/**
 * Moves a ref from `expected` (undefined: there must be none) to `next`, durably, under git's lock file. Synced before
 * it appears, so the ref is the old one or the new one after a power cut.
 * @throws BkError 'refused' if the ref is not at `expected`, 'locked' if another program holds its lock
 */
export function updateRef(
  historyDir: string,
  name: string,
  expected: GitId | undefined,
  next: GitId,
  options: UpdateRefOptions = {},
): void {
  checkRefName(name);
  if (!ID.test(next)) throw new BkError('bug', `cannot set ${name}: ${next} is no object id`);
  const file = path.join(historyDir, name);
  makeFolders(historyDir, path.dirname(name));
  const lock = `${file}.lock`;
  const fd = takeLock(lock, name, options.exclusive ?? false);
  try {
    try {
      const current = readRef(historyDir, name);
      if (current !== expected) throw movedError(name, current, expected);
      writeFully(fd, Buffer.from(`${next}\n`));
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(lock, file);
  } catch (error) {
    fs.rmSync(lock, { force: true });
    throw error;
  }
  fsyncDirectory(path.dirname(file));
}

function movedError(name: string, current: GitId | undefined, expected: GitId | undefined): BkError {
  const message = `cannot move ${name}: it is at ${current ?? 'nothing'}, not at ${expected ?? 'nothing'}`;
  return new BkError('refused', message, {
    hint: 'another process committed meanwhile; run the command again',
  });
}

function makeFolders(historyDir: string, folder: string): void {
  const parts = folder.split('/');
  for (let i = 1; i <= parts.length; i++) makeFolder(path.join(historyDir, ...parts.slice(0, i)));
}

/** Makes git's lock file of a ref (or of packed-refs). @param name for people. @returns its descriptor */
export function takeLock(lock: string, name: string, exclusive: boolean): number {
  const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants;
  for (let waited = 0; ; waited += LOCK_POLL_MS) {
    try {
      return fs.openSync(lock, O_WRONLY | O_CREAT | O_EXCL, 0o644);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (exclusive && isOlderThanProcess(lock)) fs.rmSync(lock, { force: true });
    else if (waited >= LOCK_WAIT_MS) {
      const hint = `if no git command is running in the history, remove ${lock}`;
      throw new BkError('locked', `cannot move ${name}: another program holds its lock`, {
        path: lock,
        hint,
      });
    } else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
}

function isOlderThanProcess(lock: string): boolean {
  const stat = fs.lstatSync(lock, { throwIfNoEntry: false });
  return stat !== undefined && stat.mtimeMs < performance.timeOrigin;
}
