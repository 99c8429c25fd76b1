import fs from 'node:fs';
import {
  type ContentHash,
  formatMtime,
  HASH_BYTES,
  type Holder,
  KIND,
  type KnownDirectory,
  parseRecord,
  type RepoPath,
  ROOT,
} from '@bk/core';
import { VerifiedTimes } from '@bk/store';
import type { Context } from '../context.ts';
import { entryName, entryPath } from '../observe/draft.ts';
import { lostSince } from '../peers/lost.ts';
import { presences } from '../presence/presence.ts';
import { cannotWrite, type Repository } from '../repository.ts';
import { columns } from '../verify/select.ts';
import type { SeenAhead } from './ahead.ts';
import { HereNow } from './here.ts';
import { SharedTree } from './trees.ts';
import { ownVolume } from './volume.ts';

/** A repository on a volume: what all of its holders have in common. */
export interface Place extends Omit<Holder, 'path'> {
  /** It does not count: it was marked as lost then. RFC 3339, UTC. */
  readonly lostSince?: string;
}
export type Held = Place & Pick<Holder, 'path'>;
/** Contents that are asked about. */
export type Sought = ReadonlySet<ContentHash> | 'all';

const CLOCK: Pick<Context, 'nowMs'> = { nowMs: () => Date.now() };

/**
 * Which repositories hold which contents, by their presences, joined for all that are known and not lost; of this
 * repository what is here now. One pass over the index' rows for all of them, and whatever differs from the head is
 * read. This one's files come first, then repositories by id; paths in byte order of their folders. Contents that nobody
 * holds are left out.
 * Memory: some 400 bytes a file and repository; `placesOf` needs far less.
 */
export function holdersOf(
  repo: Repository,
  sought: Sought,
  context = CLOCK,
): ReadonlyMap<ContentHash, readonly Holder[]> {
  const found = new Map<ContentHash, Holder[]>();
  const ranks = new Map<string, number>();
  const whom = { lost: false, now: { nowMs: context.nowMs() } };
  eachHolding(repo, sought, whom, (blake3, { place, rank, path, verified: itsOwn }) => {
    const verified = itsOwn?.() ?? place.verified;
    const holder = { ...place, path: path(), ...(verified !== undefined && { verified }) };
    ranks.set(place.repository, rank);
    const known = found.get(blake3);
    if (known === undefined) found.set(blake3, [holder]);
    else known.push(holder);
  });
  const rankOf = ({ repository }: Holder): number => ranks.get(repository) ?? 0;
  for (const holders of found.values()) if (holders.length > 1) holders.sort((a, b) => rankOf(a) - rankOf(b));
  return found;
}

/** Which repositories that were marked as lost held which contents when they were last heard of. */
export function lostHoldersOf(repo: Repository, sought: Sought): ReadonlyMap<ContentHash, readonly Held[]> {
  const found = new Map<ContentHash, Held[]>();
  if (repo.config.lost === undefined) return found;
  eachHolding(repo, sought, { lost: true }, (blake3, { place, path }) => {
    const holder = { ...place, path: path() };
    const known = found.get(blake3);
    if (known === undefined) found.set(blake3, [holder]);
    else known.push(holder);
  });
  return found;
}

/** As holdersOf, without paths: a repository once a content. About 150 bytes a content, whatever the number of copies. */
export function placesOf(
  repo: Repository,
  sought: Sought,
  context = CLOCK,
  ahead?: SeenAhead,
): (blake3: ContentHash) => readonly Place[] {
  const sets = new PlaceSets();
  const found = new Map<ContentHash, number>();
  eachHolding(repo, sought, { lost: false, now: { nowMs: context.nowMs(), ahead } }, (blake3, { place }) => {
    const before = found.get(blake3) ?? 0;
    const after = sets.with(before, place);
    if (after !== before) found.set(blake3, after);
  });
  return (blake3) => sets.places(found.get(blake3) ?? 0);
}

/** There are many contents, but few different sets of places: each set is kept once and known by a number; 0: nowhere. */
class PlaceSets {
  readonly #sets: (readonly Place[])[] = [[]];
  readonly #numbers = new Map<string, number>();
  readonly #next: Map<Place, number>[] = [new Map()];
  readonly #ids = new Map<Place, number>();

  with(set: number, place: Place): number {
    const known = this.#next[set]!.get(place);
    if (known !== undefined) return known;
    const places = this.#sets[set]!;
    const next = places.includes(place) ? set : this.#numberOf([...places, place]);
    this.#next[set]!.set(place, next);
    return next;
  }

  places(set: number): readonly Place[] {
    return this.#sets[set] ?? [];
  }

  #numberOf(places: Place[]): number {
    const sorted = places.sort((a, b) => this.#id(a) - this.#id(b));
    const key = sorted.map((place) => this.#id(place)).join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.#sets.length);
    this.#next.push(new Map());
    return this.#sets.push(sorted) - 1;
  }

  #id(place: Place): number {
    const known = this.#ids.get(place) ?? this.#ids.size;
    this.#ids.set(place, known);
    return known;
  }
}

/** A content where it is held. */
interface Sighting {
  readonly place: Place;
  /** Of its repository: this one is 0. */
  readonly rank: number;
  readonly path: () => RepoPath;
  /** If it may be better known than of the whole place. */
  readonly verified?: () => string | undefined;
}
type Visit = (blake3: ContentHash, sighting: Sighting) => void;

interface Now {
  readonly nowMs: number;
  readonly ahead?: SeenAhead | undefined;
}

/** Who is asked about: this repository, if it is said what is known of now, and the others, lost ones or not. */
interface Whom {
  readonly lost: boolean;
  readonly now?: Now;
}

interface Other {
  readonly place: Place;
  readonly rank: number;
  readonly shared: SharedTree;
}

function eachHolding(repo: Repository, sought: Sought, { lost, now }: Whom, visit: Visit): void {
  if (sought !== 'all' && sought.size === 0) return;
  const others = othersOf(repo, lost);
  if (others.length === 0 && now === undefined) return;
  const own = now && new Own(repo, now);
  try {
    const wants = filterOf(sought);
    for (const [folder, known] of repo.index.below(ROOT)) {
      own?.passing(folder, known);
      const held = others.map((other) => ({ other, files: other.shared.filesOf(folder) }));
      visitRow(folder, known, { wants, held, own, visit });
    }
  } finally {
    own?.close();
  }
  visitOthers(repo, others, sought, visit);
}

interface RowVisit {
  readonly wants: (hashes: Buffer, k: number) => ContentHash | undefined;
  readonly held: readonly { readonly other: Other; readonly files: ReturnType<SharedTree['filesOf']> }[];
  readonly own: Own | undefined;
  readonly visit: Visit;
}

function visitRow(folder: RepoPath, known: KnownDirectory, { wants, held, own, visit }: RowVisit): void {
  const { listing, hashes } = known;
  const column = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
  for (let k = 1; k < listing.names.length; k++) {
    if (listing.kinds[k] === KIND.dir) continue;
    const blake3 = wants(column, k);
    if (blake3 === undefined) continue;
    let made: RepoPath | undefined;
    const path = (): RepoPath => {
      made ??= entryPath(folder, listing, k);
      return made;
    };
    const mine = own?.sighting(folder, known, k, blake3);
    if (mine !== undefined) visit(blake3, { ...mine, rank: 0, path });
    for (const { other, files } of held) {
      if (files === 'all' || (files.size > 0 && files.has(entryName(listing, k))))
        visit(blake3, { place: other.place, rank: other.rank, path });
    }
  }
}

/** Tells of most entries by four bytes that they are not asked about. */
function filterOf(sought: Sought): RowVisit['wants'] {
  const whole = (hashes: Buffer, k: number) =>
    hashes.toString('hex', k * HASH_BYTES, (k + 1) * HASH_BYTES) as ContentHash;
  if (sought === 'all') return whole;
  const beginnings = new Set<number>();
  for (const blake3 of sought) beginnings.add(Number.parseInt(blake3.slice(0, 8), 16));
  return (hashes, k) => {
    if (!beginnings.has(hashes.readUInt32BE(k * HASH_BYTES))) return undefined;
    const blake3 = whole(hashes, k);
    return sought.has(blake3) ? blake3 : undefined;
  };
}

/** Records that the head has not, or not there; each is read once, however many repositories hold it. */
function visitOthers(repo: Repository, others: readonly Other[], sought: Sought, visit: Visit): void {
  const contents = new Map<string, ContentHash | undefined>();
  for (const { place, rank, shared } of others) {
    for (const { path, id } of shared.others) {
      let blake3 = contents.get(id);
      if (blake3 === undefined && !contents.has(id)) {
        const found = parseRecord(repo.history.readBlobText(id)).blake3;
        blake3 = sought === 'all' || (found !== undefined && sought.has(found)) ? found : undefined;
        contents.set(id, blake3);
      }
      if (blake3 !== undefined) visit(blake3, { place, rank, path: () => path });
    }
  }
}

/** All other known repositories that count, or all that are lost; those that hold the same tree share the comparison. */
function othersOf(repo: Repository, lost: boolean): Other[] {
  const { history, head } = repo;
  const tree = head === undefined ? undefined : history.readCommit(head).tree;
  const compared = new Map<string, SharedTree>();
  const others = presences(repo)
    .filter(({ facts }) => facts.id !== repo.config.id)
    .map((presence) => ({ ...presence, since: lostSince(repo, presence.facts.id, presence.facts) }))
    .filter(({ since }) => (since !== undefined) === lost);
  return others.map(({ facts, present, since }, i): Other => {
    const shared = compared.get(present ?? '') ?? new SharedTree(history, tree, present);
    compared.set(present ?? '', shared);
    const { id: repository, name, volume, time: seen, verified } = facts;
    const place = {
      ...{ repository, name, volume, seen },
      ...(verified !== undefined && { verified }),
      ...(since !== undefined && { lostSince: since }),
    };
    return { place, rank: i + 1, shared };
  });
}

/** This repository: what is here now, by volume of what may be mounted below its root. */
class Own {
  readonly #here: HereNow;
  readonly #base: Omit<Place, 'volume'>;
  readonly #places = new Map<string, Place>();
  readonly #verified: VerifiedTimes | undefined;

  constructor(repo: Repository, { nowMs, ahead }: Now) {
    this.#here = new HereNow(repo, ownVolume(repo), ahead);
    const seen = formatMtime(BigInt(Math.floor(nowMs)) * 1_000_000n);
    this.#base = { repository: repo.config.id, name: repo.config.name, seen };
    this.#verified = verifiedTimes(repo.layout.index);
  }

  passing(folder: RepoPath, known: KnownDirectory): void {
    this.#here.passing(folder, known);
  }

  sighting(
    folder: RepoPath,
    known: KnownDirectory,
    k: number,
    blake3: ContentHash,
  ): Required<Pick<Sighting, 'place' | 'verified'>> | undefined {
    const volume = this.#here.volumeOf(folder, known, k, blake3);
    if (volume === undefined) return undefined;
    let place = this.#places.get(volume);
    if (place === undefined) {
      place = { ...this.#base, volume };
      this.#places.set(volume, place);
    }
    return { place, verified: () => this.#verifiedAt(known, k) };
  }

  #verifiedAt(known: KnownDirectory, k: number): string | undefined {
    const { id, blake3 } = columns(known, k);
    const time = this.#verified?.timeOf(id, blake3);
    return time === undefined ? undefined : formatMtime(BigInt(time) * 1_000_000n);
  }

  close(): void {
    this.#here.close();
    this.#verified?.close();
  }
}

/** Without them nothing was verified; a disk that cannot be written cannot keep any. */
function verifiedTimes(index: string): VerifiedTimes | undefined {
  try {
    return fs.existsSync(index) ? VerifiedTimes.open(index) : undefined;
  } catch (error) {
    if (cannotWrite(error)) return undefined;
    throw error;
  }
}
