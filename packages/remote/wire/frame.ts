import { BkError } from '@bk/core';
import { LIMITS } from '../port.ts';

/** What a frame is. Numbers are never given anew. */
export const FRAME = {
  /** Begins a call: JSON. */
  call: 1,
  /** Bytes of the call's stream. */
  data: 2,
  /** The caller's stream ends, all of it sent. */
  end: 3,
  /** The caller's stream ends early: JSON of the error. */
  break: 4,
  /** The caller wants no answer any more. */
  cancel: 5,
  /** Last frame of a call: JSON of its result. */
  answer: 6,
  /** Last frame of a call: JSON of the error. */
  error: 7,
  /** How far the call's work is: JSON. */
  progress: 8,
  /** So many bytes of the stream were consumed and may follow: u32. */
  grant: 9,
  /** The content with this number in the stream, and those before it, are not wanted any more: u32. */
  skip: 10,
  ping: 11,
  pong: 12,
  /** Nothing follows; JSON of the error that is the reason, or nothing. */
  bye: 13,
} as const;

export type FrameType = (typeof FRAME)[keyof typeof FRAME];

export const FLAG = {
  /** It belongs to a call of the side that gets the frame. */
  answering: 1,
  /** The JSON goes on in the next frame of this kind of this call. */
  more: 2,
  /** The payload is u32 of its size, then that many bytes compressed with zstd. */
  packed: 4,
} as const;

/** u32 bytes of payload, u8 type, u8 flags, u32 number of the call (0: none); big-endian. */
export const HEADER = 10;
/** A whole chunk with the records around it. */
export const MOST_PAYLOAD = LIMITS.chunk + 64;
/** A message in parts has large ones, so that counting bytes is counting parts. */
export const LEAST_PART = 1 << 16;
/** JSON of an error, or of how far the work is. */
const MOST_FAULT = 1 << 16;

export interface Frame {
  readonly type: FrameType;
  readonly flags: number;
  readonly call: number;
  readonly payload: Uint8Array;
}

/** Payloads from this size on have a buffer of the pool. */
const LARGE = 64 << 10;

/** Who lends buffers of MOST_PAYLOAD bytes. */
interface Lender {
  take(): Uint8Array;
}

interface Rule {
  readonly answering: 'never' | 'always' | 'either';
  readonly flags: number;
  readonly least: number;
  readonly most: number;
  readonly ofCall: boolean;
}

const JSON_PARTS = { flags: FLAG.more | FLAG.packed, least: 1, most: MOST_PAYLOAD, ofCall: true };
const JSON_WHOLE = { flags: 0, least: 1, most: MOST_FAULT, ofCall: true };
const WORD = { flags: 0, least: 4, most: 4 };
const BARE = { flags: 0, least: 0, most: 0 };

const RULES: Readonly<Record<number, Rule>> = {
  [FRAME.call]: { ...JSON_PARTS, answering: 'never' },
  [FRAME.data]: { flags: FLAG.packed, least: 1, most: MOST_PAYLOAD, ofCall: true, answering: 'either' },
  [FRAME.end]: { ...BARE, ofCall: true, answering: 'never' },
  [FRAME.break]: { ...JSON_WHOLE, answering: 'never' },
  [FRAME.cancel]: { ...BARE, ofCall: true, answering: 'never' },
  [FRAME.answer]: { ...JSON_PARTS, answering: 'always' },
  [FRAME.error]: { ...JSON_WHOLE, answering: 'always' },
  [FRAME.progress]: { ...JSON_WHOLE, answering: 'always' },
  [FRAME.grant]: { ...WORD, ofCall: true, answering: 'either' },
  [FRAME.skip]: { ...WORD, ofCall: true, answering: 'either' },
  [FRAME.ping]: { ...WORD, ofCall: false, answering: 'never' },
  [FRAME.pong]: { ...WORD, ofCall: false, answering: 'never' },
  [FRAME.bye]: { flags: 0, least: 0, most: MOST_FAULT, ofCall: false, answering: 'never' },
};

interface Head {
  readonly type: FrameType;
  readonly flags: number;
  readonly call: number;
  readonly length: number;
}

export function writeHeader(target: Uint8Array, { type, flags, call, length }: Head): void {
  putU32(target, 0, length);
  target[4] = type;
  target[5] = flags;
  putU32(target, 6, call);
}

/**
 * Cuts what comes into frames. A header is held against the rules before anything is allocated for it.
 * What was pushed is not looked at any more afterwards: payloads are copies.
 */
export class FrameReader {
  readonly #pool: Lender;
  readonly #take: (frame: Frame) => void;
  readonly #header = new Uint8Array(HEADER);
  #headerBytes = 0;
  #head: Head | undefined;
  #payload: Uint8Array | undefined;
  #filled = 0;

  /** @param pool lends the buffers for what does not come in one piece */
  constructor(pool: Lender, take: (frame: Frame) => void) {
    this.#pool = pool;
    this.#take = take;
  }

  /** Whether a frame has begun and not ended. */
  get isInFrame(): boolean {
    return this.#headerBytes > 0 || this.#head !== undefined;
  }

  /** @throws BkError 'damaged' for what is no frame */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const from = at;
      if (this.#head === undefined) at = this.#readHeader(bytes, at);
      const head = this.#head;
      if (head !== undefined) at = this.#readPayload(head, bytes, at);
      if (at === from) return;
    }
  }

  #readHeader(bytes: Uint8Array, at: number): number {
    if (this.#headerBytes === 0 && bytes.length - at >= HEADER) {
      this.#head = headOf(bytes, at);
      return at + HEADER;
    }
    const part = bytes.subarray(at, at + HEADER - this.#headerBytes);
    this.#header.set(part, this.#headerBytes);
    this.#headerBytes += part.length;
    if (this.#headerBytes === HEADER) {
      this.#headerBytes = 0;
      this.#head = headOf(this.#header, 0);
    }
    return at + part.length;
  }

  #readPayload(head: Head, bytes: Uint8Array, at: number): number {
    this.#payload ??= this.#bufferFor(head.length);
    const part = bytes.subarray(at, at + head.length - this.#filled);
    this.#payload.set(part, this.#filled);
    this.#filled += part.length;
    if (this.#filled === head.length) this.#emit(head, this.#payload);
    return at + part.length;
  }

  #bufferFor(length: number): Uint8Array {
    return length > LARGE ? this.#pool.take().subarray(0, length) : Buffer.allocUnsafeSlow(length);
  }

  #emit({ type, flags, call }: Head, payload: Uint8Array): void {
    this.#head = undefined;
    this.#payload = undefined;
    this.#filled = 0;
    this.#take({ type, flags, call, payload });
  }
}

function headOf(bytes: Uint8Array, at: number): Head {
  const length = u32(bytes, at);
  const type = bytes[at + 4]!;
  const flags = bytes[at + 5]!;
  const call = u32(bytes, at + 6);
  const rule = RULES[type];
  if (rule === undefined) throw violation(`a frame of the unknown type ${type}`);
  if (length < rule.least || length > rule.most)
    throw violation(`a frame of type ${type} with ${length} bytes`);
  const answering = (flags & FLAG.answering) !== 0;
  const side = rule.answering === 'either' || answering === (rule.answering === 'always');
  if (!side || (flags & ~(rule.flags | FLAG.answering)) !== 0)
    throw violation(`a frame of type ${type} with the flags ${flags}`);
  if (rule.ofCall !== call > 0) throw violation(`a frame of type ${type} for the call ${call}`);
  if ((flags & FLAG.more) !== 0 && length < LEAST_PART && (flags & FLAG.packed) === 0)
    throw violation(`a part of a message with ${length} bytes`);
  return { type: type as FrameType, flags, call, length };
}

export function u32(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
}

export function putU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

/** Up to 2 ** 53 - 1. @throws BkError 'damaged' for more */
export function u64(bytes: Uint8Array, at: number): number {
  const high = u32(bytes, at);
  if (high >= 1 << 21) throw violation('a number that is too large');
  return high * 2 ** 32 + u32(bytes, at + 4);
}

export function putU64(target: Uint8Array, at: number, value: number): void {
  putU32(target, at, Math.floor(value / 2 ** 32));
  putU32(target, at + 4, value >>> 0);
}

/** What ends the connection: the other side does not keep to the protocol, or something got in between. */
export function violation(what: string): BkError {
  return new BkError('damaged', `cannot go on with the other bk: it sent ${what}`);
}
