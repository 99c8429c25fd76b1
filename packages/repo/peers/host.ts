import fs from 'node:fs';
import {
  BkError,
  type ContentHash,
  decodePath,
  type FsName,
  type GitId,
  HASH_BYTES,
  KIND,
  type PathProblem,
  PROTECTION,
  type RepoPath,
  ROOT,
  repositoryOfRef,
  STAT,
  STAT_WIDTH,
  timeNs,
} from '@bk/core';
import {
  type Arrival,
  type Content,
  type Facts,
  type Held,
  type Hold,
  type HoldOptions,
  type Host,
  LIMITS,
  type OpenContent,
  PROTOCOL,
  type RefAt,
  type RefRefusal,
  type RefResult,
  type RefUpdate,
  type WantedPart,
} from '@bk/remote';
import {
  grantLease,
  type HistoryReader,
  Incoming,
  isAncestor,
  listRefs,
  ObjectList,
  PRESENCE_REFS,
  packFor,
  packOf,
  readRef,
  receivePack,
  releaseLease,
  SafetyNet,
  updateRef,
  VerifiedTimes,
} from '@bk/store';
import { createHasher, hashBytes, hashDescriptor, putStat, TreeFs, volumeOf } from '@bk/worktree';
import { clearIncoming } from '../exchange/incoming.ts';
import { presenceAt } from '../exchange/refs.ts';
import { type Ground, groundOf } from '../observe/ground.ts';
import { cannotWrite, MAIN, type Repository } from '../repository.ts';
import { takeBack } from './lost.ts';
import { deviceNameOf } from './volume.ts';

/** True: the files have followed, all but those `left`. Else they did not; a text is the reason: a clause. */
export type MainMove = boolean | string | { readonly left: readonly PathProblem[] };

export interface HostOptions {
  /** ms since 1970. */
  readonly nowMs: () => number;
  readonly readOnly?: boolean;
  readonly subset?: WantedPart;
  /** What its volume is known by. */
  readonly volume?: string;
  /** Names under which this repository knows others: they may write `refs/remotes/<name>/main`. */
  readonly remotes?: readonly string[];
  /**
   * Asked before `main` is moved fast-forward, under the lock, with everything in the history: brings the files along,
   * and says whether the ref may follow (or moves it too). Absent: it never may, and a merge here is needed.
   */
  readonly moveMain?: (from: GitId | undefined, to: GitId) => MainMove | Promise<MainMove>;
  /** How long to wait for another writer. */
  readonly patienceMs?: number;
  /** When the peer is closed. */
  readonly onClose?: () => void;
}

const EVERYTHING: WantedPart = { include: [], exclude: [] };
/** So many places of one content are enough to find a good one. */
const MOST_PLACES = 8;
/** Who asks for a promise has a lock of its own, and may be asked itself: two that do so must not wait for each other. */
const HOLD_PATIENCE_MS = 400;
const PATIENCE_MS = 2_000;

/** What an opened repository offers to others (remote's port); `hostPeer` makes a Peer of it. */
export function repositoryHost(repository: Repository, options: HostOptions): Host {
  return new RepositoryHost(repository, options);
}

/** A file of the head that had the content when it was last looked at. */
interface Place {
  readonly folder: RepoPath;
  readonly name: FsName;
  /** Of all in its folder, with its own at `at`. */
  readonly stats: BigInt64Array;
  readonly at: number;
  readonly observedNs: bigint;
}

class RepositoryHost implements Host {
  readonly localRoot: string;
  readonly createHasher = createHasher;
  readonly hashBytes = hashBytes;
  readonly #repo: Repository;
  readonly #options: HostOptions;
  readonly #incoming: Incoming;
  readonly #tree: TreeFs;
  #ground: Ground | undefined;

  constructor(repository: Repository, options: HostOptions) {
    this.#repo = repository;
    this.#options = options;
    this.localRoot = repository.layout.root;
    this.#incoming = new Incoming(repository.layout);
    this.#tree = new TreeFs(repository.layout.root);
  }

  facts(): Facts {
    const { config, layout } = this.#repo;
    const head = readRef(layout.history, MAIN);
    const { bavail, bsize } = fs.statfsSync(layout.dot);
    const knownAs = this.#options.remotes?.[0];
    return {
      protocol: PROTOCOL,
      id: config.id,
      name: config.name,
      volume: this.#volume(),
      device: deviceNameOf(layout.root),
      subset: this.#options.subset ?? EVERYTHING,
      readOnly: this.#options.readOnly ?? false,
      freeBytes: bavail * bsize,
      ...(head !== undefined && { head }),
      ...(knownAs !== undefined && { knownAs }),
    };
  }

  refs(): readonly RefAt[] {
    const { history } = this.#repo.layout;
    const head = readRef(history, MAIN);
    const refs = listRefs(history, PRESENCE_REFS).map(([name, id]) => ({ name, id }));
    for (const remote of this.#options.remotes ?? []) {
      const name = `refs/remotes/${remote}/main`;
      const id = readRef(history, name);
      if (id !== undefined) refs.push({ name, id });
    }
    return head === undefined ? refs : [...refs, { name: MAIN, id: head }];
  }

  *pack(wants: readonly GitId[], haves: readonly GitId[]): Generator<Uint8Array> {
    const reader = this.#repo.history;
    reader.refresh();
    for (const want of wants) this.#checkCommit(want);
    const known = haves.filter((id) => this.#isCommit(id));
    yield* packFor(this.#repo.layout.history, reader, wants, known);
  }

  async receive(
    bytes: AsyncIterable<Uint8Array> | undefined,
    updates: readonly RefUpdate[],
    signal: AbortSignal,
  ): Promise<readonly RefResult[]> {
    return this.#writing(async () => {
      const { layout, history } = this.#repo;
      const accepted = updates.filter(({ name }) => this.#accepts(name));
      const tips = accepted.map(({ name, next }) => ({ name, id: next }));
      if (bytes !== undefined) {
        if (tips.length === 0)
          throw new BkError(
            'refused',
            'cannot take the history that was sent: it is for no ref that is accepted here',
          );
        await receivePack(bytes, tips, { layout, reader: history, signal });
      } else {
        // Nothing but refs: what they are to name is here, and must be what their names say.
        const known = tips.filter(({ id }) => this.#isCommit(id));
        if (known.length > 0) await receivePack(nothing(history), known, { layout, reader: history, signal });
      }
      const results: RefResult[] = [];
      for (const update of updates) results.push(await this.#update(update));
      clearIncoming(this.#repo, this.#options.nowMs());
      return results;
    });
  }

  locate(contents: readonly Content[]): (content: Content) => Iterable<OpenContent> {
    const places = this.#places(contents);
    // What is held of the folders, and what is listed of the net, is good for one call: what goes out is hashed anyway.
    this.#tree.forget();
    const net = new SafetyNet(this.#repo.layout);
    return (content) => this.#open(content, places.get(content.blake3) ?? [], net);
  }

  hasArrival({ blake3 }: Content): boolean {
    return this.#incoming.has(blake3);
  }

  arrival({ blake3, size }: Content): Arrival {
    return this.#incoming.open(blake3, size);
  }

  settle(): void {
    this.#incoming.settle();
  }

  /** Under the lock: whoever lets go of contents here meanwhile has it, and then nothing is promised. */
  hold(contents: readonly Content[], { forMs, rehash }: HoldOptions): Hold {
    const volume = this.#volume();
    const { layout } = this.#repo;
    return this.#writingNow(() => {
      const places = this.#places(contents);
      const rotten = VerifiedTimes.rottenIn(layout.index);
      const held = contents.map((content) =>
        this.#prove(content, places.get(content.blake3) ?? [], rehash === true || rotten.has(content.blake3)),
      );
      const kept = held.filter((one) => one.held).map(({ blake3 }) => blake3);
      if (kept.length === 0) return { forMs: 0, volume, contents: held };
      const nowMs = this.#options.nowMs();
      const { leases: most, leased: mostContents } = LIMITS;
      const lease = grantLease(layout, kept, { nowMs, forMs, most, mostContents });
      return { lease, forMs, volume, contents: held };
    }, HOLD_PATIENCE_MS);
  }

  release(lease: string): void {
    this.#writingNow(() => releaseLease(this.#repo.layout, lease, this.#options.nowMs()));
  }

  close(): void {
    this.#tree.close();
    this.#options.onClose?.();
  }

  #volume(): string {
    const { config, layout } = this.#repo;
    return this.#options.volume ?? config.volume?.id ?? volumeOf(layout.root).uuid ?? `bk:${config.id}`;
  }

  async #writing<T>(work: () => Promise<T>): Promise<T> {
    const mine = !this.#repo.locked;
    this.#repo.beginWriting(this.#options.patienceMs);
    try {
      return await work();
    } finally {
      if (mine) this.#repo.endWriting();
    }
  }

  #writingNow<T>(work: () => T, mostMs = Number.POSITIVE_INFINITY): T {
    const mine = !this.#repo.locked;
    try {
      this.#repo.beginWriting(Math.min(mostMs, this.#options.patienceMs ?? PATIENCE_MS));
      return work();
    } catch (error) {
      throw cannotWrite(error) ? unwritable(error) : error;
    } finally {
      if (mine) this.#repo.endWriting();
    }
  }

  #isCommit(id: GitId): boolean {
    const reader = this.#repo.history;
    return reader.has(id) && reader.resolve(id).includes(id);
  }

  #checkCommit(id: GitId): void {
    if (this.#isCommit(id)) return;
    throw new BkError('not-found', `there is no commit ${id} in the other repository`);
  }

  /** Whether others may write a ref of this name at all. */
  #accepts(name: string): boolean {
    if (name === MAIN) return true;
    if (name.startsWith(PRESENCE_REFS)) {
      const id = name.slice(PRESENCE_REFS.length);
      return UUID.test(id) && id !== this.#repo.config.id;
    }
    return this.#options.remotes?.some((remote) => name === `refs/remotes/${remote}/main`) ?? false;
  }

  async #update(update: RefUpdate): Promise<RefResult> {
    const { name, expected, next } = update;
    const reason = this.#refusal(update);
    if (reason !== undefined) return { name, moved: false, reason };
    if (expected === next) {
      // A move that was interrupted here is ended: its presence may not have come along.
      if (name === MAIN) await this.#options.moveMain?.(expected, next);
      return { name, moved: true };
    }
    const { history } = this.#repo.layout;
    if (name === MAIN) {
      const moved = (await this.#options.moveMain?.(expected, next)) ?? false;
      if (moved === false) return { name, moved, reason: 'needs-merge' };
      if (typeof moved === 'string') return { name, moved: false, reason: 'needs-merge', detail: moved };
      // Who brings the files along may have moved the ref in the same go.
      if (readRef(history, name) === expected) updateRef(history, name, expected, next, { exclusive: true });
      this.#repo.movedTo(next);
      if (moved !== true && moved.left.length > 0) return { name, moved: true, left: moved.left };
    } else updateRef(history, name, expected, next, { exclusive: true });
    if (repositoryOfRef(name) !== undefined) takeBack(this.#repo);
    return { name, moved: true };
  }

  #refusal({ name, expected, next }: RefUpdate): RefRefusal | undefined {
    if (!this.#accepts(name)) return 'not-accepted';
    const { layout, history } = this.#repo;
    const current = readRef(layout.history, name);
    if (current !== expected) return 'moved-meanwhile';
    this.#checkCommit(next);
    const repository = repositoryOfRef(name);
    if (repository !== undefined && presenceAt(history, next, repository) === undefined)
      return 'not-accepted';
    return current === undefined || isAncestor(history, current, next) ? undefined : 'not-fast-forward';
  }

  /** Where these contents were when they were last looked at: one pass over the index. */
  #places(contents: readonly Content[]): ReadonlyMap<ContentHash, readonly Place[]> {
    const places = new Map<ContentHash, Place[]>(contents.map(({ blake3 }) => [blake3, []]));
    if (places.size === 0) return places;
    // Most of the index is not asked for: four bytes say so, without making a text of the hash.
    const first = new Set(contents.map(({ blake3 }) => Number.parseInt(blake3.slice(0, 8), 16)));
    for (const [folder, { listing, hashes, observedNs, protections }] of this.#repo.index.below(ROOT)) {
      const column = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
      const { names, kinds, stats } = listing;
      for (let k = 1; k < names.length; k++) {
        if (!first.has(column.readUInt32BE(k * HASH_BYTES))) continue;
        if (kinds[k] !== KIND.file || protections[k] === PROTECTION.absent) continue;
        const blake3 = column.toString('hex', k * HASH_BYTES, (k + 1) * HASH_BYTES) as ContentHash;
        const found = places.get(blake3);
        if (found === undefined || found.length >= MOST_PLACES) continue;
        found.push({ folder, name: names[k] as FsName, stats, at: k * STAT_WIDTH, observedNs });
      }
    }
    return places;
  }

  /** What is in the folder first, then what only the safety net has still. */
  *#open({ blake3, size }: Content, places: readonly Place[], net: SafetyNet): Generator<OpenContent> {
    const tried = new Set<number>();
    for (const place of places) yield* this.#opened(size, this.#openHeld(place), tried);
    for (const { file } of net.lookup(blake3)) yield* this.#opened(size, openedEntry(file), tried);
  }

  /** @param tried inodes: another name of one that is bad is bad too */
  *#opened(size: number, fd: number | undefined, tried: Set<number>): Generator<OpenContent> {
    if (fd === undefined) return;
    let open = true;
    const close = (): void => {
      if (open) fs.closeSync(fd);
      open = false;
    };
    try {
      const stat = fs.fstatSync(fd);
      const isNew = !tried.has(stat.ino);
      tried.add(stat.ino);
      if (stat.isFile() && stat.size === size && isNew)
        yield {
          size,
          sparse: stat.blocks * 512 < size,
          read: (offset, target) => fs.readSync(fd, target, 0, target.length, offset),
          close,
        };
    } finally {
      close();
    }
  }

  /** As it is now: no folder is held from before. */
  #openFile(place: Place): number | undefined {
    this.#tree.forget();
    return this.#openHeld(place);
  }

  /** Through held folders, so that a symlink on the way leads nowhere. Undefined: there is no file any more. */
  #openHeld({ folder, name }: Place): number | undefined {
    try {
      return this.#tree.openFile(this.#tree.openFolder(decodePath(folder)), name);
    } catch (error) {
      const code = error instanceof BkError ? error.code : String((error as NodeJS.ErrnoException).code);
      if (GONE.has(code)) return undefined;
      throw error;
    }
  }

  /** The stat that vouched for the file must still be its stat; in any doubt, and where rot was found, it is read. */
  #prove({ blake3, size }: Content, places: readonly Place[], rehash: boolean): Held {
    const device = fs.statSync(this.#repo.layout.root, { bigint: true }).dev;
    for (const place of places) {
      const fd = this.#openFile(place);
      if (fd === undefined) continue;
      try {
        const stat = fs.fstatSync(fd, { bigint: true });
        // What is mounted below the root may be the very disk of who asks.
        if (!stat.isFile() || stat.size !== BigInt(size) || stat.dev !== device) continue;
        if (!rehash && this.#vouches(place, stat)) return { blake3, held: true, verified: 'stat' };
        const { hash } = hashDescriptor(fd, size);
        if (hash === blake3 && isSame(stat, fs.fstatSync(fd, { bigint: true })))
          return { blake3, held: true, verified: 'hash' };
      } catch (error) {
        if (!UNREADABLE.has(String((error as NodeJS.ErrnoException).code))) throw error;
      } finally {
        fs.closeSync(fd);
      }
    }
    return { blake3, held: false };
  }

  #vouches({ stats, at, observedNs }: Place, stat: fs.BigIntStats): boolean {
    this.#ground ??= groundOf(this.#repo.layout.root);
    const { trust } = this.#ground;
    const now = new BigInt64Array(STAT_WIDTH);
    putStat(now, 0, stat);
    const racy = timeNs(stats[at + STAT.ctime]!) > observedNs - trust.grainNs;
    if (!trust.stats || !trust.inodes || racy || stats[at + STAT.ctime] === 0n) return false;
    return PROVING.every((column) => now[column] === stats[at + column]);
  }
}

/** A promise that cannot be written down is none. */
function unwritable(cause: unknown): BkError {
  return new BkError('refused', 'cannot promise that contents stay: the other repository cannot be written', {
    hint: 'what cannot be written promises nothing: mount that disk so that it can be, or ask another copy',
    cause,
  });
}

/** A name in the safety net. */
function openedEntry(file: string): number | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  try {
    return fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (GONE.has(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  }
}

async function* nothing(reader: HistoryReader): AsyncGenerator<Uint8Array> {
  yield* packOf(reader, new ObjectList());
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'refused']);
const UNREADABLE = new Set(['EIO', 'EACCES', 'ESTALE', 'EISDIR']);
const PROVING = [STAT.inode, STAT.birth, STAT.size, STAT.mtime, STAT.ctime];

function isSame(a: fs.BigIntStats, b: fs.BigIntStats): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}
