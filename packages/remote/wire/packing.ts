import zlib from 'node:zlib';
import { MOST_PAYLOAD, putU32, u32, violation } from './frame.ts';

/** `auto`: where the line is slower than compressing, and only what a probe says is worth it. */
export type Packing = 'auto' | 'always' | 'never';

/** Below this a payload is sent as it is. */
const LEAST = 512;
const PROBE = 16 << 10;
/** Bytes a ms that the line must be slower than. Faster ones are often held up by a busy reader, whom it would not help. */
const SLOW_LINE = 20_000;
/** How long the line must have been busy before it is judged. */
const TELLING_MS = 250;
/** Writes of fewer bytes take as long as somebody takes to wake up, whatever the line. */
const TELLING = 128 << 10;
/** Bytes after which a line that was found slow is judged anew, without compressing: then it cannot be seen. */
const TRUSTED = 64 << 20;
const SIZE = 4;
/** Bytes that zlib takes at a time: all at once, or it puts the result together from pieces. */
const LEAST_CHUNK = 1 << 10;

/** Decides for each payload whether compressing it makes it arrive earlier. */
export class Packer {
  readonly #packing: Packing;
  #isSlow = false;
  /** What the line took since it was judged last. */
  #bytes = 0;
  #ms = 0;
  #trusted = 0;

  constructor(packing: Packing) {
    this.#packing = packing;
  }

  /** So many bytes were written in so many ms. */
  took(bytes: number, ms: number): void {
    if (bytes < TELLING || this.#isSlow) return;
    this.#bytes += bytes;
    this.#ms += ms;
    if (this.#ms < TELLING_MS) return;
    this.#isSlow = this.#bytes / this.#ms < SLOW_LINE;
    this.#bytes = 0;
    this.#ms = 0;
  }

  /** Undefined: it goes as it is. */
  pack(payload: Uint8Array): Uint8Array | undefined {
    if (this.#packing === 'never' || payload.length < LEAST) return undefined;
    if (this.#packing === 'auto' && !this.#isWorthIt(payload)) return undefined;
    if (payload.length > 2 * PROBE && !gains(payload.subarray(0, PROBE))) return undefined;
    const packed = compress(payload);
    if (!isSmaller(packed.length + SIZE, payload.length)) return undefined;
    const whole = Buffer.allocUnsafe(SIZE + packed.length);
    putU32(whole, 0, payload.length);
    whole.set(packed, SIZE);
    return whole;
  }

  #isWorthIt({ length }: Uint8Array): boolean {
    if (!this.#isSlow) return false;
    this.#trusted += length;
    if (this.#trusted < TRUSTED) return true;
    this.#trusted = 0;
    this.#isSlow = false;
    return false;
  }
}

/** @throws BkError 'damaged' for what is not exactly what it says, or more than a frame holds */
export function unpack(payload: Uint8Array): Uint8Array {
  const size = payload.length < SIZE ? 0 : u32(payload, 0);
  if (size === 0 || size > MOST_PAYLOAD) throw violation(`a compressed frame of ${size} bytes`);
  let bytes: Uint8Array;
  try {
    bytes = zlib.zstdDecompressSync(payload.subarray(SIZE), {
      maxOutputLength: size,
      chunkSize: Math.max(LEAST_CHUNK, size),
    });
  } catch {
    throw violation('a compressed frame that cannot be read');
  }
  if (bytes.length !== size) throw violation('a compressed frame of another size');
  return bytes;
}

function compress(bytes: Uint8Array): Uint8Array {
  const chunkSize = bytes.length + LEAST_CHUNK;
  return zlib.zstdCompressSync(bytes, { chunkSize, params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } });
}

function gains(probe: Uint8Array): boolean {
  return isSmaller(compress(probe).length, probe.length);
}

/** By an eighth at least. */
function isSmaller(packed: number, plain: number): boolean {
  return packed < plain - plain / 8;
}
