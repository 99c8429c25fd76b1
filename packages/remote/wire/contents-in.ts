import { BkError } from '@bk/core';
import { type Content, LIMITS, type MissingContent, type SentContent, type WantedContent } from '../port.ts';
import { WholeChunks } from '../whole-chunks.ts';
import { nameAt, nameBytes, RECORD, RECORD_REASONS } from './content-record.ts';
import { errorOf } from './fault.ts';
import type { Inflow } from './flow.ts';
import { u32, u64, violation } from './frame.ts';
import { jsonOf } from './message.ts';

export interface ContentsIn {
  readonly inflow: Inflow;
  /** Tells the sender that the content with this number, from 1, is not wanted any more. */
  readonly skip: (ordinal: number) => void;
}

/**
 * The answers to what was asked, in that order and no others: the records do not say which content they are.
 * @throws BkError 'damaged' for anything else
 */
export async function* answeredContents(
  asked: readonly WantedContent[],
  { inflow, skip }: ContentsIn,
): AsyncGenerator<SentContent | MissingContent> {
  const records = new RecordReader(inflow);
  for (let i = 0; i < asked.length; i++) {
    const { blake3, size, have } = asked[i]!;
    if (!records.hasMore && !(await records.next())) throw violation('fewer contents than were asked for');
    const kind = records.byte();
    const missing = RECORD_REASONS[kind];
    if (missing !== undefined) yield { blake3, size, missing };
    else if (kind === RECORD.whole)
      yield { blake3, size, offset: 0, chunks: new WholeChunks(records.bytes(size)) };
    else if (kind === RECORD.begin || kind === RECORD.beginSparse) {
      const offset = records.u64();
      if (offset !== 0 && offset !== have?.bytes)
        throw violation('a content from where it was not asked for');
      const chunks = new RecordChunks(records, size - offset);
      yield { blake3, size, offset, sparse: kind === RECORD.beginSparse, chunks };
      await chunks.leave(() => skip(i + 1));
    } else throw violation(`a record of the unknown kind ${kind}`);
  }
  if (records.hasMore || (await records.next())) throw violation('more contents than were asked for');
}

/** Contents as another side sends them: each says which it is. What is wrong with them, whoever takes them finds. */
export async function* offeredContents({ inflow, skip }: ContentsIn): AsyncGenerator<SentContent> {
  const records = new RecordReader(inflow);
  for (let ordinal = 1; records.hasMore || (await records.next()); ordinal++) {
    const kind = records.byte();
    const content = records.name();
    if (content.size > LIMITS.content)
      throw new BkError('refused', `cannot do what was asked: a content of ${content.size} bytes`);
    if (kind === RECORD.whole)
      yield { ...content, offset: 0, chunks: new WholeChunks(records.bytes(content.size)) };
    else if (kind === RECORD.begin || kind === RECORD.beginSparse) {
      const offset = records.u64();
      const chunks = new RecordChunks(records, Number.POSITIVE_INFINITY, false);
      yield { ...content, offset, sparse: kind === RECORD.beginSparse, chunks };
      await chunks.leave(() => skip(ordinal));
    } else throw violation(`a record of the unknown kind ${kind}`);
  }
}

/** Takes records out of frames. */
class RecordReader {
  readonly #inflow: Inflow;
  #frame: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(inflow: Inflow) {
    this.#inflow = inflow;
  }

  /** Whether the frame has another record. */
  get hasMore(): boolean {
    return this.#at < this.#frame.length;
  }

  /** Goes on to the next frame; false at the end of the stream. */
  async next(): Promise<boolean> {
    const frame = await this.#inflow.next();
    this.#at = 0;
    this.#frame =
      frame === undefined ? Buffer.alloc(0) : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
    return frame !== undefined;
  }

  byte(): number {
    return this.#frame[this.#take(1)]!;
  }

  u32(): number {
    return u32(this.#frame, this.#take(4));
  }

  u64(): number {
    return u64(this.#frame, this.#take(8));
  }

  name(): Content {
    return nameAt(this.#frame, this.#take(nameBytes));
  }

  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#frame.subarray(at, at + length);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#frame.length - at) throw violation('a record that is cut off');
    this.#at = at + length;
    return at;
  }
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** The chunks of a content, as their records come. */
class RecordChunks implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  readonly #records: RecordReader;
  readonly #mustBeWhole: boolean;
  /** Bytes that may come still. */
  #left: number;
  #isEnded = false;
  /** Not wanted any more. */
  #isLeft = false;

  constructor(records: RecordReader, most: number, mustBeWhole = true) {
    this.#records = records;
    this.#left = most;
    this.#mustBeWhole = mustBeWhole;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#isLeft || this.#isEnded) return DONE;
    const value = await this.#next();
    if (value !== undefined) return { done: false, value };
    if (this.#mustBeWhole && this.#left > 0) throw violation('less of a content than it has');
    return DONE;
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#isLeft = true;
    return DONE;
  }

  /** Passes over what was not read. `skip` asks the sender not to send it. */
  async leave(skip: () => void): Promise<void> {
    this.#isLeft = true;
    if (this.#isEnded) return;
    skip();
    try {
      while ((await this.#next()) !== undefined);
    } catch (error) {
      if (!this.#isEnded) throw error;
    }
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (!this.#records.hasMore && !(await this.#records.next())) throw violation('a content without an end');
    const kind = this.#records.byte();
    if (kind === RECORD.chunk) return this.#chunk();
    this.#isEnded = true;
    if (kind === RECORD.broken) throw errorOf(jsonOf(this.#records.bytes(this.#records.u32())));
    if (kind !== RECORD.end) throw violation(`a record of the kind ${kind} within a content`);
    return undefined;
  }

  #chunk(): Uint8Array {
    const length = this.#records.u32();
    if (length === 0 || length > LIMITS.chunk) throw violation(`a chunk of ${length} bytes`);
    if (length > this.#left) throw violation('more of a content than it has');
    this.#left -= length;
    return this.#records.bytes(length);
  }
}
