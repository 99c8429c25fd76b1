import { BkError, type ContentHash } from '@bk/core';
import { type Content, type SentContent, verifiedChunks, type WantedContent } from '@bk/remote';
import type { Incoming } from '@bk/store';
import { createHasher } from '@bk/worktree';
import type { Context } from '../context.ts';
import type { OpenRemote } from '../peers/peers.ts';

/** Contents that are asked for at once. */
const BATCH = 4_096;
/** How often one remote is asked for a content that turns out to be bad: it may have other places of it. */
const ATTEMPTS = 4;
/** What is fetched becomes durable at least so often. */
const SETTLE_BYTES = 1 << 30;
const CHUNK = 1 << 20;

/** Fetches contents into `Incoming`, from one remote after the other; each is asked only for what is still missing. */
export class BringingIn {
  readonly #incoming: Incoming;
  readonly #context: Context;
  readonly #left: Map<ContentHash, Content>;
  readonly #reasons = new Map<ContentHash, string[]>();
  readonly #from = new Map<ContentHash, string>();
  readonly #total: { totalFiles: number; totalBytes: number };
  /** That a remote went away while it was asked. */
  #brokenOff: BkError | undefined;
  #files = 0;
  #bytes = 0;
  #unsettled = 0;
  #shown = 0;

  constructor(incoming: Incoming, wanted: readonly Content[], context: Context) {
    this.#incoming = incoming;
    this.#context = context;
    this.#left = new Map(wanted.map((content) => [content.blake3, content]));
    for (const { blake3 } of wanted) if (incoming.fileOf(blake3) !== undefined) this.#left.delete(blake3);
    const totalBytes = [...this.#left.values()].reduce((sum, { size }) => sum + size, 0);
    this.#total = { totalFiles: this.#left.size, totalBytes };
  }

  get transferred(): { readonly files: number; readonly bytes: number } {
    return { files: this.#files, bytes: this.#bytes };
  }

  get brokenOff(): BkError | undefined {
    return this.#brokenOff;
  }

  /** Why a content is not here: a clause. */
  reason(blake3: ContentHash): string {
    const reasons = this.#reasons.get(blake3);
    return reasons === undefined ? 'no remote that can be reached has it' : reasons.join('; ');
  }

  from(blake3: ContentHash): string | undefined {
    return this.#from.get(blake3);
  }

  async all(remotes: readonly OpenRemote[]): Promise<void> {
    if (this.#left.size === 0 || remotes.length === 0) return;
    this.#checkSpace();
    try {
      for (const remote of remotes) if (this.#left.size > 0) await this.#fetch(remote);
    } finally {
      this.#incoming.settle();
    }
  }

  #checkSpace(): void {
    let bytes = 0;
    for (const content of this.#left.values())
      bytes += content.size - this.#had(content, ({ bytes }) => bytes);
    this.#incoming.checkSpace(bytes);
  }

  async #fetch({ peer, remote: { name } }: OpenRemote): Promise<void> {
    const attempts = new Map<ContentHash, number>();
    let asked = [...this.#left.values()];
    while (asked.length > 0) {
      const batch = asked.slice(0, BATCH);
      const took = { answers: 0 };
      try {
        await this.#take(peer.readContents(batch.map((content) => this.#wanted(content))), batch, {
          name,
          took,
        });
        for (const { blake3 } of batch.slice(took.answers)) this.#note(blake3, name, 'it did not answer');
        asked = asked.slice(batch.length);
      } catch (error) {
        if (!(error instanceof BkError)) throw error;
        const bad = batch[took.answers];
        if (ENDS_REMOTE.has(error.code) || (error.code === 'damaged' && bad === undefined)) {
          if (error.code === 'unreachable') this.#brokenOff ??= error;
          for (const { blake3 } of asked.slice(took.answers)) this.#note(blake3, name, error.message);
          return;
        }
        if (bad === undefined || !ENDS_CONTENT.has(error.code)) throw error;
        const times = (attempts.get(bad.blake3) ?? 0) + 1;
        attempts.set(bad.blake3, times);
        const given = times >= ATTEMPTS;
        if (given) this.#note(bad.blake3, name, MISSING[error.code === 'damaged' ? 'damaged' : 'not-found']);
        asked = asked.slice(took.answers + (given ? 1 : 0));
      }
    }
  }

  /** `took.answers` counts those that are settled; what is thrown is about the one after them. */
  async #take(
    answers: ReturnType<OpenRemote['peer']['readContents']>,
    batch: readonly Content[],
    { name, took }: { name: string; took: { answers: number } },
  ): Promise<void> {
    for await (const answer of answers) {
      const asked = batch[took.answers];
      if (asked === undefined || answer.blake3 !== asked.blake3 || answer.size !== asked.size)
        throw new BkError('unreachable', 'it answered what was not asked');
      if ('missing' in answer) this.#note(answer.blake3, name, MISSING[answer.missing]);
      else await this.#receive(answer, name);
      took.answers++;
    }
  }

  async #receive(sent: SentContent, name: string): Promise<void> {
    const { blake3, size, offset, sparse } = sent;
    const arrival = this.#incoming.open(blake3, size);
    let drop = false;
    try {
      if (!(Number.isSafeInteger(offset) && offset >= 0 && offset <= arrival.bytes))
        throw new BkError('damaged', 'it goes on after what is here');
      if (arrival.bytes > offset) arrival.cut(offset);
      const hasher = createHasher();
      feed(hasher, arrival, offset);
      for await (const chunk of verifiedChunks(sent.chunks, sent, hasher)) {
        arrival.append(chunk, sparse);
        this.#progress(chunk.length);
      }
      arrival.finish();
    } catch (error) {
      drop = error instanceof BkError && error.code === 'damaged';
      throw error;
    } finally {
      arrival.close(drop);
    }
    this.#left.delete(blake3);
    this.#from.set(blake3, name);
    this.#files++;
    this.#unsettled += size;
    if (this.#unsettled < SETTLE_BYTES) return;
    this.#incoming.settle();
    this.#unsettled = 0;
  }

  #wanted(content: Content): WantedContent {
    return this.#had(content, (part) => {
      if (part.bytes === 0) return content;
      const hasher = createHasher();
      feed(hasher, part, part.bytes);
      return { ...content, have: { bytes: part.bytes, prefix: hasher.digest() } };
    });
  }

  /** What came of a content before. */
  #had<T>({ blake3, size }: Content, of: (part: Part) => T): T {
    if (!this.#incoming.has(blake3)) return of(NOTHING);
    const part = this.#incoming.open(blake3, size);
    try {
      return of(part);
    } finally {
      part.close(false);
    }
  }

  #note(blake3: ContentHash, name: string, reason: string): void {
    const reasons = this.#reasons.get(blake3);
    if (reasons === undefined) this.#reasons.set(blake3, [`${name}: ${reason}`]);
    else reasons.push(`${name}: ${reason}`);
  }

  #progress(bytes: number): void {
    this.#bytes += bytes;
    this.#shown += bytes;
    if (this.#shown < CHUNK && this.#files % 64 !== 0) return;
    this.#shown = 0;
    this.#context.report({ phase: 'fetch', files: this.#files, bytes: this.#bytes, ...this.#total });
  }
}

interface Part {
  readonly bytes: number;
  read(offset: number, target: Uint8Array): number;
}

const NOTHING: Part = { bytes: 0, read: () => 0 };
const ENDS_REMOTE: ReadonlySet<string> = new Set(['unreachable', 'refused', 'io']);
const ENDS_CONTENT: ReadonlySet<string> = new Set(['damaged', 'not-found']);
const MISSING = {
  'not-found': 'it does not have it',
  damaged: 'its file is not that content any more',
  unreadable: 'its file cannot be read',
} as const;

function feed(hasher: { update(bytes: Uint8Array): void }, part: Part, bytes: number): void {
  const buffer = new Uint8Array(Math.max(1, Math.min(CHUNK, bytes)));
  for (let at = 0; at < bytes; ) {
    const read = part.read(at, buffer.subarray(0, Math.min(buffer.length, bytes - at)));
    if (read === 0) throw new BkError('damaged', 'what came before is gone');
    hasher.update(buffer.subarray(0, read));
    at += read;
  }
}
