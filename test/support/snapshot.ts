import fs from 'node:fs';
import { blake3 } from '@napi-rs/blake-hash';
import { bytePath } from '../../fixtures/byte-path.ts';

export type SnapshotType = 'file' | 'dir' | 'symlink' | 'other';

export interface SnapshotEntry {
  readonly type: SnapshotType;
  /** Of a file's bytes or a link's target; '' for the rest. */
  readonly blake3: string;
  readonly size: number;
  readonly mode: number;
  readonly mtimeNs: bigint;
  readonly inode: bigint;
  readonly links: bigint;
}

/** Byte string of the path below the folder (one char per byte) to what lies there; sorted by path. */
export type Snapshot = ReadonlyMap<string, SnapshotEntry>;

export interface SnapshotOptions {
  /** `.bk` at the top, too; else it is left out. */
  readonly withBk?: boolean;
  /** Another name at the top that is left out. */
  readonly without?: string;
}

/** Looks with its own eyes (readdir, lstat, read): shares no code with bk. */
export function snapshot(dir: string, { withBk, without }: SnapshotOptions = {}): Snapshot {
  const found = new Map<string, SnapshotEntry>();
  const visit = (relative: string) => {
    for (const raw of fs.readdirSync(bytePath(dir, relative), { encoding: 'buffer' })) {
      const name = raw.toString('latin1');
      if (relative === '' && (name === without || (name === '.bk' && withBk !== true))) continue;
      const child = relative === '' ? name : `${relative}/${name}`;
      const entry = look(bytePath(dir, child));
      found.set(child, entry);
      if (entry.type === 'dir') visit(child);
    }
  };
  visit('');
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function look(file: Buffer | string): SnapshotEntry {
  const stat = fs.lstatSync(file, { bigint: true });
  const type = stat.isFile()
    ? 'file'
    : stat.isDirectory()
      ? 'dir'
      : stat.isSymbolicLink()
        ? 'symlink'
        : 'other';
  const bytes =
    type === 'file'
      ? fs.readFileSync(file)
      : type === 'symlink'
        ? fs.readlinkSync(file, { encoding: 'buffer' })
        : null;
  return {
    type,
    blake3: bytes === null ? '' : hashOf(bytes),
    size: Number(stat.size),
    mode: Number(stat.mode & 0o7777n),
    mtimeNs: stat.mtimeNs,
    inode: stat.ino,
    links: stat.nlink,
  };
}

export function hashOf(bytes: Buffer): string {
  return blake3(bytes).toString('hex');
}

export interface CompareOptions {
  /** Files put back are new inodes. */
  readonly inode?: boolean;
  /** False: files made at another time. */
  readonly times?: boolean;
  /** Folder times change with their contents, so they are never compared. */
  readonly ignore?: (path: string) => boolean;
}

/** Differences as sentences, for `expect(...).toEqual([])`; link counts are not compared (the net adds links). */
export function differences(before: Snapshot, after: Snapshot, options: CompareOptions = {}): string[] {
  const found: string[] = [];
  for (const [path, was] of before) {
    if (options.ignore?.(path)) continue;
    const is = after.get(path);
    if (is === undefined) found.push(`${show(path)} is gone`);
    else found.push(...changed(was, is, options).map((what) => `${show(path)}: ${what}`));
  }
  for (const path of after.keys()) {
    if (!before.has(path) && !options.ignore?.(path)) found.push(`${show(path)} is new`);
  }
  return found;
}

function changed(
  was: SnapshotEntry,
  is: SnapshotEntry,
  { inode = true, times = true }: CompareOptions,
): string[] {
  if (was.type !== is.type) return [`was a ${was.type}, is a ${is.type}`];
  const found: string[] = [];
  if (was.blake3 !== is.blake3)
    found.push(`content ${was.blake3.slice(0, 8)} became ${is.blake3.slice(0, 8)}`);
  if (was.type !== 'symlink' && was.mode !== is.mode)
    found.push(`mode ${was.mode.toString(8)} became ${is.mode.toString(8)}`);
  if (times && was.type === 'file' && was.mtimeNs !== is.mtimeNs)
    found.push(`mtime ${was.mtimeNs} became ${is.mtimeNs}`);
  if (inode && was.inode !== is.inode) found.push(`inode ${was.inode} became ${is.inode}`);
  return found;
}

export function show(path: string): string {
  return JSON.stringify(path);
}

/** Hashes of all non-empty files that lie anywhere in `dir`. */
export function contentsOf(tree: Snapshot): Set<string> {
  return new Set([...tree.values()].filter((entry) => entry.type === 'file').map((entry) => entry.blake3));
}
