import type { Channel } from './channel.ts';

/** Bytes that may lie in one direction. */
const ROOM = 1 << 20;
const PIECE = 64 << 10;

/** Two ends of a byte stream within this process, for tests of whatever talks over one. */
export function channelPair(): readonly [Channel, Channel] {
  const [there, back] = [new Pipe(), new Pipe()];
  return [new MemoryChannel(back, there), new MemoryChannel(there, back)];
}

class MemoryChannel implements Channel {
  readonly incoming: AsyncIterable<Uint8Array>;
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;

  constructor(incoming: Pipe, outgoing: Pipe) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.incoming = incoming.read();
  }

  write(bytes: readonly Uint8Array[]): Promise<void> {
    return this.#outgoing.write(bytes);
  }

  async close(): Promise<void> {
    this.#outgoing.end();
    await this.#incoming.ended;
  }
}

class Pipe {
  readonly ended: Promise<void>;
  #queue: Uint8Array[] = [];
  #bytes = 0;
  #isEnded = false;
  #settle: () => void = () => {};
  #filled: (() => void) | undefined;
  #emptied: (() => void) | undefined;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  async write(bytes: readonly Uint8Array[]): Promise<void> {
    if (this.#isEnded) throw new Error('the pipe is closed');
    for (const piece of piecesOf(bytes)) {
      this.#queue.push(piece);
      this.#bytes += piece.length;
    }
    this.#filled?.();
    while (this.#bytes > ROOM && !this.#isEnded)
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
  }

  end(): void {
    this.#isEnded = true;
    this.#filled?.();
    this.#emptied?.();
    this.#settle();
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const pieces = this.#queue;
      this.#queue = [];
      for (const piece of pieces) {
        this.#bytes -= piece.length;
        this.#emptied?.();
        yield piece;
      }
      if (this.#queue.length > 0) continue;
      if (this.#isEnded) return;
      await new Promise<void>((resolve) => {
        this.#filled = resolve;
      });
    }
  }
}

/** Like from a pipe of the system: copied, and no more than it holds at once. */
function* piecesOf(bytes: readonly Uint8Array[]): Generator<Uint8Array> {
  let left = bytes.reduce((sum, { length }) => sum + length, 0);
  let piece = Buffer.allocUnsafeSlow(Math.min(PIECE, left));
  let filled = 0;
  for (const one of bytes) {
    for (let at = 0; at < one.length; ) {
      const part = one.subarray(at, at + piece.length - filled);
      piece.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < piece.length) continue;
      yield piece;
      left -= filled;
      piece = Buffer.allocUnsafeSlow(Math.min(PIECE, left));
      filled = 0;
    }
  }
}
