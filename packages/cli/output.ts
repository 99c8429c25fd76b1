import fs from 'node:fs';

/** The reader of our output went away (`bk log | head`): no error, only the end. */
export class OutputClosed extends Error {}

const STDOUT = 1;
const STDERR = 2;

/** Synchronous, so that nothing is lost when the process ends. @throws OutputClosed */
export function writeOut(text: string): void {
  write(STDOUT, text);
}

/** Nobody can be told that stderr is closed. */
export function writeErr(text: string): void {
  try {
    write(STDERR, text);
  } catch (error) {
    if (!(error instanceof OutputClosed)) throw error;
  }
}

/** Characters encoded at a time, so that a large document is not in memory twice. */
const CHUNK = 1 << 20;

function write(fd: number, text: string): void {
  for (let start = 0; start < text.length; ) {
    let end = start + CHUNK;
    if (/[\ud800-\udbff]/.test(text.charAt(end - 1))) end++; // Never between the halves of a character.
    writeBytes(fd, Buffer.from(text.slice(start, end)));
    start = end;
  }
}

function writeBytes(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(fd, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw new OutputClosed();
      if (code !== 'EAGAIN') throw error;
      // A pipe that somebody made non-blocking is full: wait a moment for its reader.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}
