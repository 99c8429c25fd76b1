import { randomBytes } from 'node:crypto';
import type { ContentHash } from '@bk/core';
import type { Arrival, Hasher, Host, OpenContent } from './host.ts';
import type { Content, Facts, Hold, HoldOptions } from './port.ts';

export interface MemoryOptions {
  readonly facts: () => Facts;
  readonly createHasher: () => Hasher;
  readonly hashBytes?: (bytes: Uint8Array) => ContentHash;
  /** Git objects need a history to live in. */
  readonly history: Pick<Host, 'refs' | 'pack' | 'receive'>;
  /** ms since 1970. */
  readonly nowMs: () => number;
}

/** A Host whose contents, arrivals and leases live in memory: for tests of whatever talks to a Peer. */
export class MemoryHost implements Host {
  readonly createHasher: () => Hasher;
  readonly hashBytes: (bytes: Uint8Array) => ContentHash;
  readonly facts: Host['facts'];
  readonly refs: Host['refs'];
  readonly pack: Host['pack'];
  readonly receive: Host['receive'];
  /** What it has, by hash; a test may spoil it. */
  readonly files = new Map<ContentHash, Uint8Array>();
  /** What was sent to it: whole ones. */
  readonly received = new Map<ContentHash, Uint8Array>();
  readonly #parts = new Map<ContentHash, Uint8Array>();
  readonly #leases = new Map<
    string,
    { readonly untilMs: number; readonly contents: readonly ContentHash[] }
  >();
  readonly #nowMs: () => number;

  constructor({ facts, createHasher, hashBytes, history, nowMs }: MemoryOptions) {
    this.facts = facts;
    this.createHasher = createHasher;
    this.hashBytes = hashBytes ?? ((bytes) => this.#hash(bytes));
    this.refs = () => history.refs();
    this.pack = (wants, haves) => history.pack(wants, haves);
    this.receive = (bytes, updates, signal) => history.receive(bytes, updates, signal);
    this.#nowMs = nowMs;
  }

  /** Adds a content. */
  put(bytes: Uint8Array): Content {
    const blake3 = this.#hash(bytes);
    this.files.set(blake3, bytes);
    return { blake3, size: bytes.length };
  }

  /** Whether a promise not to let go of it is open. */
  isLeased(blake3: ContentHash): boolean {
    const now = this.#nowMs();
    return [...this.#leases.values()].some(
      ({ untilMs, contents }) => now < untilMs && contents.includes(blake3),
    );
  }

  locate(): (content: Content) => Iterable<OpenContent> {
    return ({ blake3, size }) => {
      const bytes = this.files.get(blake3);
      return bytes?.length === size ? [{ size, read: reading(() => bytes), close: () => {} }] : [];
    };
  }

  hasArrival({ blake3 }: Content): boolean {
    return this.#parts.has(blake3) || this.received.has(blake3);
  }

  arrival({ blake3, size }: Content): Arrival {
    let bytes =
      this.received.get(blake3) ??
      this.#parts.get(blake3)?.slice(0, Math.max(0, size - 1)) ??
      new Uint8Array(0);
    let finished = this.received.has(blake3);
    return {
      get whole() {
        return finished;
      },
      get bytes() {
        return bytes.length;
      },
      read: reading(() => bytes),
      cut: (length) => {
        this.received.delete(blake3);
        finished = false;
        bytes = bytes.slice(0, length);
      },
      append: (chunk) => {
        bytes = Buffer.concat([bytes, chunk]);
      },
      finish: () => {
        finished = true;
        this.received.set(blake3, bytes);
      },
      close: (drop) => {
        this.#parts.delete(blake3);
        if (!drop && !finished && bytes.length > 0) this.#parts.set(blake3, bytes);
      },
    };
  }

  settle(): void {}

  hold(contents: readonly Content[], { forMs }: HoldOptions): Hold {
    const held = contents.map(({ blake3 }) => {
      const bytes = this.files.get(blake3);
      return bytes !== undefined && this.#hash(bytes) === blake3
        ? { blake3, held: true, verified: 'hash' as const }
        : { blake3, held: false };
    });
    const kept = held.filter((one) => one.held).map(({ blake3 }) => blake3);
    const { volume } = this.facts();
    if (kept.length === 0) return { forMs: 0, volume, contents: held };
    const lease = randomBytes(16).toString('hex');
    this.#leases.set(lease, { untilMs: this.#nowMs() + forMs, contents: kept });
    return { lease, forMs, volume, contents: held };
  }

  release(lease: string): void {
    this.#leases.delete(lease);
  }

  close(): void {}

  #hash(bytes: Uint8Array): ContentHash {
    const hasher = this.createHasher();
    hasher.update(bytes);
    return hasher.digest();
  }
}

function reading(bytes: () => Uint8Array): OpenContent['read'] {
  return (offset, target) => {
    const part = bytes().subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  };
}
