import zlib from 'node:zlib';
import { MOST_PAYLOAD, putU32, u32, violation } from './frame.ts';

/** `auto`: where the line is slower than compressing, and only what a probe says is worth it. */
export type Packing = 'auto' | 'always' | 'never';

/** Below this a payload is sent as it is. */
const LEAST = 512;
const PROBE = 16 << 10;
/** Bytes a ms that the line must be slower than: about what compressing at level 1 gives on one core. */
const SLOW_LINE = 40_000;
/** Writes of fewer bytes say nothing about the line. */
const TELLING = 256 << 10;
const SIZE = 4;

/** Decides for each payload whether compressing it makes it arrive earlier. */
export class Packer {
  readonly #packing: Packing;
  /** Bytes a ms that the line took lately. */
  #speed = Number.POSITIVE_INFINITY;

  constructor(packing: Packing) {
    this.#packing = packing;
  }

  /** So many bytes were written in so many ms. */
  took(bytes: number, ms: number): void {
    if (bytes < TELLING) return;
    const speed = bytes / Math.max(ms, 0.01);
    this.#speed = this.#speed === Number.POSITIVE_INFINITY ? speed : this.#speed * 0.75 + speed * 0.25;
  }

  /** Undefined: it goes as it is. */
  pack(payload: Uint8Array): Uint8Array | undefined {
    if (this.#packing === 'never' || payload.length < LEAST) return undefined;
    if (this.#packing === 'auto' && this.#speed > SLOW_LINE) return undefined;
    if (payload.length > 2 * PROBE && !gains(payload.subarray(0, PROBE))) return undefined;
    const packed = compress(payload);
    if (!isSmaller(packed.length + SIZE, payload.length)) return undefined;
    const whole = Buffer.allocUnsafe(SIZE + packed.length);
    putU32(whole, 0, payload.length);
    whole.set(packed, SIZE);
    return whole;
  }
}

/** @throws BkError 'damaged' for what is not exactly what it says, or more than a frame holds */
export function unpack(payload: Uint8Array): Uint8Array {
  const size = payload.length < SIZE ? 0 : u32(payload, 0);
  if (size === 0 || size > MOST_PAYLOAD) throw violation(`a compressed frame of ${size} bytes`);
  let bytes: Uint8Array;
  try {
    bytes = zlib.zstdDecompressSync(payload.subarray(SIZE), { maxOutputLength: size });
  } catch {
    throw violation('a compressed frame that cannot be read');
  }
  if (bytes.length !== size) throw violation('a compressed frame of another size');
  return bytes;
}

function compress(bytes: Uint8Array): Uint8Array {
  return zlib.zstdCompressSync(bytes, { params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } });
}

function gains(probe: Uint8Array): boolean {
  return isSmaller(compress(probe).length, probe.length);
}

/** By an eighth at least. */
function isSmaller(packed: number, plain: number): boolean {
  return packed < plain - plain / 8;
}
