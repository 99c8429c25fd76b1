import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { BkError, type GitId } from '@bk/core';
import { MAX_OBJECT_BYTES } from './delta.ts';
import type { GitKind } from './pack-entry.ts';

function looseFile(historyDir: string, id: GitId): string {
  return path.join(historyDir, 'objects', id.slice(0, 2), id.slice(2));
}

export function hasLoose(historyDir: string, id: GitId): boolean {
  return fs.lstatSync(looseFile(historyDir, id), { throwIfNoEntry: false }) !== undefined;
}

/** An object that git stored as a file of its own; undefined if there is none. @throws BkError 'damaged' */
export function readLoose(historyDir: string, id: GitId): { kind: GitKind; data: Buffer } | undefined {
  const packed = readBounded(looseFile(historyDir, id));
  if (packed === undefined) return undefined;
  let whole: Buffer;
  try {
    whole = zlib.inflateSync(packed, { maxOutputLength: MAX_OBJECT_BYTES });
  } catch (error) {
    throw new BkError('damaged', 'its compressed data cannot be read', { cause: error });
  }
  const end = whole.subarray(0, 32).indexOf(0);
  const match = /^(commit|tree|blob|tag) (0|[1-9]\d*)$/.exec(whole.toString('latin1', 0, Math.max(end, 0)));
  if (match === null || Number(match[2]) !== whole.length - end - 1)
    throw new BkError('damaged', 'its header is wrong');
  return { kind: match[1] as GitKind, data: whole.subarray(end + 1) };
}

function readBounded(file: string): Buffer | undefined {
  let fd: number;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    if (fs.fstatSync(fd).size > MAX_OBJECT_BYTES) throw new BkError('damaged', 'it is too large');
    return fs.readFileSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Ids of loose objects that begin with these hex digits (at least 2). */
export function looseWithPrefix(historyDir: string, prefix: string): GitId[] {
  const folder = prefix.slice(0, 2);
  let names: string[];
  try {
    names = fs.readdirSync(path.join(historyDir, 'objects', folder));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names
    .map((name) => folder + name)
    .filter((id) => /^[0-9a-f]{40}$/.test(id) && id.startsWith(prefix)) as GitId[];
}
