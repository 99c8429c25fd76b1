import { BkError, type ContentHash, type RepoPath } from '@bk/core';
import { hostPeer, type Peer, type Receipt, type SentContent } from '@bk/remote';
import type { Context } from '../context.ts';
import { repositoryHost } from '../peers/host.ts';
import type { Repository } from '../repository.ts';
import type { Lacking } from './lacking.ts';

export interface Sent {
  /** What went over, this time. */
  readonly sent: { readonly files: number; readonly bytes: number };
  /** What could not be sent, by path. */
  readonly missing: readonly { readonly path: RepoPath; readonly reason: string }[];
  /** There is no space for all of it there. */
  readonly full: boolean;
}

/** Contents asked about at once. */
const BATCH = 4_000;
/** A content may lie at several places here, of which the first are bad; each round passes one over. */
const ROUNDS = 9;

/**
 * Sends contents to a peer's staging; goes on where an interrupted one was. Each is read here and hashed on its way, so
 * nothing wrong arrives. Needs no lock.
 */
export async function sendContents(
  repo: Repository,
  peer: Peer,
  contents: readonly Lacking[],
  context: Context,
): Promise<Sent> {
  const sending = new Sending(repo, peer, contents, context);
  try {
    await sending.run();
    return sending.result();
  } finally {
    await sending.close();
  }
}

class Sending {
  readonly #peer: Peer;
  readonly #own: Peer;
  readonly #context: Context;
  readonly #contents: readonly Lacking[];
  readonly #missing = new Map<ContentHash, string>();
  readonly #totalBytes: number;
  #files = 0;
  #bytes = 0;
  #done = 0;
  #doneBytes = 0;
  #full = false;

  constructor(repo: Repository, peer: Peer, contents: readonly Lacking[], context: Context) {
    this.#peer = peer;
    this.#own = hostPeer(repositoryHost(repo, { nowMs: context.nowMs, readOnly: true }));
    this.#contents = contents;
    this.#context = context;
    this.#totalBytes = contents.reduce((sum, { size }) => sum + size, 0);
  }

  async run(): Promise<void> {
    for (let at = 0; at < this.#contents.length && !this.#full; at += BATCH)
      await this.#batch(this.#contents.slice(at, at + BATCH));
  }

  result(): Sent {
    const missing = this.#contents.flatMap(({ blake3, path }) => {
      const reason = this.#missing.get(blake3);
      return reason === undefined ? [] : [{ path, reason }];
    });
    return { sent: { files: this.#files, bytes: this.#bytes }, missing, full: this.#full };
  }

  close(): Promise<void> {
    return this.#own.close();
  }

  async #batch(batch: readonly Lacking[]): Promise<void> {
    let left = batch;
    for (let round = 0; left.length > 0 && round < ROUNDS && !this.#full; round++) {
      const receipts = await this.#round(left);
      for (const { blake3, stored, reason } of receipts.values()) {
        if (stored) this.#missing.delete(blake3);
        else this.#missing.set(blake3, WORDS[reason ?? 'cut-off']);
        if (reason === 'no-space') this.#full = true;
      }
      left = left.filter(({ blake3 }) => receipts.get(blake3)?.stored === false);
    }
  }

  /** Tries each of them once. @returns what became of those that were sent */
  async #round(contents: readonly Lacking[]): Promise<ReadonlyMap<ContentHash, Receipt>> {
    const arrived = new Map((await this.#peer.arrived(contents)).map((one) => [one.blake3, one]));
    const wanted = contents.flatMap(({ blake3, size }) => {
      const part = arrived.get(blake3);
      if (part?.bytes === size && part.prefix === blake3) this.#count(size);
      else if (part === undefined || part.bytes === 0) return [{ blake3, size }];
      else return [{ blake3, size, have: { bytes: part.bytes, prefix: part.prefix } }];
      return [];
    });
    if (wanted.length === 0) return new Map();
    const receipts = await this.#peer.sendContents(this.#read(wanted));
    for (const { stored } of receipts) if (stored) this.#files++;
    return new Map(receipts.map((receipt) => [receipt.blake3, receipt]));
  }

  async *#read(wanted: Parameters<Peer['readContents']>[0]): AsyncGenerator<SentContent> {
    for await (const one of this.#own.readContents(wanted)) {
      if ('missing' in one) this.#missing.set(one.blake3, HERE[one.missing]);
      else {
        yield { ...one, chunks: this.#chunks(one) };
        this.#count(one.offset);
      }
    }
  }

  /** A file that turns out to be another ends early: the peer sees that it was cut off, and the next place is tried. */
  async *#chunks({ chunks }: SentContent): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of chunks) {
        yield chunk;
        this.#bytes += chunk.length;
        this.#doneBytes += chunk.length;
        this.#tell();
      }
    } catch (error) {
      if (!(error instanceof BkError) || !['damaged', 'not-found'].includes(error.code)) throw error;
    }
  }

  /** One more content is done with, so many bytes of which were there already. */
  #count(there: number): void {
    this.#done++;
    this.#doneBytes += there;
    this.#tell();
  }

  #tell(): void {
    this.#context.report({
      phase: 'send',
      files: this.#done,
      bytes: this.#doneBytes,
      totalFiles: this.#contents.length,
      totalBytes: this.#totalBytes,
    });
  }
}

const HERE = {
  'not-found': 'it is not in this repository either',
  damaged: 'the file here is another by now',
  unreadable: 'the file here cannot be read',
} as const;

const WORDS = {
  'cut-off': 'the file here is another by now',
  'too-long': 'the file here is another by now',
  'other-content': 'it arrived changed',
  'no-space': 'there is no space for it there',
  'bad-offset': 'the other side lost the part that was there',
} as const;
