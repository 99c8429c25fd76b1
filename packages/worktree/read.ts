import fs from 'node:fs';
import { type ContentFacts, type ContentHash, HASH_BYTES, STAT, STAT_WIDTH } from '@bk/core';
import { hashBytes, hashDescriptor } from './hash.ts';
import { withPlace } from './long-path.ts';
import { nodePath } from './node-path.ts';
import { putStat, reasonOf } from './scan.ts';

/** Files to be read: their paths below the root (byte strings, joined by NUL) and the stat that a scan saw. */
export interface ReadTask {
  readonly root: string;
  readonly paths: string;
  /** 1: a symlink, whose target is its content. */
  readonly links: Uint8Array;
  readonly stats: BigInt64Array;
}

export interface ReadResult {
  /** HASH_BYTES for each file; zero where it could not be read. */
  readonly hashes: Uint8Array;
  /** Targets of symlinks (byte strings) by place. */
  readonly targets: readonly (readonly [number, string])[];
  /** Of those that are media, by place; none if they were not asked for. */
  readonly facts: readonly (readonly [number, ContentFacts])[];
  readonly failures: readonly (readonly [number, string])[];
}

export const BUSY = 'changing while it was read';

/** Reads an open file: see readContent, hashDescriptor. */
export type ReadOpen = (
  fd: number,
  expected: number,
  onBytes?: (bytes: number) => void,
) => { readonly hash: ContentHash; readonly size: number; readonly facts?: ContentFacts };

export interface MediaReader {
  /** A hash and media facts, of an open file. */
  readonly read: ReadOpen;
  /** Whether an open file begins as media. */
  readonly begins: (fd: number, size: number) => boolean;
}

/** For those who want media facts too: the code is loaded when it is asked for. */
export async function mediaReader(): Promise<MediaReader> {
  const { readContent, beginsSo } = await import('./media/content-facts.ts');
  return { read: readContent, begins: beginsSo };
}

/**
 * Hashes contents. A hash counts only if the file (or link) is the one that the scan saw and has not changed since:
 * its stat after the read must equal the scan's, ctime included; else it is reported as busy.
 */
export function readContents(
  task: ReadTask,
  onFile?: (bytes: number) => void,
  readOpen: ReadOpen = hashDescriptor,
): ReadResult {
  const paths = task.paths.split('\0');
  const hashes = Buffer.alloc(paths.length * HASH_BYTES);
  const targets: [number, string][] = [];
  const facts: [number, ContentFacts][] = [];
  const failures: [number, string][] = [];
  paths.forEach((path, i) => {
    try {
      const expected = task.stats.subarray(i * STAT_WIDTH, (i + 1) * STAT_WIDTH);
      const content = withPlace(task.root, path, (at) =>
        task.links[i] === 1 ? readTarget(at, expected) : readFile(at, { expected, readOpen }, onFile),
      );
      if (content === undefined) failures.push([i, BUSY]);
      else hashes.write(content.hash, i * HASH_BYTES, 'hex');
      if (content?.target !== undefined) targets.push([i, content.target]);
      if (content?.facts !== undefined) facts.push([i, content.facts]);
      onFile?.(0);
    } catch (error) {
      failures.push([i, reasonOf(error)]);
    }
  });
  return { hashes, targets, facts, failures };
}

interface Content {
  readonly hash: ContentHash;
  readonly target?: string;
  readonly facts?: ContentFacts;
}

const OPEN_FILE = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;

function readFile(
  at: string,
  { expected, readOpen }: { readonly expected: BigInt64Array; readonly readOpen: ReadOpen },
  onBytes?: (bytes: number) => void,
): Content | undefined {
  const fd = fs.openSync(nodePath(at), OPEN_FILE);
  try {
    const { size, ...content } = readOpen(fd, Number(expected[STAT.size]), onBytes);
    const stat = fs.fstatSync(fd, { bigint: true });
    return BigInt(size) === stat.size && stat.isFile() && isAsSeen(stat, expected) ? content : undefined;
  } finally {
    fs.closeSync(fd);
  }
}

function readTarget(at: string, expected: BigInt64Array): Content | undefined {
  const target = fs.readlinkSync(nodePath(at), 'latin1');
  const stat = fs.lstatSync(nodePath(at), { bigint: true });
  if (!stat.isSymbolicLink() || !isAsSeen(stat, expected)) return undefined;
  return { hash: hashBytes(Buffer.from(target, 'latin1')), target };
}

const now = new BigInt64Array(STAT_WIDTH);
const COMPARED = [STAT.inode, STAT.size, STAT.mtime, STAT.ctime];

/** Times are compared as columns: as such they wrap after 2262. */
function isAsSeen(stat: fs.BigIntStats, expected: BigInt64Array): boolean {
  putStat(now, 0, stat);
  return COMPARED.every((column) => now[column] === expected[column]);
}
