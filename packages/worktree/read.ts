import fs from 'node:fs';
import { type ContentHash, HASH_BYTES, STAT, STAT_WIDTH } from '@bk/core';
import { hashBytes, hashDescriptor } from './hash.ts';
import { LONG_PATH, withHeldDirectory } from './long-path.ts';
import { nodePath } from './node-path.ts';
import { reasonOf } from './scan.ts';

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
  readonly failures: readonly (readonly [number, string])[];
}

export const BUSY = 'changing while it was read';

/**
 * Hashes contents. A hash counts only if the file is the one that the scan saw and has not changed since:
 * the open file's stat after the read must equal the scan's, ctime included; else it is reported as busy.
 */
export function readContents(task: ReadTask, onFile?: (bytes: number) => void): ReadResult {
  const paths = task.paths.split('\0');
  const hashes = Buffer.alloc(paths.length * HASH_BYTES);
  const targets: [number, string][] = [];
  const failures: [number, string][] = [];
  paths.forEach((path, i) => {
    try {
      const expected = task.stats.subarray(i * STAT_WIDTH, (i + 1) * STAT_WIDTH);
      const content = place(task.root, path, (at) => (task.links[i] === 1 ? readTarget(at) : readFile(at, expected, onFile)));
      if (content === undefined) failures.push([i, BUSY]);
      else hashes.write(content.hash, i * HASH_BYTES, 'hex');
      if (content?.target !== undefined) targets.push([i, content.target]);
      onFile?.(0);
    } catch (error) {
      failures.push([i, reasonOf(error)]);
    }
  });
  return { hashes, targets, failures };
}

interface Content {
  readonly hash: ContentHash;
  readonly target?: string;
}

function place<T>(root: string, path: string, work: (at: string) => T): T {
  if (root.length + path.length < LONG_PATH) return work(`${root}/${path}`);
  const slash = path.lastIndexOf('/');
  return withHeldDirectory(root, path.slice(0, Math.max(slash, 0)), (held) => work(`${held}/${path.slice(slash + 1)}`));
}

const OPEN_FILE = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;

function readFile(at: string, expected: BigInt64Array, onBytes?: (bytes: number) => void): Content | undefined {
  const fd = fs.openSync(nodePath(at), OPEN_FILE);
  try {
    const { hash, size } = hashDescriptor(fd, Number(expected[STAT.size]), onBytes);
    const now = fs.fstatSync(fd, { bigint: true });
    const unchanged =
      now.isFile() &&
      BigInt(size) === expected[STAT.size] &&
      now.size === expected[STAT.size] &&
      now.mtimeNs === expected[STAT.mtime] &&
      now.ctimeNs === expected[STAT.ctime] &&
      BigInt.asIntN(64, now.ino) === expected[STAT.inode];
    return unchanged ? { hash } : undefined;
  } finally {
    fs.closeSync(fd);
  }
}

function readTarget(at: string): Content {
  const target = fs.readlinkSync(nodePath(at), 'latin1');
  return { hash: hashBytes(Buffer.from(target, 'latin1')), target };
}
