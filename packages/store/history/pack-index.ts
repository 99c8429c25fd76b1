import { BkError, type GitId } from '@bk/core';

const MAGIC = 0xff744f63;
const HEADER = 8;
const FANOUT_END = HEADER + 1024;
const CHECKSUMS = 40;
const LARGE = 0x80000000;
/** Rows around the likely place: mostly enough for packs of up to a million objects. */
const NEAR = 64;

/**
 * A pack index (version 2) in one Buffer, searched where it lies and never parsed into objects: 28 bytes an object.
 * The tables' sizes and the fan-out are checked at once, offsets as they are used.
 */
export class PackIndex {
  readonly count: number;
  readonly #data: Buffer;
  readonly #offsets: number;
  readonly #large: number;
  readonly #largeCount: number;

  /** @throws BkError 'damaged' */
  constructor(data: Buffer) {
    if (
      data.length < FANOUT_END + CHECKSUMS ||
      data.readUInt32BE(0) !== MAGIC ||
      data.readUInt32BE(4) !== 2
    ) {
      throw new BkError('damaged', 'it is no pack index of version 2');
    }
    let count = 0;
    for (let first = 0; first < 256; first++) {
      const upTo = data.readUInt32BE(HEADER + first * 4);
      if (upTo < count) throw new BkError('damaged', 'its fan-out table goes backwards');
      count = upTo;
    }
    this.count = count;
    this.#data = data;
    this.#offsets = FANOUT_END + count * 24;
    this.#large = this.#offsets + count * 4;
    const rest = data.length - CHECKSUMS - this.#large;
    if (rest < 0 || rest % 8 !== 0)
      throw new BkError('damaged', 'its size does not match its number of objects');
    this.#largeCount = rest / 8;
  }

  /**
   * Between which rows of these an id beginning with `wanted` can only be. Ids are spread evenly, so it is looked for
   * where it would be if they were exactly so; an index in which they are not costs two looks more.
   */
  #near(wanted: number, start: number, end: number): [low: number, high: number] {
    const share = (wanted & 0xffffff) / 0x1000000;
    const guess = start + Math.floor((end - start) * share);
    const [from, to] = [guess - NEAR, guess + NEAR];
    const low = from > start && this.#keyAt(from) < wanted ? from : start;
    const high = to < end && this.#keyAt(to) > wanted ? to : end;
    return [low, high];
  }

  #keyAt(row: number): number {
    return this.#data.readUInt32BE(FANOUT_END + row * 20);
  }

  /** Place in the pack of the object with these 20 bytes as its id, or -1. */
  find(id: Buffer): number {
    const data = this.#data;
    const first = id[0]!;
    const wanted = id.readUInt32BE(0);
    const start = first === 0 ? 0 : data.readUInt32BE(HEADER + first * 4 - 4);
    const end = data.readUInt32BE(HEADER + first * 4);
    let [low, high] = this.#near(wanted, start, end);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = FANOUT_END + middle * 20;
      const order = data.readUInt32BE(at) - wanted || data.compare(id, 4, 20, at + 4, at + 20);
      if (order === 0) return this.offsetAt(middle);
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1;
  }

  offsetAt(position: number): number {
    const offset = this.#data.readUInt32BE(this.#offsets + position * 4);
    if (offset < LARGE) return offset;
    const row = offset - LARGE;
    if (row >= this.#largeCount) throw new BkError('damaged', 'an offset points outside its table');
    return Number(this.#data.readBigUInt64BE(this.#large + row * 8));
  }

  idAt(position: number): GitId {
    const at = FANOUT_END + position * 20;
    return this.#data.toString('hex', at, at + 20) as GitId;
  }

  /** Ids that begin with these hex digits (at least 2). */
  withPrefix(prefix: string): GitId[] {
    const first = Number.parseInt(prefix.slice(0, 2), 16);
    const found: GitId[] = [];
    let low = first === 0 ? 0 : this.#data.readUInt32BE(HEADER + first * 4 - 4);
    const end = this.#data.readUInt32BE(HEADER + first * 4);
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.idAt(middle) < prefix) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < end && this.idAt(i).startsWith(prefix); i++) found.push(this.idAt(i));
    return found;
  }
}
