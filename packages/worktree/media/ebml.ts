import { Unparsable, type Window } from './window.ts';

/** An element of Matroska's binary XML; its body is [at, end). */
export interface EbmlElement {
  readonly id: number;
  readonly start: number;
  readonly at: number;
  readonly end: number;
}

const MOST_ELEMENTS = 1_000_000;

/** Each element between two offsets; one whose length is unknown goes to the end. */
export function* elementsOf(window: Window, from: number, end: number): Generator<EbmlElement> {
  for (let start = from, count = 0; start < end; count++) {
    if (count > MOST_ELEMENTS) throw new Unparsable('malformed');
    const idLength = lengthOf(window.byte(start), 4);
    if (start + idLength >= end) return;
    const id = window.bytes(start, idLength).readUIntBE(0, idLength);
    const sizeAt = start + idLength;
    const sizeLength = lengthOf(window.byte(sizeAt), 8);
    const at = sizeAt + sizeLength;
    if (at > end) return;
    const size = vint(Buffer.from(window.bytes(sizeAt, sizeLength)));
    const next = size === undefined ? end : Math.min(end, at + size);
    yield { id, start, at, end: next };
    start = next;
  }
}

/** The leading zeros of the first byte tell how many bytes a number has. */
function lengthOf(first: number, most: number): number {
  const length = Math.clz32(first) - 23;
  if (length > most) throw new Unparsable('malformed');
  return length;
}

/** All ones: unknown. */
function vint(bytes: Buffer): number | undefined {
  const mask = 0xff >> bytes.length;
  let value = (bytes[0] as number) & mask;
  let isUnknown = value === mask;
  for (const byte of bytes.subarray(1)) {
    isUnknown &&= byte === 0xff;
    value = value * 256 + byte;
  }
  return isUnknown ? undefined : value;
}

export function unsigned(bytes: Buffer): number {
  let value = 0;
  for (const byte of bytes.subarray(0, 8)) value = value * 256 + byte;
  return value;
}

export function float(bytes: Buffer): number | undefined {
  if (bytes.length === 4) return bytes.readFloatBE();
  return bytes.length === 8 ? bytes.readDoubleBE() : undefined;
}
