import { BkError } from '@bk/core';

/** Largest object that is read, in bytes: far above any tree or record, below what would exhaust the machine. */
export const MAX_OBJECT_BYTES = 512 * 1024 * 1024;

/** Result of applying a git delta (pack-format, "deltified representation") to its base. Anything out of bounds is 'damaged'. */
export function applyDelta(base: Buffer, delta: Buffer): Buffer {
  const header = { at: 0 };
  const baseSize = readSize(delta, header);
  const size = readSize(delta, header);
  if (baseSize !== base.length || size > MAX_OBJECT_BYTES) throw damagedDelta();
  const result = Buffer.allocUnsafe(size);
  let at = header.at;
  let done = 0;
  while (at < delta.length) {
    const op = delta[at++]!;
    if (op === 0) throw damagedDelta();
    if (op < 0x80) {
      if (at + op > delta.length || done + op > size) throw damagedDelta();
      delta.copy(result, done, at, at + op);
      at += op;
      done += op;
      continue;
    }
    let offset = 0;
    let length = 0;
    for (let bit = 0; bit < 4; bit++) if (op & (1 << bit)) offset += byteAt(delta, at++) * 2 ** (8 * bit);
    for (let bit = 0; bit < 3; bit++) if (op & (16 << bit)) length += byteAt(delta, at++) * 2 ** (8 * bit);
    if (length === 0) length = 0x10000;
    if (offset + length > base.length || done + length > size) throw damagedDelta();
    base.copy(result, done, offset, offset + length);
    done += length;
  }
  if (done !== size) throw damagedDelta();
  return result;
}

function readSize(delta: Buffer, cursor: { at: number }): number {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = byteAt(delta, cursor.at++);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
    if (scale > 2 ** 49) throw damagedDelta();
  }
}

function byteAt(delta: Buffer, at: number): number {
  const byte = delta[at];
  if (byte === undefined) throw damagedDelta();
  return byte;
}

function damagedDelta(): BkError {
  return new BkError('damaged', 'its delta does not fit its base');
}
