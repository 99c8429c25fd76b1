import { BkError } from '@bk/core';

/** One packet of git's protocols: its payload, or one of the marks that have none. */
export type Packet = Buffer | 'flush' | 'delimiter' | 'end';

/** Longest packet, its four digits of length included. */
const LONGEST = 65_520;
const MARKS: Readonly<Record<string, Exclude<Packet, Buffer>>> = {
  '0000': 'flush',
  '0001': 'delimiter',
  '0002': 'end',
};

export const FLUSH = Buffer.from('0000');
export const DELIMITER = Buffer.from('0001');

export function packet(text: string): Buffer {
  const payload = Buffer.from(text);
  if (payload.length + 4 > LONGEST) throw new BkError('bug', 'a line of git’s protocol is too long');
  return Buffer.concat([Buffer.from((payload.length + 4).toString(16).padStart(4, '0')), payload]);
}

/** Reads packets off a stream of bytes, which may be cut anywhere. Memory: one packet and one chunk. */
export class PacketReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /**
   * The next packet; undefined at the end of the stream.
   * @throws BkError 'damaged' for what is no packet, 'unreachable' if the stream ends in one, 'refused' or 'not-found' for the other side's `ERR`
   */
  async next(): Promise<Packet | undefined> {
    if (!(await this.#fill(4))) {
      if (this.#buffer.length > 0) throw brokenOff();
      return undefined;
    }
    const digits = this.#buffer.toString('latin1', 0, 4);
    const mark = MARKS[digits];
    const length = mark !== undefined ? 4 : /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : 0;
    if (length < 4 || length > LONGEST) throw strange(`a packet cannot begin with ${JSON.stringify(digits)}`);
    if (!(await this.#fill(length))) throw brokenOff();
    const payload = this.#buffer.subarray(4, length);
    this.#buffer = this.#buffer.subarray(length);
    if (mark !== undefined) return mark;
    if (payload.toString('latin1', 0, 4) === 'ERR ') throw saidNo(payload.toString('utf8', 4));
    return payload;
  }

  /** The next packet as a line of text without its end; undefined: a mark, or the end of the stream. */
  async line(): Promise<string | undefined> {
    const next = await this.next();
    return Buffer.isBuffer(next) ? textOf(next) : undefined;
  }

  /** What was to be said is said: a stream that ends here leaves its connection to the next question. */
  async end(): Promise<void> {
    const { done } = await this.#chunks.next();
    if (done !== true) await this.close();
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** Whether so many bytes are at hand. */
  async #fill(bytes: number): Promise<boolean> {
    while (this.#buffer.length < bytes) {
      const { done, value } = await this.#chunks.next();
      if (done === true) return false;
      this.#buffer = this.#buffer.length === 0 ? Buffer.from(value) : Buffer.concat([this.#buffer, value]);
    }
    return true;
  }
}

export function textOf(payload: Buffer): string {
  return payload.toString().replace(/\n$/, '');
}

export interface SideBandOptions {
  /** Longest time without any data, in ms: what only says that it is alive can say so forever. */
  readonly patienceMs: number;
  readonly nowMs: () => number;
}

/** The data of a stream that carries progress (dropped) and errors (thrown) beside it, up to its flush. */
export async function* sideBand(
  reader: PacketReader,
  { patienceMs, nowMs }: SideBandOptions,
): AsyncGenerator<Buffer> {
  let since = nowMs();
  for (;;) {
    const next = await reader.next();
    if (next === 'flush') return;
    if (next === undefined) throw brokenOff();
    if (!Buffer.isBuffer(next) || next.length === 0) throw strange('a packet without a band');
    const [band] = next;
    const data = next.subarray(1);
    if (band === 1 && data.length > 0) {
      yield data;
      since = nowMs();
    } else if (band === 3) throw saidNo(data.toString());
    else if (band !== 1 && band !== 2) throw strange(`a packet of band ${band}`);
    if (nowMs() - since > patienceMs)
      throw new BkError('unreachable', 'the git host sends nothing but signs of life');
  }
}

/** What a git host says, for people: one line, bounded, nothing that moves a cursor. */
export function quoted(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return `“${line.length > 200 ? `${line.slice(0, 200)}…` : line}”`;
}

/** @returns what to throw when the other side says that it cannot */
export function saidNo(text: string): BkError {
  if (/not our ref|not a valid object|unadvertised/.test(text))
    return new BkError('not-found', `the git host does not have what was asked for: ${quoted(text)}`);
  return new BkError('refused', `the git host refuses: it says ${quoted(text)}`);
}

export function strange(why: string): BkError {
  return new BkError('damaged', `what the git host sends is not git’s protocol: ${why}`);
}

export function brokenOff(): BkError {
  return new BkError('unreachable', 'the connection to the git host broke off', {
    hint: 'give the same command again',
  });
}
