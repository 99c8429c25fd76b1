import type { ContentHash, GitId, PathProblem } from '@bk/core';

/** Version of what peers say to each other. */
export const PROTOCOL = 1;

/** What one side may ask of the other at once, so that nobody makes the other allocate or work without end. */
export const LIMITS = {
  refs: 100_000,
  updates: 1_000,
  wants: 10_000,
  haves: 100_000,
  /** Contents in one call. */
  contents: 100_000,
  /** Bytes of one chunk. */
  chunk: 1 << 20,
  /** Bytes of a pack. */
  pack: 64 * 2 ** 30,
  /** Bytes of one content: what a file system can hold. */
  content: 2 ** 50,
  leaseMs: 3_600_000,
  leases: 10_000,
  /** Contents in all leases that are open. */
  leased: 2_000_000,
  /** Characters of a name, a volume's id, a pattern; patterns of a subset. */
  name: 1_000,
  patterns: 10_000,
} as const;

/** The part of the tree that a repository wants (core's Subset). */
export interface WantedPart {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface Facts {
  readonly protocol: number;
  /** UUID of the repository. */
  readonly id: string;
  readonly name: string;
  /** What its volume is known by; equal for two repositories that die with the same disk. */
  readonly volume: string;
  /**
   * What its device is called on its machine until that is started again, so that two who meet over a connection know
   * when they lie on one, whatever their volumes say.
   */
  readonly device?: string;
  readonly head?: GitId;
  readonly subset: WantedPart;
  readonly readOnly: boolean;
  /** A git host: it keeps history and presences, never a content. */
  readonly historyOnly?: true;
  /** Bytes that can be sent to it. */
  readonly freeBytes?: number;
  /** The name that it has for whoever asks, whose `refs/remotes/<name>/main` may be written there; absent: it has none. */
  readonly knownAs?: string;
}

export interface RefAt {
  readonly name: string;
  readonly id: GitId;
}

export interface RefUpdate {
  readonly name: string;
  /** Where the sender believes it to be; absent: it does not exist. */
  readonly expected?: GitId;
  readonly next: GitId;
}

/** Why a ref stayed where it was; all other refs of the call are not affected. */
export type RefRefusal =
  /** It is at another commit than expected. */
  | 'moved-meanwhile'
  | 'not-fast-forward'
  /** Not a ref that others may write there. */
  | 'not-accepted'
  /** `main` moves only with the files, and these cannot follow now (changes, read-only files, a merge is needed). */
  | 'needs-merge';

export interface RefResult {
  readonly name: string;
  readonly moved: boolean;
  readonly reason?: RefRefusal;
  /** More of it, for people: a clause. */
  readonly detail?: string;
  /** Of `main`: files that did not follow, because something is in the way or no copy was within reach. */
  readonly left?: readonly PathProblem[];
}

/** A content, named by its hash: there is no other way to ask for one. */
export interface Content {
  readonly blake3: ContentHash;
  /** Bytes. */
  readonly size: number;
}

export interface WantedContent extends Content {
  /** What is here already: its first `bytes`, whose BLAKE3 is `prefix`. If the peer's differ it begins at 0. */
  readonly have?: { readonly bytes: number; readonly prefix: ContentHash };
}

/**
 * One content on its way. `chunks` begin at `offset` and go to the end; each is at most LIMITS.chunk and is valid until
 * the next is asked for. Must be read (or given up with `return`) before the next content.
 * It throws 'damaged' if what was read turns out not to be the content, and 'not-found' if it went away.
 */
export interface SentContent extends Content {
  readonly offset: number;
  /** It takes less room than it has bytes where it comes from: whole blocks of zeros may be holes. Of large ones only. */
  readonly sparse?: boolean;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Instead of a content: why it cannot be had. */
export interface MissingContent extends Content {
  readonly missing: 'not-found' | 'damaged' | 'unreadable';
}

/** What became of a content that was sent. `stored`: whole, verified and durable there. */
export interface Receipt {
  readonly blake3: ContentHash;
  readonly stored: boolean;
  readonly reason?: 'cut-off' | 'too-long' | 'other-content' | 'no-space' | 'bad-offset';
}

/** What the peer holds of a content that was not sent to its end (`bytes` = size: all of it). */
export interface Arrived extends Content {
  readonly bytes: number;
  /** BLAKE3 of these bytes. */
  readonly prefix: ContentHash;
}

export interface Held {
  readonly blake3: ContentHash;
  readonly held: boolean;
  /** `stat`: the file is as it was when it was hashed; `hash`: it was read again now. */
  readonly verified?: 'stat' | 'hash';
}

/**
 * Proof that contents are there, and the promise not to let go of them. The peer's lease lasts at least `forMs` from
 * its answer, so the asker is safe until `forMs` after it *asked*, by its own clock: it must let go before that, or not.
 */
export interface Hold {
  /** Names the promise; absent if nothing is held. */
  readonly lease?: string;
  readonly forMs: number;
  readonly volume: string;
  /** One for each content asked for, in that order. */
  readonly contents: readonly Held[];
}

export interface HoldOptions {
  /** How long the promise is to last, in ms: a duration, because clocks differ. */
  readonly forMs: number;
  /** Read every content again, whatever its stat says. */
  readonly rehash?: boolean;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * Another repository. Every call may throw 'unreachable' (it is gone, or this Peer was closed), 'refused' (it does not
 * do that), 'interrupted' (the signal), and 'damaged' (what it says cannot be so).
 */
export interface Peer {
  /** Absolute path of its root, if its files can be opened here: then bulk copying can go file to file. */
  readonly localRoot?: string;
  facts(options?: CallOptions): Promise<Facts>;
  refs(options?: CallOptions): Promise<readonly RefAt[]>;
  /** A pack of all that `wants` need and `haves` do not have. @throws 'not-found' if a want is not there */
  fetchPack(
    wants: readonly GitId[],
    haves: readonly GitId[],
    options?: CallOptions,
  ): AsyncIterable<Uint8Array>;
  /**
   * Sends a pack and then moves refs. The peer checks all of it first: it enters whole, or nothing does ('refused').
   * @param bytes absent: nothing but refs is sent
   */
  sendPack(
    bytes: AsyncIterable<Uint8Array> | undefined,
    updates: readonly RefUpdate[],
    options?: CallOptions,
  ): Promise<readonly RefResult[]>;
  /** In the order asked for. */
  readContents(
    wanted: readonly WantedContent[],
    options?: CallOptions,
  ): AsyncIterable<SentContent | MissingContent>;
  /** What of these came here before. Contents of which nothing did are left out. */
  arrived(contents: readonly Content[], options?: CallOptions): Promise<readonly Arrived[]>;
  /**
   * Contents for the peer's staging. An `offset` goes on after what `arrived` told. What stops short is kept, for going
   * on; what is wrong is not.
   */
  sendContents(contents: AsyncIterable<SentContent>, options?: CallOptions): Promise<readonly Receipt[]>;
  hold(contents: readonly Content[], options: HoldOptions & CallOptions): Promise<Hold>;
  /** Ends a promise early; one that is not known (any more) is no error. */
  release(lease: string): Promise<void>;
  /** Calls that are under way end with 'unreachable'. */
  close(): Promise<void>;
}
