import { BkError, type GitId } from '@bk/core';
import { type CommitObject, parseCommit } from './commit-object.ts';
import { applyDelta, MAX_OBJECT_BYTES } from './delta.ts';
import { hasLoose, looseWithPrefix, readLoose } from './loose.ts';
import { objectName } from './object-name.ts';
import { type GitKind, type PackEntry, readPackEntry } from './pack-entry.ts';
import { type Pack, PackList } from './pack-list.ts';
import { PackWindows } from './pack-windows.ts';
import { parseTree, type TreeEntry } from './tree-object.ts';

/** git's own limit for `pack.depth` is 4095. */
const DEEPEST_DELTA = 4096;
/** Most bytes of deltas that are held while one object is put together. */
const MOST_DELTA_BYTES = MAX_OBJECT_BYTES;
const BASE_CACHE_BYTES = 16 * 1024 * 1024;

/** What can be asked of the history, and of new objects over it. */
export type ObjectReader = Pick<HistoryReader, 'readTree' | 'readBlobText' | 'readCommit'>;

interface GitObject {
  readonly kind: GitKind;
  readonly data: Buffer;
}

/**
 * Reads the history: packs (deltas of both kinds, 64-bit offsets, any number of packs) and loose objects.
 * Memory: the packs' indexes (28 bytes an object), 32 MiB of windows, 16 MiB of delta bases. Every object is checked
 * against its name before it is handed out; if one copy is damaged, another is looked for. Foreign configuration,
 * alternates and hooks are never read.
 */
export class HistoryReader {
  readonly #historyDir: string;
  readonly #packs: PackList;
  readonly #windows = new PackWindows();
  readonly #bases = new Map<string, GitObject>();
  #baseBytes = 0;
  readonly #wanted = Buffer.alloc(20);

  /** @param historyDir the bare repository (`layout.history`) */
  constructor(historyDir: string) {
    this.#historyDir = historyDir;
    this.#packs = new PackList(historyDir);
  }

  /** Entries in git's order. @throws BkError 'damaged' if it is missing, no tree, or does not match its name */
  readTree(id: GitId): readonly TreeEntry[] {
    const body = this.#read(id, 'tree');
    return explain(id, undefined, () => parseTree(body));
  }

  /** A copy of the blob's bytes. @throws BkError 'damaged' */
  readBlob(id: GitId): Buffer {
    return Buffer.from(this.#read(id, 'blob'));
  }

  /** The blob as UTF-8 text: a record. @throws BkError 'damaged' */
  readBlobText(id: GitId): string {
    return this.#read(id, 'blob').toString();
  }

  /** @throws BkError 'damaged' */
  readCommit(id: GitId): CommitObject {
    const body = this.#read(id, 'commit');
    return explain(id, undefined, () => parseCommit(body.toString(), id));
  }

  has(id: GitId): boolean {
    if (this.hasPacked(id) || hasLoose(this.#historyDir, id)) return true;
    this.#packs.refresh();
    return this.hasPacked(id);
  }

  /** Like `has`, but only in the packs known so far: no system call, for asking about many new objects. */
  hasPacked(id: GitId): boolean {
    return this.#packs.find(this.#bytes(id)) !== undefined;
  }

  /** Commits whose id begins with these hex digits (at least 4), sorted. Shorter or other text: none. */
  resolve(prefix: string): GitId[] {
    if (!/^[0-9a-f]{4,40}$/.test(prefix)) return [];
    this.#packs.refresh();
    const ids = new Set([...this.#packs.withPrefix(prefix), ...looseWithPrefix(this.#historyDir, prefix)]);
    return [...ids].sort().filter((id) => this.#find(id).kind === 'commit');
  }

  /** Looks at the folder of packs again. Missing objects do so by themselves, once. */
  refresh(): void {
    this.#packs.refresh();
  }

  /** Closes files and drops caches; using the reader again opens them anew. */
  close(): void {
    this.#windows.close();
    this.#bases.clear();
    this.#baseBytes = 0;
  }

  #bytes(id: GitId): Buffer {
    this.#wanted.write(id, 0, 20, 'hex');
    return this.#wanted;
  }

  #read(id: GitId, kind: GitKind): Buffer {
    const object = this.#find(id);
    if (object.kind === kind) return object.data;
    throw new BkError('damaged', `object ${id} of the history is a ${object.kind}, not a ${kind}`, {
      hint: 'run `bk check`',
    });
  }

  #find(id: GitId): GitObject {
    const failures: BkError[] = [];
    const object = this.#findOnce(id, failures) ?? this.#findAgain(id, failures);
    if (object !== undefined) return object;
    const reason = failures[0] ?? this.#packs.setAside.values().next().value;
    if (reason !== undefined) throw reason;
    throw new BkError('damaged', `object ${id} is missing from the history`, { hint: 'run `bk check`' });
  }

  #findAgain(id: GitId, failures: BkError[]): GitObject | undefined {
    this.#packs.refresh();
    return this.#findOnce(id, failures);
  }

  #findOnce(id: GitId, failures: BkError[]): GitObject | undefined {
    let place = this.#packs.find(this.#bytes(id));
    while (place !== undefined) {
      const { pack, offset } = place;
      const object = this.#attempt(id, pack, failures, () => this.#readPacked(pack, offset));
      if (object !== undefined) return object;
      place = this.#packs.find(this.#bytes(id), pack);
    }
    return this.#attempt(id, undefined, failures, () => readLoose(this.#historyDir, id));
  }

  /** One copy of an object, checked against its name; undefined (and the reason noted) if it is no good or gone. */
  #attempt(
    id: GitId,
    pack: Pack | undefined,
    failures: BkError[],
    read: () => GitObject | undefined,
  ): GitObject | undefined {
    try {
      return explain(id, pack, () => {
        const object = read();
        if (object !== undefined && objectName(object.kind, object.data) !== id) {
          throw new BkError('damaged', 'its bytes do not match its name');
        }
        return object;
      });
    } catch (error) {
      if (error instanceof BkError && error.code === 'damaged') failures.push(error);
      else if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return undefined;
    }
  }

  /** Goes down the chain of deltas to a whole object, then applies them on the way back. */
  #readPacked(startPack: Pack, startOffset: number): GitObject {
    const deltas: { key: string; data: Buffer }[] = [];
    let pack = startPack;
    let offset = startOffset;
    let bytes = 0;
    let base: GitObject | undefined;
    for (;;) {
      const key = `${pack.key}:${offset}`;
      base = this.#cachedBase(key);
      if (base !== undefined) break;
      const entry = readPackEntry(this.#windows, pack, offset);
      if (entry.kind !== undefined) {
        base = { kind: entry.kind, data: entry.data };
        if (deltas.length > 0) this.#cacheBase(key, base);
        break;
      }
      bytes += entry.data.length;
      deltas.push({ key, data: entry.data });
      if (deltas.length > DEEPEST_DELTA || bytes > MOST_DELTA_BYTES)
        throw new BkError('damaged', 'its chain of deltas has no end');
      ({ pack, offset } = this.#baseOf(entry, pack));
    }
    for (let i = deltas.length - 1; i >= 0; i--) {
      const { key, data } = deltas[i]!;
      base = { kind: base.kind, data: applyDelta(base.data, data) };
      if (i > 0) this.#cacheBase(key, base);
    }
    return base;
  }

  #baseOf(entry: PackEntry, pack: Pack): { pack: Pack; offset: number } {
    if (entry.baseOffset !== undefined) return { pack, offset: entry.baseOffset };
    const id = Buffer.from(entry.baseId!);
    const offset = this.#packs.findIn(pack, id);
    if (offset >= 0) return { pack, offset };
    const elsewhere = this.#packs.find(id);
    if (elsewhere === undefined)
      throw new BkError('damaged', `the base of its delta, ${id.toString('hex')}, is missing`);
    return elsewhere;
  }

  #cachedBase(key: string): GitObject | undefined {
    const base = this.#bases.get(key);
    if (base === undefined) return undefined;
    this.#bases.delete(key);
    this.#bases.set(key, base);
    return base;
  }

  #cacheBase(key: string, base: GitObject): void {
    if (base.data.length > BASE_CACHE_BYTES / 4 || this.#bases.has(key)) return;
    this.#bases.set(key, base);
    this.#baseBytes += base.data.length;
    for (const [oldest, object] of this.#bases) {
      if (this.#baseBytes <= BASE_CACHE_BYTES) break;
      this.#bases.delete(oldest);
      this.#baseBytes -= object.data.length;
    }
  }
}

/** Adds to a 'damaged' which object of which pack it was. */
function explain<T>(id: GitId, pack: Pack | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof BkError) || error.code !== 'damaged') throw error;
    const where = pack === undefined ? '' : ` in ${pack.name}`;
    const details = { hint: 'run `bk check`', cause: error, ...(pack && { path: pack.file }) };
    throw new BkError('damaged', `object ${id}${where} of the history is damaged: ${error.message}`, details);
  }
}
