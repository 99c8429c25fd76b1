import { BkError, type ContentHash, type GitId } from '@bk/core';
import { checkContent, checkContents, checkHold, checkIds, checkLease, checkUpdates } from './asked.ts';
import type { Arrival, Hasher, Host, OpenContent } from './host.ts';
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
} from './port.ts';
import { WholeChunks } from './whole-chunks.ts';

/** Contents up to this size are read and hashed before anything of them is sent. */
const SMALL = LIMITS.chunk;

/** A Peer of a repository that this process has at hand. */
export function hostPeer(host: Host): Peer {
  return new HostPeer(host);
}

class HostPeer implements Peer {
  readonly localRoot?: string;
  readonly #host: Host;
  readonly #closing = new AbortController();
  /** Places that turned out to be bad while they were sent: passed over the next time. */
  readonly #bad = new Map<ContentHash, number>();

  constructor(host: Host) {
    this.#host = host;
    if (host.localRoot !== undefined) this.localRoot = host.localRoot;
  }

  async facts(options: CallOptions = {}): Promise<Facts> {
    this.#check(options.signal);
    return this.#host.facts();
  }

  async refs(options: CallOptions = {}): Promise<readonly RefAt[]> {
    this.#check(options.signal);
    const refs = this.#host.refs();
    if (refs.length > LIMITS.refs) throw new BkError('refused', `cannot tell ${refs.length} refs`);
    return refs;
  }

  async *fetchPack(
    wants: readonly GitId[],
    haves: readonly GitId[],
    { signal }: CallOptions = {},
  ): AsyncGenerator<Uint8Array> {
    this.#check(signal);
    checkIds('wants', wants, LIMITS.wants);
    checkIds('haves', haves, LIMITS.haves);
    for (const chunk of this.#host.pack(wants, haves)) {
      this.#check(signal);
      yield chunk;
    }
  }

  async sendPack(
    bytes: AsyncIterable<Uint8Array> | undefined,
    updates: readonly RefUpdate[],
    { signal }: CallOptions = {},
  ): Promise<readonly RefResult[]> {
    this.#checkWritable(signal);
    checkUpdates(updates);
    const either = AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])]);
    const guarded = bytes === undefined ? undefined : this.#guard(bytes, LIMITS.pack, signal);
    return this.#host.receive(guarded, updates, either);
  }

  async *readContents(
    wanted: readonly WantedContent[],
    { signal }: CallOptions = {},
  ): AsyncGenerator<SentContent | MissingContent> {
    this.#check(signal);
    checkContents(wanted);
    const places = this.#host.locate(wanted);
    for (const content of wanted) {
      this.#check(signal);
      const small = this.#atOnce(content, places);
      if (small !== undefined) yield small;
      else yield* this.#read(content, places, signal);
    }
  }

  async arrived(contents: readonly Content[], { signal }: CallOptions = {}): Promise<readonly Arrived[]> {
    this.#checkWritable(signal);
    checkContents(contents);
    const found: Arrived[] = [];
    for (const { blake3, size } of contents) {
      this.#check(signal);
      if (!this.#host.hasArrival({ blake3, size })) continue;
      const arrival = this.#host.arrival({ blake3, size });
      try {
        const hasher = this.#host.createHasher();
        await this.#feed([hasher], arrival, arrival.bytes, signal);
        found.push({ blake3, size, bytes: arrival.bytes, prefix: hasher.digest() });
      } finally {
        arrival.close(false);
      }
    }
    return found;
  }

  async sendContents(
    contents: AsyncIterable<SentContent>,
    { signal }: CallOptions = {},
  ): Promise<readonly Receipt[]> {
    this.#checkWritable(signal);
    const receipts: Receipt[] = [];
    try {
      for await (const content of contents) {
        this.#check(signal);
        if (receipts.length >= LIMITS.contents)
          throw new BkError('refused', `cannot take more than ${LIMITS.contents} contents at once`);
        checkContent(content);
        const reason = await this.#take(content, signal);
        const { blake3 } = content;
        receipts.push(reason === undefined ? { blake3, stored: true } : { blake3, stored: false, reason });
      }
    } finally {
      this.#host.settle();
    }
    return receipts;
  }

  async hold(contents: readonly Content[], { signal, ...options }: HoldOptions & CallOptions): Promise<Hold> {
    this.#check(signal);
    checkHold(contents, options);
    return this.#host.hold(contents, options);
  }

  async release(lease: string): Promise<void> {
    this.#check(undefined);
    checkLease(lease);
    this.#host.release(lease);
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#host.close();
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#closing.signal.aborted)
      throw new BkError('unreachable', 'cannot reach the other repository: the connection was closed');
    if (signal?.aborted) throw new BkError('interrupted', 'interrupted');
  }

  #checkWritable(signal: AbortSignal | undefined): void {
    this.#check(signal);
    if (this.#host.facts().readOnly)
      throw new BkError('refused', 'cannot send anything there: the other repository is read-only for us');
  }

  async *#guard(
    bytes: AsyncIterable<Uint8Array>,
    most: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    let size = 0;
    for await (const chunk of bytes) {
      this.#check(signal);
      size += chunk.length;
      if (size > most) throw new BkError('refused', `cannot take more than ${most} bytes at once`);
      yield chunk;
    }
  }

  /** A small content, if it is at the first place where it may be; undefined says nothing of the others. */
  #atOnce(
    content: WantedContent,
    places: (content: Content) => Iterable<OpenContent>,
  ): SentContent | undefined {
    if (content.size > SMALL || content.have !== undefined) return undefined;
    try {
      for (const place of places(content)) return this.#whole(place, content);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
    }
    return undefined;
  }

  /** The first place that has the content: small ones are known to be good, large ones are hashed as they go out. */
  async *#read(
    content: WantedContent,
    places: (content: Content) => Iterable<OpenContent>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<SentContent | MissingContent> {
    const { blake3, size } = content;
    let missing: MissingContent['missing'] = 'not-found';
    let skip = this.#bad.get(blake3) ?? 0;
    for (const place of places(content)) {
      try {
        if (skip-- > 0) {
          missing = 'damaged';
          continue;
        }
        const sent = await this.#open(place, content, signal);
        if (sent === undefined) {
          missing = 'damaged';
          continue;
        }
        yield sent;
        return;
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        missing = 'unreadable';
      } finally {
        place.close();
      }
    }
    yield { blake3, size, missing };
  }

  async #open(
    place: OpenContent,
    content: WantedContent,
    signal: AbortSignal | undefined,
  ): Promise<SentContent | undefined> {
    const { blake3, size, have } = content;
    if (size <= SMALL) return this.#whole(place, content);
    const hasher = this.#host.createHasher();
    const prefix = this.#host.createHasher();
    const sparse = place.sparse === true;
    const begun = have !== undefined && (await this.#feed([hasher, prefix], place, have.bytes, signal));
    if (begun && prefix.digest() === have.prefix)
      return {
        blake3,
        size,
        offset: have.bytes,
        sparse,
        chunks: this.#stream(place, content, { hasher, at: have.bytes, signal }),
      };
    const fresh = { hasher: this.#host.createHasher(), at: 0, signal };
    return { blake3, size, offset: 0, sparse, chunks: this.#stream(place, content, fresh) };
  }

  #whole(place: OpenContent, { blake3, size, have }: WantedContent): SentContent | undefined {
    const whole = new Uint8Array(size);
    if (readFully(place, 0, whole) !== size || this.#host.hashBytes(whole) !== blake3) return undefined;
    const offset = have !== undefined && this.#isPrefix(whole, have) ? have.bytes : 0;
    return { blake3, size, offset, chunks: new WholeChunks(whole.subarray(offset)) };
  }

  #isPrefix(whole: Uint8Array, have: { readonly bytes: number; readonly prefix: ContentHash }): boolean {
    return this.#host.hashBytes(whole.subarray(0, have.bytes)) === have.prefix;
  }

  /** Lets hashers see the first so many bytes; false if there are fewer. */
  async #feed(
    hashers: readonly Hasher[],
    from: Pick<OpenContent, 'read'>,
    bytes: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const buffer = new Uint8Array(Math.min(bytes, LIMITS.chunk));
    for (let at = 0; at < bytes; ) {
      this.#check(signal);
      const part = buffer.subarray(0, Math.min(buffer.length, bytes - at));
      const got = readFully(from, at, part);
      for (const hasher of hashers) hasher.update(part.subarray(0, got));
      if (got < part.length) return false;
      at += got;
      await undefined;
    }
    return true;
  }

  async *#stream(
    place: OpenContent,
    { blake3, size }: Content,
    state: { readonly hasher: Hasher; readonly at: number; readonly signal: AbortSignal | undefined },
  ): AsyncGenerator<Uint8Array> {
    const buffer = new Uint8Array(LIMITS.chunk);
    for (let at = state.at; at < size; ) {
      this.#check(state.signal);
      const part = buffer.subarray(0, Math.min(buffer.length, size - at));
      if (readFully(place, at, part) < part.length) throw this.#spoilt(blake3);
      state.hasher.update(part);
      at += part.length;
      yield part;
    }
    if (state.hasher.digest() !== blake3) throw this.#spoilt(blake3);
  }

  #spoilt(blake3: ContentHash): BkError {
    this.#bad.set(blake3, (this.#bad.get(blake3) ?? 0) + 1);
    return new BkError('damaged', `cannot send content ${blake3}: the file there is another by now`, {
      hint: 'run `bk verify` there',
    });
  }

  /** @returns why it was not stored */
  async #take(content: SentContent, signal: AbortSignal | undefined): Promise<Receipt['reason']> {
    const { blake3, size, offset } = content;
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > size) return 'bad-offset';
    let arrival: Arrival;
    try {
      arrival = this.#host.arrival({ blake3, size });
    } catch (error) {
      if (error instanceof BkError && error.code === 'no-space') return 'no-space';
      throw error;
    }
    let drop = false;
    try {
      if (arrival.whole && offset === size) return undefined;
      if (offset > arrival.bytes) return 'bad-offset';
      const reason = await this.#append(arrival, content, signal);
      drop = reason !== undefined && reason !== 'cut-off';
      return reason;
    } finally {
      arrival.close(drop);
    }
  }

  async #append(
    arrival: Arrival,
    { blake3, size, offset, sparse, chunks }: SentContent,
    signal: AbortSignal | undefined,
  ): Promise<Receipt['reason']> {
    if (arrival.bytes > offset) arrival.cut(offset);
    let hasher: Hasher | undefined;
    /** Of a content that came in one piece. */
    let hash: ContentHash | undefined;
    if (offset > 0) {
      hasher = this.#host.createHasher();
      await this.#feed([hasher], arrival, offset, signal);
    }
    let at = offset;
    try {
      for await (const chunk of chunks) {
        this.#check(signal);
        at += chunk.length;
        if (at > size) return 'too-long';
        if (chunk.length === size) hash = this.#host.hashBytes(chunk);
        else {
          hasher ??= this.#host.createHasher();
          hasher.update(chunk);
        }
        arrival.append(chunk, sparse);
      }
    } catch (error) {
      if (error instanceof BkError && error.code === 'no-space') return 'no-space';
      throw error;
    }
    if (at < size) return 'cut-off';
    hash ??= hasher?.digest() ?? this.#host.hashBytes(EMPTY);
    if (hash !== blake3) return 'other-content';
    arrival.finish();
    return undefined;
  }
}

function readFully(from: Pick<OpenContent, 'read'>, offset: number, target: Uint8Array): number {
  let done = 0;
  while (done < target.length) {
    const got = from.read(offset + done, target.subarray(done));
    if (got === 0) break;
    done += got;
  }
  return done;
}

const EMPTY = new Uint8Array(0);

function isUnreadable(error: unknown): boolean {
  return ['EIO', 'EACCES', 'ESTALE'].includes(String((error as NodeJS.ErrnoException).code));
}
