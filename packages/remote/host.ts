import type { ContentHash, GitId } from '@bk/core';
import type { Content, Facts, Hold, HoldOptions, RefAt, RefResult, RefUpdate } from './port.ts';

/** BLAKE3-256, bytes as they come. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): ContentHash;
}

/** A content that is here, open. */
export interface OpenContent {
  readonly size: number;
  /** It has holes. */
  readonly sparse?: boolean;
  /** Up to `target.length` bytes from `offset` on; 0 at the end. */
  read(offset: number, target: Uint8Array): number;
  close(): void;
}

/** A place in staging for a content that is on its way. */
export interface Arrival {
  /** It is here already, whole and verified. */
  readonly whole: boolean;
  /** Bytes that are here already; fewer than the content has unless it is whole. */
  readonly bytes: number;
  read(offset: number, target: Uint8Array): number;
  /** Forgets what is behind the first so many bytes. */
  cut(bytes: number): void;
  /** @param sparse whether blocks of zeros may be holes */
  append(chunk: Uint8Array, sparse?: boolean): void;
  /** It is whole and verified: gives it its name. Durable after `settle`. */
  finish(): void;
  /** Lets go of it; what was appended stays for going on, unless `drop`. */
  close(drop: boolean): void;
}

/**
 * What a repository offers to others, without any distrust: whoever makes a Peer of it (`hostPeer`) checks and caps
 * what is asked. Synchronous where it works on local files.
 */
export interface Host {
  readonly localRoot?: string;
  createHasher(): Hasher;
  /** In one go: for many small contents much cheaper than a Hasher for each. */
  hashBytes(bytes: Uint8Array): ContentHash;
  facts(): Facts;
  refs(): readonly RefAt[];
  pack(wants: readonly GitId[], haves: readonly GitId[]): Iterable<Uint8Array>;
  /** Validates the pack in quarantine, then moves the refs it accepts. @throws 'refused' if anything is wrong with it */
  receive(
    bytes: AsyncIterable<Uint8Array> | undefined,
    updates: readonly RefUpdate[],
    signal: AbortSignal,
  ): Promise<readonly RefResult[]>;
  /**
   * Looks in one go where these contents are: files of the head’s tree, and the safety net. What it gives opens the places of one of them,
   * in a definite order; one that is not there any more, or has another size, is passed over.
   */
  locate(contents: readonly Content[]): (content: Content) => Iterable<OpenContent>;
  /** @throws 'no-space' */
  arrival(content: Content): Arrival;
  /** Whether something of it arrived. */
  hasArrival(content: Content): boolean;
  /** Makes all finished arrivals durable. */
  settle(): void;
  hold(contents: readonly Content[], options: HoldOptions): Hold;
  release(lease: string): void;
  close(): void;
}
