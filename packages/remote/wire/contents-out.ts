import { BkError } from '@bk/core';
import { LIMITS, type MissingContent, type SentContent } from '../port.ts';
import { WholeChunks } from '../whole-chunks.ts';
import { Batch, type Sending } from './batch.ts';
import { nameBytes, putName, REASON_RECORDS, RECORD } from './content-record.ts';
import { faultOf } from './fault.ts';
import { putU32, putU64 } from './frame.ts';

/** Contents up to this size go in one record, if they are at hand whole. */
const SMALL = 128 << 10;

export interface ContentsOutOptions extends Sending {
  /** Whether each record says which content it is; else they come in the order that was asked for. */
  readonly named: boolean;
  /** Whether the other side knows records of contents with holes. */
  readonly holes: boolean;
  /** Contents up to this number, from 1, are not wanted any more. */
  readonly skipped: () => number;
  readonly onContent?: (content: SentContent | MissingContent) => void;
}

/** Sends contents as records. @throws what `contents` throws, and what ends sending */
export async function sendRecords(
  contents: AsyncIterable<SentContent | MissingContent>,
  options: ContentsOutOptions,
): Promise<void> {
  const batch = new Batch(options);
  const sender = new RecordSender(batch, options);
  try {
    for await (const content of contents) {
      options.onContent?.(content);
      if (!sender.sendAtOnce(content)) await sender.send(content);
    }
    await batch.flush();
  } catch (error) {
    // What was read before it went wrong is a part to go on from.
    await batch.flush().catch(() => {});
    throw error;
  } finally {
    batch.stop();
  }
}

class RecordSender {
  readonly #batch: Batch;
  readonly #named: boolean;
  readonly #holes: boolean;
  readonly #skipped: () => number;
  #ordinal = 0;

  constructor(batch: Batch, { named, holes, skipped }: ContentsOutOptions) {
    this.#batch = batch;
    this.#named = named;
    this.#holes = holes;
    this.#skipped = skipped;
  }

  /** Small contents that are at hand whole, as long as there is room for them. @returns false: `send` does it */
  sendAtOnce(content: SentContent | MissingContent): boolean {
    if ('missing' in content || !(content.chunks instanceof WholeChunks)) return false;
    const { size, offset, chunks } = content;
    if (offset !== 0 || size > SMALL || chunks.length !== size) return false;
    const head = 1 + this.#nameBytes();
    const room = this.#batch.roomNow(head + size);
    if (room === undefined) return false;
    this.#ordinal++;
    room[0] = RECORD.whole;
    if (this.#named) putName(room, 1, content);
    room.set(chunks.take(), head);
    this.#batch.keep(head + size);
    return true;
  }

  async send(content: SentContent | MissingContent): Promise<void> {
    this.#ordinal++;
    if ('missing' in content) return this.#head(REASON_RECORDS[content.missing], content);
    const chunks = content.chunks[Symbol.asyncIterator]();
    let isDone = false;
    try {
      const first = await this.#first(content, chunks);
      isDone = first === undefined || (await this.#rest(content, first, chunks));
    } finally {
      if (!isDone) await chunks.return?.();
    }
  }

  /** @returns undefined if all of it went in one record; else what of it is to be sent next */
  async #first(
    content: SentContent,
    chunks: AsyncIterator<Uint8Array>,
  ): Promise<readonly Step[] | undefined> {
    const { size, offset } = content;
    const first = await step(chunks);
    const length = first.chunk?.length ?? 0;
    const isWhole = offset === 0 && size <= SMALL && length === size && first.error === undefined;
    if (!isWhole) return [first];
    const head = 1 + this.#nameBytes();
    let room = await this.#batch.room(head + size);
    if (first.chunk !== undefined) room.set(first.chunk, head);
    const kept = room.subarray(head, head + size);
    // What there is of it after that says whether it was the whole.
    const next = first.chunk === undefined ? first : await step(chunks);
    if (next.chunk !== undefined || next.error !== undefined) {
      const copy = Buffer.from(kept);
      return copy.length === 0 ? [next] : [{ chunk: copy }, next];
    }
    if (!this.#batch.isAt(room)) {
      room = await this.#batch.room(head + size);
      room.set(kept, head);
    }
    room[0] = RECORD.whole;
    if (this.#named) putName(room, 1, content);
    this.#batch.keep(head + size);
    return undefined;
  }

  /** @returns whether the chunks were read to their end */
  async #rest(
    content: SentContent,
    first: readonly Step[],
    chunks: AsyncIterator<Uint8Array>,
  ): Promise<boolean> {
    await this.#begin(content);
    for (let i = 0; ; i++) {
      if (this.#skipped() >= this.#ordinal) {
        await this.#record(RECORD.end);
        return false;
      }
      const { chunk, error } = first[i] ?? (await step(chunks));
      if (error !== undefined) {
        // What is wrong with one content is told with it, and the next one follows.
        if (!(error instanceof BkError) || !OF_CONTENT.has(error.code)) throw error;
        await this.#broken(error);
        return true;
      }
      if (chunk === undefined) break;
      await this.#chunk(chunk);
    }
    await this.#record(RECORD.end);
    return true;
  }

  async #begin(content: SentContent): Promise<void> {
    const { size, offset, sparse } = content;
    const head = 1 + this.#nameBytes();
    const room = await this.#batch.room(head + 8);
    room[0] = sparse === true && this.#holes ? RECORD.beginSparse : RECORD.begin;
    if (this.#named) putName(room, 1, content);
    const isOffset = Number.isSafeInteger(offset) && offset >= 0 && offset <= size;
    putU64(room, head, isOffset ? offset : size + 1);
    this.#batch.keep(head + 8);
  }

  async #chunk(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += LIMITS.chunk) {
      const part = chunk.subarray(at, at + LIMITS.chunk);
      const room = await this.#batch.room(5 + part.length);
      room[0] = RECORD.chunk;
      putU32(room, 1, part.length);
      room.set(part, 5);
      this.#batch.keep(5 + part.length);
    }
  }

  async #broken(error: BkError): Promise<void> {
    const fault = Buffer.from(JSON.stringify(faultOf(error)));
    const room = await this.#batch.room(5 + fault.length);
    room[0] = RECORD.broken;
    putU32(room, 1, fault.length);
    room.set(fault, 5);
    this.#batch.keep(5 + fault.length);
  }

  async #head(kind: number, content: MissingContent): Promise<void> {
    const length = 1 + this.#nameBytes();
    const room = await this.#batch.room(length);
    room[0] = kind;
    if (this.#named) putName(room, 1, content);
    this.#batch.keep(length);
  }

  async #record(kind: number): Promise<void> {
    const room = await this.#batch.room(1);
    room[0] = kind;
    this.#batch.keep(1);
  }

  #nameBytes(): number {
    return this.#named ? nameBytes : 0;
  }
}

interface Step {
  readonly chunk?: Uint8Array;
  readonly error?: unknown;
}

/** The next chunk that has bytes; neither chunk nor error: the end. */
async function step(chunks: AsyncIterator<Uint8Array>): Promise<Step> {
  try {
    for (;;) {
      const { done, value } = await chunks.next();
      if (done === true) return {};
      if (value.length > 0) return { chunk: value };
    }
  } catch (error) {
    return { error };
  }
}

const OF_CONTENT: ReadonlySet<string> = new Set(['damaged', 'not-found']);
