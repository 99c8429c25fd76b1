import fs from 'node:fs';
import type { ByteSource } from './window.ts';

/**
 * An open file of which not all is in memory.
 * @param size the bytes that the caller saw; what the file lost since then is missing at its end
 */
export function descriptorSource(fd: number, size: number): ByteSource {
  let buffer = Buffer.alloc(0);
  return {
    size,
    read: (offset, length) => {
      if (buffer.length < length) buffer = Buffer.allocUnsafeSlow(length);
      let done = 0;
      while (done < length) {
        const read = fs.readSync(fd, buffer, done, length - done, offset + done);
        if (read === 0) break;
        done += read;
      }
      return buffer.subarray(0, done);
    },
  };
}
