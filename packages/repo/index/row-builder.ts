import {
  type ContentHash,
  type FsName,
  GIT_ID_BYTES,
  type GitId,
  HASH_BYTES,
  ID_BYTES,
  KIND,
  type KnownDirectory,
  type ObjectId,
  PROTECTION,
  type Protection,
  STAT,
  STAT_WIDTH,
} from '@bk/core';

export interface RowEntry {
  readonly name: FsName;
  readonly kind: number;
  readonly mode: number;
  /** STAT columns, those of the entry beginning at `at * STAT_WIDTH`. */
  readonly stats: BigInt64Array;
  readonly at: number;
  readonly hash: ContentHash;
  readonly id: ObjectId;
  readonly record: GitId;
  readonly protection: Protection;
}

/** The directory's own record, and its stat if it was seen: it tells the directory again where it was moved to. */
interface OwnRecord {
  readonly id: ObjectId;
  readonly record: GitId;
  readonly mode: number;
  /** STAT columns; of which inode and birth are kept. */
  readonly stats: BigInt64Array | undefined;
  readonly absent: boolean;
}

type Copied = { readonly known: KnownDirectory; readonly k: number; readonly forget: boolean };
type Source = Copied | { readonly entry: RowEntry };

const NO_STATS = new BigInt64Array(STAT_WIDTH);

/** Collects the entries of one KnownDirectory, in any order. */
export class RowBuilder {
  readonly #entries: { readonly name: string; readonly source: Source }[] = [];
  #own: OwnRecord | undefined;
  #listed: BigInt64Array | undefined;

  add(entry: RowEntry): void {
    this.#entries.push({ name: entry.name, source: { entry } });
  }

  /** Entry `k` of another row, as it is; with `forget` its stat vouches for it no longer. */
  addKnown(known: KnownDirectory, k: number, forget = false): void {
    this.#entries.push({ name: known.listing.names[k]!, source: { known, k, forget } });
  }

  /** A sub-folder, or (named `.`) the directory itself. */
  addFolder(name: FsName, mode: number, absent = false): void {
    const none = {
      hash: '' as ContentHash,
      id: '' as ObjectId,
      record: '' as GitId,
      protection: absent ? PROTECTION.absent : PROTECTION.none,
    };
    this.add({ name, kind: KIND.dir, mode, stats: NO_STATS, at: 0, ...none });
  }

  /** @param from where the folder was seen (STAT columns), and whether it is not here by design */
  own(
    id: ObjectId,
    record: GitId,
    mode: number,
    from: { readonly stats?: BigInt64Array | undefined; readonly absent?: boolean } = {},
  ): void {
    this.#own = { id, record, mode, stats: from.stats, absent: from.absent ?? false };
  }

  /** The folder's stat when the row's names were all that was in it: while it is the same, nobody has to list them. */
  listedAt(stats: BigInt64Array): void {
    this.#listed = stats;
  }

  finish(row: {
    readonly tree: GitId;
    readonly observedNs: bigint;
    readonly mount: boolean;
  }): KnownDirectory {
    const entries = this.#entries.sort((a, b) => rank(a.name, b.name));
    const count = entries.length;
    const known: KnownDirectory = {
      ...row,
      listing: {
        names: entries.map(({ name }) => name),
        kinds: new Uint8Array(count),
        modes: new Uint16Array(count),
        stats: new BigInt64Array(count * STAT_WIDTH),
      },
      hashes: Buffer.alloc(count * HASH_BYTES),
      ids: Buffer.alloc(count * ID_BYTES),
      records: Buffer.alloc(count * GIT_ID_BYTES),
      protections: new Uint8Array(count),
    };
    entries.forEach(({ source }, i) => {
      if ('known' in source) copy(known, i, source);
      else fill(known, i, source.entry);
    });
    if (this.#listed !== undefined) known.listing.stats.set(this.#listed);
    if (this.#own !== undefined) {
      (known.ids as Buffer).write(this.#own.id.replaceAll('-', ''), 0, 'hex');
      (known.records as Buffer).write(this.#own.record, 0, 'hex');
      known.listing.modes[0] = this.#own.mode;
      for (const column of [STAT.inode, STAT.birth])
        known.listing.stats[column] = this.#own.stats?.[column] ?? 0n;
      if (this.#own.absent) known.protections[0] = PROTECTION.absent;
    }
    return known;
  }
}

/** Bytewise, the directory itself first. */
function rank(a: string, b: string): number {
  if (a === '.') return b === '.' ? 0 : -1;
  if (b === '.') return 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function fill(to: KnownDirectory, i: number, entry: RowEntry): void {
  to.listing.kinds[i] = entry.kind;
  to.listing.modes[i] = entry.mode;
  const base = entry.at * STAT_WIDTH;
  to.listing.stats.set(entry.stats.subarray(base, base + STAT_WIDTH), i * STAT_WIDTH);
  to.protections[i] = entry.protection;
  if (entry.record === '') return;
  (to.hashes as Buffer).write(entry.hash, i * HASH_BYTES, 'hex');
  (to.ids as Buffer).write(entry.id.replaceAll('-', ''), i * ID_BYTES, 'hex');
  (to.records as Buffer).write(entry.record, i * GIT_ID_BYTES, 'hex');
}

function copy(to: KnownDirectory, i: number, { known, k, forget }: Copied): void {
  to.listing.kinds[i] = known.listing.kinds[k]!;
  to.listing.modes[i] = known.listing.modes[k]!;
  to.listing.stats.set(known.listing.stats.subarray(k * STAT_WIDTH, (k + 1) * STAT_WIDTH), i * STAT_WIDTH);
  if (forget) to.listing.stats[i * STAT_WIDTH + STAT.ctime] = 0n;
  for (const [column, width] of [
    ['hashes', HASH_BYTES],
    ['ids', ID_BYTES],
    ['records', GIT_ID_BYTES],
    ['protections', 1],
  ] as const) {
    to[column].set(known[column].subarray(k * width, (k + 1) * width), i * width);
  }
}
