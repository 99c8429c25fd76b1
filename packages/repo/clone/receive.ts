import fs from 'node:fs';
import { BkError, type ContentHash } from '@bk/core';
import {
  LIMITS,
  type MissingContent,
  type Peer,
  type SentContent,
  type WantedContent,
  WholeChunks,
} from '@bk/remote';
import { nodePath, OTHER_CONTENT, removeStaged } from '@bk/worktree';
import type { Pool } from '../observe/pool.ts';
import { type CloneFile, cannotHold, type FileCloner, type Made, NOT_HERE, RESUMED_FROM } from './files.ts';

/** Of each file: as it is now, or why it could not be had. */
export type Outcomes = Map<CloneFile, Made | string>;

export interface ReceiverOptions {
  readonly peer: Peer;
  readonly pool: Pool;
  readonly cloner: FileCloner;
  /** Is told what became of the files. */
  readonly outcomes: Outcomes;
}

/** Contents up to this size are written by threads, many at once; larger ones as they come. */
const SMALL = LIMITS.chunk;
const BATCH_BYTES = 2 << 20;
const BATCH_FILES = 256;
/** Batches under way for each thread: enough that none waits, and no more memory than that. */
const LANES = 3;

type Open = ReturnType<FileCloner['copier']['receive']>;

/** Takes contents from a peer into staging, each verified; one that several files have comes once. */
export class Receiver {
  readonly #peer: Peer;
  readonly #pool: Pool;
  readonly #cloner: FileCloner;
  readonly #outcomes: Outcomes;
  readonly #files: ReadonlyMap<ContentHash, readonly CloneFile[]>;
  readonly #flying = new Set<Promise<void>>();
  readonly #buffer = new Uint8Array(BATCH_BYTES + SMALL);
  #batch = new Batch(this.#buffer);
  #failure: { readonly error: unknown } | undefined;
  #isBroken = false;

  /** @param files by their content, in the order in which they are wanted */
  constructor(files: readonly (readonly [ContentHash, readonly CloneFile[]])[], options: ReceiverOptions) {
    this.#files = new Map(files);
    this.#peer = options.peer;
    this.#pool = options.pool;
    this.#cloner = options.cloner;
    this.#outcomes = options.outcomes;
  }

  /** @returns whether something turned out to be bad on its way, so that another place may have it whole */
  async run(): Promise<boolean> {
    const wanted = [...this.#files.values()].map(([file]) => this.#wanted(file!));
    try {
      for await (const sent of this.#peer.readContents(wanted)) {
        if (!this.#takeAtOnce(sent)) await this.#take(sent);
        else if (this.#batch.isFull) await this.#write();
      }
      await this.#write();
    } finally {
      // Nothing goes on behind the back of who cleans up.
      await Promise.all(this.#flying);
    }
    this.#check();
    return this.#isBroken;
  }

  #wanted(file: CloneFile): WantedContent {
    const { blake3, size } = file.wanted;
    if (!this.#cloner.places.resumed || size <= RESUMED_FROM) return { blake3, size };
    const have = this.#cloner.inPlace(file, (at) => this.#cloner.copier.partOf(at, file.wanted));
    return { blake3, size, ...(have !== undefined && { have }) };
  }

  async #take(sent: SentContent | MissingContent): Promise<void> {
    this.#check();
    const files = this.#files.get(sent.blake3);
    if (files === undefined) throw new BkError('damaged', 'the other repository sent what nobody asked for');
    if ('missing' in sent) this.#lack(files, WHY[sent.missing]);
    else if (sent.size <= SMALL) await this.#takeSmall(sent, files);
    else await this.#takeLarge(sent, files);
  }

  /** What came in one piece, for one file. @returns false: `#take` does it */
  #takeAtOnce(sent: SentContent | MissingContent): boolean {
    if ('missing' in sent || !(sent.chunks instanceof WholeChunks)) return false;
    const { blake3, size, chunks } = sent;
    const files = this.#files.get(blake3);
    // Of one that is not as long as it says, `#take` says so.
    if (files?.length !== 1 || size > SMALL || chunks.length !== size) return false;
    this.#batch.add(files[0]!, chunks.take());
    return true;
  }

  async #takeSmall(sent: SentContent, files: readonly CloneFile[]): Promise<void> {
    const bytes = Buffer.allocUnsafe(sent.size);
    let length = 0;
    const whole = await this.#reading(sent, (chunk) => {
      // What is too long is no such content; the thread that hashes it says so.
      if (length + chunk.length <= bytes.length) bytes.set(chunk, length);
      length += chunk.length;
    });
    if (!whole || length !== bytes.length) {
      this.#isBroken = true;
      this.#lack(files, WHY.damaged);
      return;
    }
    for (const file of files) {
      this.#batch.add(file, bytes);
      if (this.#batch.isFull) await this.#write();
    }
  }

  /** Hands what has come to a thread; waits while enough are at work. */
  async #write(): Promise<void> {
    const batch = this.#batch;
    if (batch.files.length === 0) return;
    const { files, starts, bytes } = batch;
    this.#batch = new Batch(this.#buffer);
    const work = this.#writeBatch({ files, starts, bytes }).catch((error: unknown) => {
      this.#failure ??= { error };
    });
    this.#flying.add(work);
    void work.then(() => this.#flying.delete(work));
    while (this.#flying.size >= Math.max(1, this.#pool.threads) * LANES) await Promise.race(this.#flying);
    this.#check();
  }

  async #writeBatch({ files, bytes, starts }: Pick<Batch, 'files' | 'bytes' | 'starts'>): Promise<void> {
    const { made, touched } = await this.#pool.run('cloneBytes', {
      ...this.#cloner.places,
      files,
      bytes,
      starts,
    });
    this.#cloner.touch(touched);
    files.forEach((file, i) => {
      const outcome = made[i]!;
      if (outcome === OTHER_CONTENT) this.#isBroken = true;
      if (typeof outcome !== 'string') this.#outcomes.set(file, outcome);
      else this.#lack([file], outcome === OTHER_CONTENT ? WHY.damaged : outcome);
    });
  }

  async #takeLarge(sent: SentContent, [first, ...others]: readonly CloneFile[]): Promise<void> {
    const came = await this.#receive(sent, first!);
    if (came === WHY.damaged) this.#isBroken = true;
    if (typeof came === 'string') {
      this.#lack([first!, ...others], came);
      return;
    }
    this.#outcomes.set(first!, came);
    const staged = this.#cloner.inPlace(first!, (at) =>
      fs.openSync(nodePath(at), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW),
    );
    try {
      for (const file of others) this.#copy(staged, file);
    } finally {
      fs.closeSync(staged);
    }
  }

  /** What breaks off stays, for going on with it another time; what is another content does not. */
  async #receive(sent: SentContent, file: CloneFile): Promise<Made | string> {
    const cloner = this.#cloner;
    const open = cloner.inPlace(file, (at) => this.#open(at, sent.offset));
    if (typeof open === 'string') {
      for await (const _ of sent.chunks);
      return open;
    }
    const remove = (): string => {
      cloner.inPlace(file, removeStaged);
      return WHY.damaged;
    };
    try {
      const whole = await this.#reading(sent, (chunk) => {
        open.append(chunk, sent.sparse);
        cloner.told(chunk.length);
      });
      if (!whole) {
        open.abandon();
        return remove();
      }
    } catch (error) {
      open.abandon();
      throw error;
    }
    if (!open.finish(file.wanted)) return remove();
    cloner.counted(0);
    return cloner.inPlace(file, (at) => cloner.finish(file, at));
  }

  /** @returns why this file system cannot hold it */
  #open(at: string, offset: number): Open | string {
    const { copier, places } = this.#cloner;
    try {
      if (offset > 0) {
        const more = copier.receiveMore(at, offset);
        if (more === undefined)
          throw new BkError('damaged', 'the other repository goes on after what is here');
        this.#cloner.told(offset);
        return more;
      }
      if (places.resumed) removeStaged(at);
      return copier.receive(at);
    } catch (error) {
      if (error instanceof BkError) throw error;
      return cannotHold(error);
    }
  }

  /** @returns false if it turned out over there not to be the content, or is too long for it */
  async #reading(sent: SentContent, take: (chunk: Uint8Array) => void): Promise<boolean> {
    let at = sent.offset;
    try {
      for await (const chunk of sent.chunks) {
        at += chunk.length;
        if (at > sent.size) return false;
        take(chunk);
      }
    } catch (error) {
      if (error instanceof BkError && (error.code === 'damaged' || error.code === 'not-found')) return false;
      throw error;
    }
    return true;
  }

  #copy(from: number, file: CloneFile): void {
    const made = this.#cloner.inPlace(file, (at) => {
      const open = this.#open(at, 0);
      if (typeof open === 'string') return open;
      const chunk = Buffer.allocUnsafe(LIMITS.chunk);
      const sparse = fs.fstatSync(from).blocks * 512 < file.wanted.size;
      for (let done = 0, read = 1; read > 0; done += read) {
        read = fs.readSync(from, chunk, 0, chunk.length, done);
        open.append(chunk.subarray(0, read), sparse);
      }
      if (open.finish(file.wanted)) {
        this.#cloner.counted(file.wanted.size);
        return this.#cloner.finish(file, at);
      }
      removeStaged(at);
      return WHY.damaged;
    });
    if (typeof made === 'string') this.#lack([file], made);
    else this.#outcomes.set(file, made);
  }

  /** What was found out at its own path says more than that it is nowhere else. */
  #lack(files: readonly CloneFile[], why: string): void {
    for (const file of files) this.#outcomes.set(file, file.reason === NOT_HERE ? why : (file.reason ?? why));
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** Small contents on their way to a thread. */
class Batch {
  readonly files: CloneFile[] = [];
  readonly starts: number[] = [];
  readonly #buffer: Uint8Array;
  #length = 0;
  #last: Uint8Array | undefined;

  /** @param buffer that one batch after the other gathers in */
  constructor(buffer: Uint8Array) {
    this.#buffer = buffer;
  }

  get isFull(): boolean {
    return this.#length >= BATCH_BYTES || this.files.length >= BATCH_FILES;
  }

  /** A copy of its own: a thread gets all that lies behind a view. */
  get bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  add(file: CloneFile, bytes: Uint8Array): void {
    if (this.#last !== bytes) {
      this.#buffer.set(bytes, this.#length);
      this.#length += bytes.length;
      this.#last = bytes;
    }
    this.files.push(file);
    this.starts.push(this.#length - bytes.length);
  }
}

const WHY: Readonly<Record<MissingContent['missing'], string>> = {
  'not-found': 'the source does not have it',
  damaged: 'damaged at the source',
  unreadable: 'cannot be read at the source',
};
