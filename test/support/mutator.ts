/** Numbers where programs break. */
const WORDS = [
  0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x100000, 0x100041, 0x7fffffff, 0x80000000, 0xffffffff,
];

/** Changes bytes by chance; the same seed gives the same changes. */
export class Mutator {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 on, less than `most`. */
  below(most: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * most);
  }

  pick<T>(all: readonly T[]): T {
    return all[this.below(all.length)]!;
  }

  /** One to four changes; pieces of `other` may come in. */
  mutate(bytes: Buffer, other: Buffer): Buffer {
    let changed: Buffer = Buffer.from(bytes);
    for (let left = 1 + this.below(4); left > 0; left--) changed = this.#change(changed, other);
    return changed;
  }

  /** Cut anywhere, mostly into few. */
  pieces(bytes: Buffer): Buffer[] {
    const pieces: Buffer[] = [];
    const most = this.pick([1, 20, 300, 100_000, 100_000]);
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + this.below(most);
      pieces.push(bytes.subarray(at, at + length));
      at += length;
    }
    return pieces;
  }

  #change(bytes: Buffer, other: Buffer): Buffer {
    const at = this.below(bytes.length + 1);
    const length = 1 + this.below(this.pick([1, 4, 40, 2_000]));
    const [head, rest] = [bytes.subarray(0, at), bytes.subarray(at)];
    switch (this.below(8)) {
      case 0:
        return this.#overwrite(bytes, at, Buffer.from([(bytes[at] ?? 0) ^ (1 << this.below(8))]));
      case 1:
        return this.#overwrite(bytes, at, Buffer.from([this.below(256)]));
      case 2:
        return this.#overwrite(bytes, at, this.#word());
      case 3:
        return Buffer.from(head);
      case 4:
        return Buffer.concat([head, rest.subarray(length)]);
      case 5:
        return Buffer.concat([head, rest.subarray(0, length), rest]);
      case 6:
        return Buffer.concat([head, this.#slice(other, length), rest]);
      default:
        return Buffer.concat([head, Buffer.from(Array.from({ length }, () => this.below(256))), rest]);
    }
  }

  #overwrite(bytes: Buffer, at: number, by: Buffer): Buffer {
    by.copy(bytes, at);
    return bytes;
  }

  #word(): Buffer {
    const word = Buffer.alloc(4);
    word.writeUInt32BE(this.pick(WORDS));
    return word;
  }

  #slice(bytes: Buffer, length: number): Buffer {
    const from = this.below(bytes.length + 1);
    return bytes.subarray(from, from + length);
  }
}
