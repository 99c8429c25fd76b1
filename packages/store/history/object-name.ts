import crypto from 'node:crypto';
import type { GitId } from '@bk/core';

/** Room that a header ("commit 12345678\0") needs before an object's body. */
export const HEADER_ROOM = 32;
const SCRATCH = 64 * 1024;
const scratch = Buffer.allocUnsafeSlow(HEADER_ROOM + SCRATCH);

/** Name of a git object: SHA-1 of kind, size and body. */
export function objectName(kind: string, body: Uint8Array): GitId {
  if (body.length > SCRATCH) {
    return crypto.createHash('sha1').update(`${kind} ${body.length}\0`).update(body).digest('hex') as GitId;
  }
  scratch.set(body, HEADER_ROOM);
  return nameInPlace(kind, scratch, body.length);
}

/** The same for a body that lies at HEADER_ROOM in `buffer`; the header is written just before it. */
export function nameInPlace(kind: string, buffer: Buffer, size: number): GitId {
  const header = `${kind} ${size}\0`;
  const start = HEADER_ROOM - header.length;
  buffer.write(header, start, 'latin1');
  return crypto.hash('sha1', buffer.subarray(start, HEADER_ROOM + size), 'hex') as GitId;
}
