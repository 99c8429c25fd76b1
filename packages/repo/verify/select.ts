import {
  BkError,
  HASH_BYTES,
  isInside,
  KIND,
  type KnownDirectory,
  PROTECTION,
  parentOf,
  type RepoPath,
  ROOT,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import type { VerifiedTimes } from '@bk/store';
import { entryPath } from '../observe/draft.ts';
import type { Repository } from '../repository.ts';

export interface VerifyOptions {
  /** Files and folders; none: everything. */
  readonly paths: readonly RepoPath[];
  /** Only so many percent of the files: those whose last verification is longest ago. */
  readonly sample?: number;
  /** Only files that were not verified for so long, in ms. */
  readonly olderThanMs?: number;
  /** Begins nothing new after so long, in ms. */
  readonly timeMs?: number;
}

/** A file to be verified: entry `k` of a folder's row. */
export interface Candidate {
  readonly folder: RepoPath;
  readonly k: number;
  readonly size: number;
  /** Of its last verification, ms since 1970; -1: never. */
  readonly time: number;
  /** Random, but always the same: the tail of its object id. */
  readonly lot: number;
}

export interface Selection {
  readonly options: VerifyOptions;
  readonly times: VerifiedTimes | undefined;
  /** When the pass that is going on began: what was verified since is done. */
  readonly started: number | undefined;
  readonly nowMs: number;
}

/** The files to be read, in the order in which they are. */
export function select(repo: Repository, { options, times, started, nowMs }: Selection): Candidate[] {
  let candidates: Candidate[] = [];
  for (const [folder, known, wanted] of rowsOf(repo, options.paths)) {
    for (let k = 1; k < known.listing.names.length; k++) {
      if (
        known.listing.kinds[k] === KIND.dir ||
        known.protections[k] === PROTECTION.absent ||
        (wanted !== undefined && entryPath(folder, known.listing, k) !== wanted)
      )
        continue;
      candidates.push(candidate(folder, known, { k, times }));
    }
  }
  const share =
    options.sample === undefined ? candidates.length : Math.ceil((candidates.length * options.sample) / 100);
  if (options.sample !== undefined) {
    // What this pass has verified already comes first here, as it was among the oldest when the pass began.
    const age = ({ time }: Candidate) => (started !== undefined && time > started ? -2 : time);
    candidates = candidates.sort((a, b) => age(a) - age(b) || a.lot - b.lot).slice(0, share);
  }
  if (started !== undefined) candidates = candidates.filter(({ time }) => time <= started);
  const { olderThanMs } = options;
  if (olderThanMs !== undefined) candidates = candidates.filter(({ time }) => time < nowMs - olderThanMs);
  return candidates.sort((a, b) => a.time - b.time);
}

function candidate(
  folder: RepoPath,
  known: KnownDirectory,
  { k, times }: { k: number; times: VerifiedTimes | undefined },
): Candidate {
  const { id, blake3 } = columns(known, k);
  return {
    folder,
    k,
    size: Number(known.listing.stats[k * STAT_WIDTH + STAT.size]),
    time: times?.timeOf(id, blake3) ?? -1,
    lot: Buffer.from(id.buffer, id.byteOffset, id.byteLength).readUInt32LE(12),
  };
}

/** The bytes of an entry's object id and hash. */
export function columns(known: KnownDirectory, k: number): { id: Uint8Array; blake3: Uint8Array } {
  return {
    id: known.ids.subarray(k * 16, (k + 1) * 16),
    blake3: known.hashes.subarray(k * HASH_BYTES, (k + 1) * HASH_BYTES),
  };
}

/** Rows of the folders at and below the paths, each once; for a path that is a file, its folder's row and the file. */
function* rowsOf(
  repo: Repository,
  paths: readonly RepoPath[],
): Generator<[RepoPath, KnownDirectory, RepoPath?]> {
  const roots = paths.length === 0 ? [ROOT] : [...new Set(paths)];
  for (const path of roots) {
    if (roots.some((other) => other !== path && isInside(path, other))) continue;
    let found = false;
    for (const [folder, known] of repo.index.below(path)) {
      found = true;
      yield [folder, known];
    }
    if (found || path === ROOT) continue;
    const folder = parentOf(path);
    const known = repo.index.known(folder);
    const there = known?.listing.names.some((_, k) => k > 0 && entryPath(folder, known.listing, k) === path);
    if (known === undefined || !there)
      throw new BkError('not-found', `cannot verify ${path}: the last commit has no such file`, { path });
    yield [folder, known, path];
  }
}

const BATCH_FILES = 64;
const BATCH_BYTES = 32 << 20;
/** Pieces of work, in order. */
export function* batches(candidates: readonly Candidate[]): Generator<Candidate[]> {
  let batch: Candidate[] = [];
  let bytes = 0;
  for (const candidate of candidates) {
    batch.push(candidate);
    bytes += candidate.size;
    if (batch.length < BATCH_FILES && bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
