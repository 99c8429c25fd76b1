import type { EntryType, SeenEntry, TrackedEntry } from './entry.ts';
import { EMPTY_CONTENT, type Observed, type Occupied } from './evidence.ts';
import { type ContentHash, contentHash, type GitId, newObjectId } from './ids.ts';
import { parentOf, type RepoPath } from './path.ts';

/** A file system as small as tests need it: names for inodes. */
interface Node {
  readonly type: EntryType;
  readonly inode: bigint;
  readonly birthNs: bigint;
  content: string;
  mtimeNs: bigint;
  ctimeNs: bigint;
  mode: number;
}

/** A stand-in for BLAKE3: distinct for distinct texts of the tests. */
export function fakeHash(content: string): ContentHash {
  if (content === '') return EMPTY_CONTENT;
  let hex = '';
  for (let seed = 1; hex.length < 64; seed++) {
    let h = 0x811c9dc5 ^ seed;
    for (let i = 0; i < content.length; i++) h = Math.imul(h ^ content.charCodeAt(i), 0x01000193 + seed * 2);
    hex += (h >>> 0).toString(16).padStart(8, '0');
  }
  return contentHash(hex.slice(0, 64));
}

export class Disk {
  readonly nodes = new Map<string, Node>();
  #now = 1_000n;
  #inodes = 100n;

  write(path: string, content: string, type: EntryType = 'file'): void {
    const now = this.#tick();
    const inode = this.#inodes++;
    const mode = type === 'file' ? 0o644 : type === 'dir' ? 0o700 : 0o777;
    this.nodes.set(path, { type, inode, birthNs: now, content, mtimeNs: now, ctimeNs: now, mode });
  }

  /** In place: the inode stays. */
  edit(path: string, content: string): void {
    const node = this.#at(path);
    node.content = content;
    node.mtimeNs = node.ctimeNs = this.#tick();
  }

  /** The bytes change, the stat does not. */
  rot(path: string, content: string): void {
    this.#at(path).content = content;
  }

  touch(path: string): void {
    const node = this.#at(path);
    node.mtimeNs = node.ctimeNs = this.#tick();
  }

  chmod(path: string, mode: number): void {
    const node = this.#at(path);
    node.mode = mode;
    node.ctimeNs = this.#tick();
  }

  /** Renames a file or whatever lies below a folder; overwrites like `mv`. */
  mv(from: string, to: string): void {
    for (const [path, node] of [...this.nodes]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.nodes.delete(path);
      node.ctimeNs = this.#tick();
      this.nodes.set(to + path.slice(from.length), node);
    }
  }

  /** To another file system and back: contents and times are kept, inodes are not. */
  remake(from: string, to: string): void {
    for (const [path, node] of [...this.nodes]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.rm(path);
      this.write(to + path.slice(from.length), node.content, node.type);
      this.#at(to + path.slice(from.length)).mtimeNs = node.mtimeNs;
    }
  }

  cp(from: string, to: string): void {
    const node = this.#at(from);
    this.write(to, node.content, node.type);
  }

  ln(from: string, to: string): void {
    const node = this.#at(from);
    node.ctimeNs = this.#tick();
    this.nodes.set(to, node);
  }

  rm(path: string): void {
    this.#at(path).ctimeNs = this.#tick();
    this.nodes.delete(path);
  }

  #at(path: string): Node {
    const node = this.nodes.get(path);
    if (node === undefined) throw new Error(`no such file on the test's disk: ${path}`);
    return node;
  }

  #tick(): bigint {
    return this.#now++;
  }
}

/** What was committed of a disk, and the change times the index remembers. */
export interface Head {
  readonly entries: readonly TrackedEntry[];
  readonly ctimes: ReadonlyMap<string, bigint>;
  readonly objectsIn: (folder: RepoPath) => number;
}

export function commitOf(disk: Disk): Head {
  const entries: TrackedEntry[] = [];
  const ctimes = new Map<string, bigint>();
  const counts = new Map<RepoPath, number>();
  for (const [path, node] of disk.nodes) {
    const { type, inode, birthNs, mtimeNs, mode } = node;
    const place = { path: path as RepoPath, type, inode, birthNs, mtimeNs, mode };
    const id = newObjectId(entries.length, new Uint8Array(10));
    const size = type === 'dir' ? 0 : node.content.length;
    const content = type === 'dir' ? {} : { blake3: fakeHash(node.content) };
    entries.push({ ...place, ...content, id, size, record: '0'.repeat(40) as GitId });
    ctimes.set(path, node.ctimeNs);
    const folder = parentOf(place.path);
    if (type !== 'dir') counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return { entries, ctimes, objectsIn: (folder) => counts.get(folder) ?? 0 };
}

/** A complete scan against the head. `read`: with all contents, else with none. */
export function observe(head: Head, disk: Disk, options: { readonly read: boolean }): Observed {
  const gone: TrackedEntry[] = [];
  const occupied: Occupied[] = [];
  const added: SeenEntry[] = [];
  const known = new Set<string>();
  for (const tracked of head.entries) {
    known.add(tracked.path);
    const node = disk.nodes.get(tracked.path);
    if (node === undefined) gone.push(tracked);
    else if (!isUnchanged(tracked, node, head)) {
      occupied.push({ tracked, seen: seenAt(tracked.path, node, disk, options.read) });
    }
  }
  for (const [path, node] of disk.nodes)
    if (!known.has(path)) added.push(seenAt(path, node, disk, options.read));
  return { gone, occupied, added };
}

function isUnchanged(tracked: TrackedEntry, node: Node, head: Head): boolean {
  return (
    tracked.type === node.type &&
    tracked.inode === node.inode &&
    tracked.birthNs === node.birthNs &&
    tracked.mtimeNs === node.mtimeNs &&
    head.ctimes.get(tracked.path) === node.ctimeNs
  );
}

function seenAt(path: string, node: Node, disk: Disk, read: boolean): SeenEntry {
  const { type, inode, birthNs, mtimeNs, ctimeNs, mode } = node;
  const links = [...disk.nodes.values()].filter((other) => other === node).length;
  const size = type === 'dir' ? 4096 : node.content.length;
  const place = { path: path as RepoPath, type, inode, birthNs, mtimeNs, ctimeNs, mode, links, size };
  return read && type !== 'dir' ? { ...place, blake3: fakeHash(node.content) } : place;
}

/** Fills in contents as reading the files would. */
export function readContents(observed: Observed, wanted: readonly SeenEntry[], disk: Disk): Observed {
  const paths = new Set(wanted.map((seen) => seen.path));
  const read = (seen: SeenEntry): SeenEntry =>
    paths.has(seen.path) ? { ...seen, blake3: fakeHash(disk.nodes.get(seen.path)!.content) } : seen;
  return {
    gone: observed.gone,
    occupied: observed.occupied.map(({ tracked, seen }) => ({ tracked, seen: read(seen) })),
    added: observed.added.map(read),
  };
}
