import crypto from 'node:crypto';
import type { GitId } from '@bk/core';

const FIRST_ROOM = 1024;
const LARGE_OFFSET = 0x80000000;

/**
 * The objects of one pack while it is written: ids, places, CRCs in flat arrays with a hash table over them, about 50
 * bytes an object and no JS object for any.
 */
export class ObjectTable {
  count = 0;
  #room = FIRST_ROOM;
  #ids = Buffer.alloc(FIRST_ROOM * 20);
  #offsets = new Float64Array(FIRST_ROOM);
  #crcs = new Uint32Array(FIRST_ROOM);
  /** Row + 1 of the object, 0 where free; twice as many slots as rows. */
  #slots = new Uint32Array(FIRST_ROOM * 2);
  #slot = 0;

  /** Whether the object is here; if not, `add` must follow before the next question. */
  has(id: GitId): boolean {
    if (this.count === this.#room) this.#grow();
    const row = this.count * 20;
    this.#ids.write(id, row, 20, 'hex');
    this.#slot = this.#freeSlot(this.#ids.readUInt32BE(row), row);
    return this.#slot < 0;
  }

  /** Adds the object last asked for. */
  add(offset: number, crc: number): void {
    this.#offsets[this.count] = offset;
    this.#crcs[this.count] = crc;
    this.#slots[this.#slot] = ++this.count;
  }

  /** The slot where the id at `row` belongs, or -1 if an equal one is there. */
  #freeSlot(hash: number, row: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const taken = this.#slots[slot]!;
      if (taken === 0) return slot;
      const other = (taken - 1) * 20;
      if (this.#ids.readUInt32BE(other) !== hash) continue;
      if (this.#ids.compare(this.#ids, other, other + 20, row, row + 20) === 0) return -1;
    }
  }

  #grow(): void {
    this.#room *= 2;
    const ids = Buffer.alloc(this.#room * 20);
    this.#ids.copy(ids);
    const offsets = new Float64Array(this.#room);
    offsets.set(this.#offsets);
    const crcs = new Uint32Array(this.#room);
    crcs.set(this.#crcs);
    this.#ids = ids;
    this.#offsets = offsets;
    this.#crcs = crcs;
    const slots = new Uint32Array(this.#room * 2);
    const mask = slots.length - 1;
    for (let row = 0; row < this.count; row++) {
      let slot = ids.readUInt32BE(row * 20) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = row + 1;
    }
    this.#slots = slots;
  }

  /** The pack's index, version 2, as git writes it (its Documentation, gitformat-pack). */
  toIndex(packChecksum: Buffer): Buffer {
    const order = this.#sorted();
    let large = 0;
    for (let row = 0; row < this.count; row++) if (this.#offsets[row]! >= LARGE_OFFSET) large++;
    const index = Buffer.alloc(8 + 1024 + this.count * 28 + large * 8 + 40);
    index.writeUInt32BE(0xff744f63, 0);
    index.writeUInt32BE(2, 4);
    const ids = 8 + 1024;
    const crcs = ids + this.count * 20;
    const offsets = crcs + this.count * 4;
    let nextLarge = 0;
    const upTo = new Uint32Array(256);
    for (let i = 0; i < this.count; i++) {
      const row = order[i]!;
      this.#ids.copy(index, ids + i * 20, row * 20, row * 20 + 20);
      index.writeUInt32BE(this.#crcs[row]!, crcs + i * 4);
      const offset = this.#offsets[row]!;
      if (offset < LARGE_OFFSET) index.writeUInt32BE(offset, offsets + i * 4);
      else {
        index.writeUInt32BE(LARGE_OFFSET + nextLarge, offsets + i * 4);
        index.writeBigUInt64BE(BigInt(offset), offsets + this.count * 4 + nextLarge++ * 8);
      }
      upTo[this.#ids[row * 20]!] = i + 1;
    }
    for (let first = 0, total = 0; first < 256; first++) {
      total = Math.max(total, upTo[first]!);
      index.writeUInt32BE(total, 8 + first * 4);
    }
    const end = index.length - 20;
    packChecksum.copy(index, end - 20);
    crypto.createHash('sha1').update(index.subarray(0, end)).digest().copy(index, end);
    return index;
  }

  /** Rows by id: radix sort by the first 32 bits, then the few equal ones by comparison. */
  #sorted(): Uint32Array {
    const keys = new Uint32Array(this.count);
    for (let row = 0; row < this.count; row++) keys[row] = this.#ids.readUInt32BE(row * 20);
    let order = new Uint32Array(this.count);
    for (let row = 0; row < this.count; row++) order[row] = row;
    order = radixPass(order, keys, 0);
    order = radixPass(order, keys, 16);
    for (let i = 1; i < this.count; i++) {
      const row = order[i]!;
      let at = i;
      while (at > 0 && keys[order[at - 1]!] === keys[row] && this.#compare(order[at - 1]!, row) > 0) {
        order[at] = order[at - 1]!;
        at--;
      }
      order[at] = row;
    }
    return order;
  }

  #compare(a: number, b: number): number {
    return this.#ids.compare(this.#ids, b * 20, b * 20 + 20, a * 20, a * 20 + 20);
  }
}

/** A stable counting sort of `order` by 16 bits of the keys. */
function radixPass(
  order: Uint32Array<ArrayBuffer>,
  keys: Uint32Array,
  shift: number,
): Uint32Array<ArrayBuffer> {
  const starts = new Uint32Array(65537);
  for (const key of keys) starts[((key >>> shift) & 0xffff) + 1]!++;
  for (let i = 1; i < 65537; i++) starts[i]! += starts[i - 1]!;
  const sorted = new Uint32Array(order.length);
  for (const row of order) sorted[starts[(keys[row]! >>> shift) & 0xffff]!++] = row;
  return sorted;
}
