import type { ContentHash, GitId, JsonValue } from '@bk/core';
import { checkContent, checkContents, checkHold, checkIds, checkLease, checkUpdates } from '../asked.ts';
import {
  type Arrived,
  type CallOptions,
  type Content,
  type Facts,
  type Hold,
  type HoldOptions,
  LIMITS,
  type MissingContent,
  type Peer,
  type Receipt,
  type RefAt,
  type RefResult,
  type RefUpdate,
  type SentContent,
  type WantedContent,
} from '../port.ts';
import {
  checkedArrived,
  checkedFacts,
  checkedHold,
  checkedReceipts,
  checkedRefs,
  checkedResults,
} from '../told.ts';
import { contentsSaid } from './arguments.ts';
import type { Sending } from './batch.ts';
import { sendBytes } from './bytes-out.ts';
import type { CallRequest, OwnCall } from './calls.ts';
import { type Connection, closed } from './connection.ts';
import { answeredContents } from './contents-in.ts';
import { sendRecords } from './contents-out.ts';
import { violation } from './frame.ts';
import { patienceFor } from './timeouts.ts';

/** What the other side of a connection offers. Nothing of what it says is believed; everything asked is checked here too. */
export class RemotePeer implements Peer {
  readonly #connection: Connection;
  readonly #onClose: () => Promise<void>;
  #isClosed = false;

  constructor(connection: Connection, onClose: () => Promise<void>) {
    this.#connection = connection;
    this.#onClose = onClose;
  }

  async facts({ signal }: CallOptions = {}): Promise<Facts> {
    return checkedFacts(await this.#ask({ method: 'facts', args: null, signal }));
  }

  async refs({ signal }: CallOptions = {}): Promise<readonly RefAt[]> {
    return checkedRefs(await this.#ask({ method: 'refs', args: null, signal, patienceMs: patienceFor(0) }));
  }

  async *fetchPack(
    wants: readonly GitId[],
    haves: readonly GitId[],
    { signal }: CallOptions = {},
  ): AsyncGenerator<Uint8Array> {
    this.#check(signal);
    checkIds('wants', wants, LIMITS.wants);
    checkIds('haves', haves, LIMITS.haves);
    const call = await this.#begin({
      method: 'fetchPack',
      args: { wants, haves },
      signal,
      patienceMs: patienceFor(0),
    });
    let bytes = 0;
    try {
      for (;;) {
        const chunk = await call.flows.inflow?.next();
        if (chunk === undefined) break;
        bytes += chunk.length;
        if (chunk.length > LIMITS.chunk || bytes > LIMITS.pack)
          throw violation('more of a pack than it may have');
        yield chunk;
      }
      await call.answer;
    } finally {
      this.#connection.cancel(call, closed());
    }
  }

  async sendPack(
    bytes: AsyncIterable<Uint8Array> | undefined,
    updates: readonly RefUpdate[],
    { signal }: CallOptions = {},
  ): Promise<readonly RefResult[]> {
    this.#check(signal);
    checkUpdates(updates);
    const args = { pack: bytes !== undefined, updates: updates as unknown as JsonValue };
    const request = { method: 'sendPack', args, signal, patienceMs: patienceFor(0) } as const;
    const said = await this.#give(request, async (call) => {
      if (bytes !== undefined) await sendBytes(bytes, this.#sending(call));
    });
    return checkedResults(said, updates);
  }

  async *readContents(
    wanted: readonly WantedContent[],
    { signal }: CallOptions = {},
  ): AsyncGenerator<SentContent | MissingContent> {
    this.#check(signal);
    checkContents(wanted);
    const args = contentsSaid(wanted);
    const call = await this.#begin({
      method: 'readContents',
      args,
      signal,
      patienceMs: patienceFor(largest(wanted)),
    });
    const skip = (ordinal: number): void => this.#connection.skip(call, ordinal);
    try {
      yield* answeredContents(wanted, { inflow: call.flows.inflow!, skip });
      await call.answer;
    } finally {
      this.#connection.cancel(call, closed());
    }
  }

  async arrived(contents: readonly Content[], { signal }: CallOptions = {}): Promise<readonly Arrived[]> {
    this.#check(signal);
    checkContents(contents);
    const args = contentsSaid(contents.map(({ blake3, size }) => ({ blake3, size })));
    const patienceMs = patienceFor(total(contents));
    return checkedArrived(await this.#ask({ method: 'arrived', args, signal, patienceMs }), contents);
  }

  async sendContents(
    contents: AsyncIterable<SentContent>,
    { signal }: CallOptions = {},
  ): Promise<readonly Receipt[]> {
    this.#check(signal);
    const sent: ContentHash[] = [];
    const request = { method: 'sendContents', args: null, signal, patienceMs: 4 * patienceFor(0) } as const;
    const said = await this.#give(request, (call) =>
      sendRecords(checkedContents(contents), {
        named: true,
        holes: this.#connection.holes,
        ...this.#sending(call),
        skipped: () => call.flows.outflow?.skipped ?? 0,
        onContent: ({ blake3 }) => void sent.push(blake3),
      }),
    );
    return checkedReceipts(said, sent);
  }

  async hold(
    contents: readonly Content[],
    { signal, forMs, rehash }: HoldOptions & CallOptions,
  ): Promise<Hold> {
    this.#check(signal);
    checkHold(contents, { forMs });
    const said = contentsSaid(contents.map(({ blake3, size }) => ({ blake3, size })));
    const args = { contents: said, forMs, rehash: rehash === true };
    const patienceMs = patienceFor(total(contents));
    return checkedHold(await this.#ask({ method: 'hold', args, signal, patienceMs }), contents, forMs);
  }

  async release(lease: string): Promise<void> {
    this.#check(undefined);
    checkLease(lease);
    await this.#ask({ method: 'release', args: lease });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#onClose();
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#isClosed) throw closed();
    this.#connection.check(signal);
  }

  async #begin(request: CallRequest): Promise<OwnCall> {
    this.#check(request.signal);
    return this.#connection.call(request);
  }

  #sending(call: OwnCall): Sending {
    const { pool } = this.#connection;
    return { send: (payload) => this.#connection.sendData(call, payload), pool };
  }

  async #ask(request: CallRequest): Promise<JsonValue> {
    const call = await this.#begin(request);
    return call.answer;
  }

  /**
   * A call with a stream. If the stream breaks off here, that is told there, and the call ends when the other side has
   * put away what came; then what broke it is thrown.
   */
  async #give(request: CallRequest, send: (call: OwnCall) => Promise<void>): Promise<JsonValue> {
    const call = await this.#begin(request);
    try {
      await send(call);
      this.#connection.endData(call);
    } catch (error) {
      // The other side has answered, or is gone: then its answer says more.
      if (call.isOver) return call.answer;
      this.#connection.endData(call, error);
      await call.answer.catch(() => {});
      throw error;
    }
    return call.answer;
  }
}

async function* checkedContents(contents: AsyncIterable<SentContent>): AsyncGenerator<SentContent> {
  for await (const content of contents) {
    checkContent({ blake3: content.blake3, size: content.size });
    yield content;
  }
}

function total(contents: readonly Content[]): number {
  return contents.reduce((sum, { size }) => sum + size, 0);
}

/** A large content is read before a part of it goes on. */
function largest(contents: readonly Content[]): number {
  return contents.reduce((most, { size }) => Math.max(most, size), 0);
}
