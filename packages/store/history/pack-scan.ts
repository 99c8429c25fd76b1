import zlib from 'node:zlib';
import { BkError, type GitId } from '@bk/core';
import { applyDelta, MAX_OBJECT_BYTES } from './delta.ts';
import { objectName } from './object-name.ts';
import { ObjectTable } from './object-table.ts';
import { ENTRY, readPackEntry } from './pack-entry.ts';
import { PackIndex } from './pack-index.ts';
import type { PackSource, PackWindows } from './pack-windows.ts';

/** What a pack from outside may be at most (RELIABILITY S15, T14). Bytes where nothing else is said. */
export const PACK_LIMITS = {
  pack: 64 * 2 ** 30,
  objects: 50_000_000,
  commit: 4 * 2 ** 20,
  tree: 128 * 2 ** 20,
  /** A record has at most 1 Mi characters. */
  blob: 4 * 2 ** 20,
  /** Deltas on deltas; git itself makes 50. */
  deltaDepth: 250,
  /** All objects together, inflated and put together from deltas: so many times the pack, or so many bytes if that is more. */
  expansion: 2048,
  expanded: 2 ** 30,
  /** Files of one commit, each way to reach one counted. */
  paths: 50_000_000,
  /** Folders inside one another. */
  folders: 4_000,
  parents: 16,
};

export type PackLimits = Readonly<typeof PACK_LIMITS>;

export type PackedKind = 'commit' | 'tree' | 'blob';

export interface ScannedObject {
  readonly kind: PackedKind;
  readonly id: GitId;
  /** May lie in a shared window: to be read, not written. */
  readonly data: Buffer;
}

const PACK_HEADER = 12;
const TRAILER = 20;
/** Kind and size, the smallest zlib stream: no object is shorter. */
const SMALLEST_ENTRY = 9;
const KINDS: Readonly<Record<number, PackedKind>> = { 1: 'commit', 2: 'tree', 3: 'blob' };
/** Deltas that are put together at the same time hold at most so many bytes. */
const MOST_HELD = 256 * 2 ** 20;

/** The objects of one pack: rows in the order in which they lie there. */
export class PackRows {
  readonly count: number;
  readonly offsets: Float64Array;
  readonly #kinds: Uint8Array;
  /** What the visitor said of each object. */
  readonly facts: Uint8Array;
  /** The pack's index, to be written beside it. */
  index: Buffer = Buffer.alloc(0);
  #search: PackIndex | undefined;
  readonly #wanted = Buffer.alloc(20);

  constructor(count: number) {
    this.count = count;
    this.offsets = new Float64Array(count);
    this.#kinds = new Uint8Array(count);
    this.facts = new Uint8Array(count);
  }

  kindOf(row: number): number {
    return this.#kinds[row]!;
  }

  setKind(row: number, kind: number): void {
    this.#kinds[row] = kind;
  }

  setIndex(index: Buffer): void {
    this.index = index;
    this.#search = new PackIndex(index);
  }

  /** The row of an object, or -1. */
  find(id: GitId): number {
    this.#wanted.write(id, 0, 20, 'hex');
    const offset = this.#search?.find(this.#wanted) ?? -1;
    return offset < 0 ? -1 : this.rowAt(offset);
  }

  /** The row of the object that begins exactly there, or -1. */
  rowAt(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return this.offsets[low] === offset ? low : -1;
  }
}

export interface ScanOptions {
  readonly limits: PackLimits;
  /** Trailer of the pack, already compared with its bytes. */
  readonly checksum: Buffer;
  /** Sees every object once, whole and named; what it says is kept as the row's fact. */
  readonly visit: (object: ScannedObject) => number;
}

/**
 * Reads a pack from outside to the end: every entry, every delta (bases must lie in the same pack), every name, and
 * makes its index. Nothing is allocated on a claim alone. @throws BkError 'damaged' for whatever cannot be so
 */
export function scanPack(windows: PackWindows, pack: PackSource, options: ScanOptions): PackRows {
  const size = windows.sizeOf(pack);
  const count = windows.read(pack, 0, PACK_HEADER).readUInt32BE(8);
  if (count * SMALLEST_ENTRY > size)
    throw new BkError('damaged', `it claims ${count} objects, more than it can hold`);
  return new Scan(windows, pack, { ...options, size, rows: new PackRows(count) }).run();
}

class Scan {
  readonly #windows: PackWindows;
  readonly #pack: PackSource;
  readonly #options: ScanOptions;
  readonly #rows: PackRows;
  readonly #crcs: Uint32Array;
  readonly #ids: Buffer;
  readonly #end: number;
  readonly #budget: number;
  #expanded = 0;
  /** Rows whose base is a row: first child and next sibling. */
  readonly #firstChild: Int32Array;
  readonly #nextChild: Int32Array;
  readonly #byBase = new Map<string, number[]>();
  #named = 0;

  constructor(
    windows: PackWindows,
    pack: PackSource,
    options: ScanOptions & { readonly size: number; readonly rows: PackRows },
  ) {
    const { rows, size } = options;
    this.#windows = windows;
    this.#pack = pack;
    this.#options = options;
    this.#rows = rows;
    this.#crcs = new Uint32Array(rows.count);
    this.#ids = Buffer.alloc(rows.count * 20);
    this.#end = size - TRAILER;
    this.#budget = Math.max(options.limits.expanded, size * options.limits.expansion);
    this.#firstChild = new Int32Array(rows.count).fill(-1);
    this.#nextChild = new Int32Array(rows.count).fill(-1);
  }

  run(): PackRows {
    const rows = this.#rows;
    let at = PACK_HEADER;
    for (let row = 0; row < rows.count; row++) {
      if (at >= this.#end) throw new BkError('damaged', `it has ${row} objects, not ${rows.count}`);
      rows.offsets[row] = at;
      at = this.#entry(row, at);
    }
    if (at !== this.#end) throw new BkError('damaged', 'there is something behind its last object');
    for (let row = 0; row < rows.count; row++) this.#resolve(row);
    if (this.#named !== rows.count) throw new BkError('damaged', 'the base of a delta is not in it');
    rows.setIndex(this.#makeIndex());
    return rows;
  }

  /** Reads one entry and names it, if it is whole. @returns where the next one begins */
  #entry(row: number, offset: number): number {
    const header = readHeader(this.#windows.read(this.#pack, offset, 32));
    this.#checkSize(header.type, header.size);
    let start = offset + header.length;
    if (header.type === ENTRY.offsetDelta) start = this.#offsetBase(row, offset, start);
    else if (header.type === ENTRY.idDelta) {
      const base = this.#windows.read(this.#pack, start, 20).toString('hex', 0, 20);
      const others = this.#byBase.get(base);
      if (others === undefined) this.#byBase.set(base, [row]);
      else others.push(row);
      start += 20;
    }
    const { data, length } = this.#expand(start, header.size);
    this.#rows.setKind(row, header.type);
    this.#crcs[row] = this.#crc(offset, start + length);
    const kind = KINDS[header.type];
    if (kind !== undefined) this.#name(row, kind, data);
    return start + length;
  }

  #checkSize(type: number, size: number): void {
    const { limits } = this.#options;
    const kind = KINDS[type];
    if (kind === undefined && type !== ENTRY.offsetDelta && type !== ENTRY.idDelta)
      throw new BkError('damaged', `an object is of a kind that a history does not have (${type})`);
    const most = kind === undefined ? limits.tree : limits[kind];
    if (size > most)
      throw new BkError('damaged', `a ${kind ?? 'delta'} claims ${size} bytes, more than ${most}`);
    this.#spend(size);
  }

  #spend(bytes: number): void {
    this.#expanded += bytes;
    if (this.#expanded > this.#budget)
      throw new BkError('damaged', 'its objects are out of all proportion to its size');
  }

  #offsetBase(row: number, offset: number, start: number): number {
    const view = this.#windows.read(this.#pack, start, 10);
    let at = 0;
    let byte = byteAt(view, at++);
    let distance = byte & 0x7f;
    while (byte & 0x80) {
      byte = byteAt(view, at++);
      distance = (distance + 1) * 128 + (byte & 0x7f);
      if (distance > offset) break;
    }
    const base = distance <= 0 || distance > offset ? -1 : this.#rowBefore(row, offset - distance);
    if (base < 0) throw new BkError('damaged', 'the base of a delta is no object of it');
    this.#adopt(base, row);
    return start + at;
  }

  /** Rows from `row` on have no offset yet. */
  #rowBefore(row: number, offset: number): number {
    let low = 0;
    let high = row;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#rows.offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low < row && this.#rows.offsets[low] === offset ? low : -1;
  }

  #adopt(base: number, child: number): void {
    this.#nextChild[child] = this.#firstChild[base]!;
    this.#firstChild[base] = child;
  }

  #expand(start: number, size: number): { readonly data: Buffer; readonly length: number } {
    const stored = this.#storedBlock(start, size);
    if (stored !== undefined) return { data: stored, length: 11 + size };
    let length = Math.min(this.#end - start, size + (size >> 8) + 64);
    for (;;) {
      const packed = this.#windows.read(this.#pack, start, length).subarray(0, this.#end - start);
      const inflated = inflateCounting(packed, size);
      if (inflated !== undefined) return inflated;
      if (packed.length >= this.#end - start)
        throw new BkError('damaged', "an object's compressed data are cut off");
      length = Math.min(this.#end - start, packed.length * 4);
    }
  }

  /** Small objects as bk writes them: one stored block, whose checksum is compared here. */
  #storedBlock(start: number, size: number): Buffer | undefined {
    if (size > 4096 || start + 11 + size > this.#end) return undefined;
    const view = this.#windows.read(this.#pack, start, 11 + size);
    if (view[0] !== 0x78 || view[1] !== 0x01 || view[2] !== 1) return undefined;
    if (view.readUInt16LE(3) !== size || view.readUInt16LE(5) !== (~size & 0xffff)) return undefined;
    let a = 1;
    let b = 0;
    // at most 4096 bytes: a and b stay below 2^31 without reducing inside the loop
    for (let i = 7; i < 7 + size; i++) {
      a += view[i]!;
      b += a;
    }
    return view.readUInt32BE(7 + size) === (b % 65521) * 65536 + (a % 65521)
      ? view.subarray(7, 7 + size)
      : undefined;
  }

  #crc(from: number, to: number): number {
    let crc = 0;
    for (let at = from; at < to; ) {
      const part = this.#windows.read(this.#pack, at, Math.min(to - at, 1 << 20));
      const length = Math.min(part.length, to - at);
      crc = zlib.crc32(part.subarray(0, length), crc);
      at += length;
    }
    return crc;
  }

  #name(row: number, kind: PackedKind, data: Buffer): void {
    const id = objectName(kind, data);
    this.#ids.write(id, row * 20, 'hex');
    this.#named++;
    this.#rows.facts[row] = this.#options.visit({ kind, id, data });
  }

  /** Names all deltas that stand on this whole object, going down each chain before the next. */
  #resolve(row: number): void {
    const kind = KINDS[this.#rows.kindOf(row)];
    if (kind === undefined || !this.#hasChildren(row)) return;
    const stack = [{ row, data: this.#data(row), child: this.#takeChildren(row) }];
    let held = stack[0]!.data.length;
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const child = frame.child;
      if (child < 0) {
        held -= frame.data.length;
        stack.pop();
        continue;
      }
      frame.child = this.#nextChild[child]!;
      const data = applyDelta(frame.data, this.#checkedDelta(this.#data(child), kind));
      this.#name(child, kind, data);
      if (!this.#hasChildren(child)) continue;
      held += data.length;
      if (stack.length >= this.#options.limits.deltaDepth || held > MOST_HELD)
        throw new BkError('damaged', 'its deltas stand too deep on one another');
      stack.push({ row: child, data, child: this.#takeChildren(child) });
    }
  }

  /** What a delta claims to make is looked at before anything is allocated for it. */
  #checkedDelta(delta: Buffer, kind: PackedKind): Buffer {
    const size = resultSize(delta);
    const most = this.#options.limits[kind];
    if (size > most || size > MAX_OBJECT_BYTES)
      throw new BkError('damaged', `a delta claims a ${kind} of ${size} bytes, more than ${most}`);
    this.#spend(size);
    return delta;
  }

  #hasChildren(row: number): boolean {
    return this.#firstChild[row]! >= 0 || this.#byBase.has(this.#idOf(row));
  }

  /** Also those that name their base; each delta has one base, so each is taken once. */
  #takeChildren(row: number): number {
    const id = this.#idOf(row);
    for (const child of this.#byBase.get(id) ?? []) this.#adopt(row, child);
    this.#byBase.delete(id);
    return this.#firstChild[row]!;
  }

  #idOf(row: number): string {
    return this.#ids.toString('hex', row * 20, row * 20 + 20);
  }

  #data(row: number): Buffer {
    return readPackEntry(this.#windows, this.#pack, this.#rows.offsets[row]!).data;
  }

  #makeIndex(): Buffer {
    const table = new ObjectTable();
    for (let row = 0; row < this.#rows.count; row++) {
      if (table.has(this.#idOf(row) as GitId))
        throw new BkError('damaged', `it has the object ${this.#idOf(row)} twice`);
      table.add(this.#rows.offsets[row]!, this.#crcs[row]!);
    }
    return table.toIndex(this.#options.checksum);
  }
}

function readHeader(view: Buffer): { readonly type: number; readonly size: number; readonly length: number } {
  let at = 0;
  let byte = byteAt(view, at++);
  const type = (byte >> 4) & 7;
  let size = byte & 15;
  let scale = 16;
  while (byte & 0x80) {
    byte = byteAt(view, at++);
    size += (byte & 0x7f) * scale;
    scale *= 128;
    if (size > MAX_OBJECT_BYTES) throw new BkError('damaged', 'an object claims to be too large');
  }
  return { type, size, length: at };
}

/** Inflates exactly `size` bytes and says how many were read for it; undefined if the input ends too early. */
function inflateCounting(packed: Buffer, size: number): { data: Buffer; length: number } | undefined {
  try {
    const { buffer, engine } = zlib.inflateSync(packed, {
      maxOutputLength: Math.max(size, 1),
      chunkSize: Math.min(Math.max(size, 64), 1 << 20),
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    if (buffer.length !== size) throw new BkError('damaged', "an object's size is not the one it claims");
    return { data: buffer, length: engine.bytesWritten };
  } catch (error) {
    if (error instanceof BkError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR') return undefined;
    throw new BkError('damaged', "an object's compressed data cannot be read", { cause: error });
  }
}

/** The second number of a delta. */
function resultSize(delta: Buffer): number {
  let at = 0;
  while (byteAt(delta, at) & 0x80) at++;
  at++;
  let size = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = byteAt(delta, at++);
    size += (byte & 0x7f) * scale;
    if (byte < 0x80) return size;
    if (scale > 2 ** 49) throw new BkError('damaged', 'a delta claims to be too large');
  }
}

function byteAt(view: Buffer, at: number): number {
  const byte = view[at];
  if (byte === undefined) throw new BkError('damaged', 'it is cut off');
  return byte;
}
