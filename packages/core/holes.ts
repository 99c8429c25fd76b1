/** The commonest size of a block: file systems keep no room for a whole one that was never written. */
const BLOCK = 4096;

/**
 * The parts of some bytes that must be written into a file that is to have holes: all but blocks of zeros. What lies
 * between them, and behind the last, must read as zeros without being written.
 * @param position of the first byte in the file
 * @returns first byte and the one behind the last, in order; none touches the next
 */
export function* filledParts(
  bytes: Uint8Array,
  position: number,
): Generator<readonly [start: number, end: number]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + BLOCK - ((position + at) % BLOCK));
    if (isZero(view, at, end)) {
      if (at > start) yield [start, at];
      start = end;
    }
    at = end;
  }
  if (start < bytes.length) yield [start, bytes.length];
}

function isZero(view: DataView, start: number, end: number): boolean {
  let at = start;
  for (; at + 4 <= end; at += 4) if (view.getUint32(at, true) !== 0) return false;
  for (; at < end; at++) if (view.getUint8(at) !== 0) return false;
  return true;
}
