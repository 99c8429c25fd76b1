import fs from 'node:fs';
import path from 'node:path';
import {
  BkError,
  type ContentHash,
  type Coverage,
  coverageOf,
  encodePath,
  type FsPath,
  mayWipe,
  type PathProblem,
  type RepoPath,
  type UniqueFile,
} from '@bk/core';
import { CardCache } from '@bk/store';
import { bytePath, stableInodes, type Volume, volumeOf } from '@bk/worktree';
import type { Context } from './context.ts';
import { elsewhereThan } from './covered/elsewhere.ts';
import { type Imported, importUnique } from './covered/import.ts';
import { type KeptByBk, keptByBk, keptNowhereElse } from './covered/kept.ts';
import { type InReach, inReach } from './covered/reach.ts';
import { type ScannedCard, scanCard } from './covered/scan.ts';
import { lookAhead } from './holdings/ahead.ts';
import { placesOf } from './holdings/holdings.ts';
import { groundOf } from './observe/ground.ts';
import { Pool } from './observe/pool.ts';
import type { Repository } from './repository.ts';

export interface CoveredOptions {
  /** Any folder: absolute path. */
  readonly dir: string;
  /** Volumes other than its own that make a file safe; absent: 1. */
  readonly min?: number;
  /** Copies what is unique below this folder of the repository. */
  readonly importTo?: RepoPath;
  /** Says what would be imported, and imports nothing. */
  readonly dryRun?: boolean;
}

export interface CoveredResult {
  /** Files and links that were read. Paths are below the folder. */
  readonly files: number;
  readonly bytes: number;
  readonly covered: Coverage['covered'];
  readonly under: readonly { readonly path: RepoPath; readonly copies: number }[];
  readonly unique: readonly (UniqueFile & { readonly path: RepoPath })[];
  readonly unreadable: readonly PathProblem[];
  /** What the `.bk` of repositories in the folder keep and nobody else has: deleted versions, commits. */
  readonly kept: readonly PathProblem[];
  /** Remotes within reach that do not count because they cannot be read. */
  readonly doubts: InReach['doubts'];
  /** Left out: nothing of the person's can be in it. */
  readonly skipped: readonly PathProblem[];
  /** Everything in it is safe elsewhere. */
  readonly wipeable: boolean;
  readonly min: number;
  /** Files that were read now; the others' hashes were known from an earlier run. */
  readonly read: { readonly files: number; readonly bytes: number };
  /** With `importTo`; absent otherwise. */
  readonly imported?: Imported;
}

/** Contents after which threads look at this repository's own files. */
const MANY = 2_000;
/** Hashes of cards that were not looked at for so long are forgotten. */
const KEPT_MS = 400 * 86_400_000;

/**
 * Whether every file of a folder (a card, an old disk, a repository or not) is safe on other volumes, by what all known
 * repositories said last; of this one, and of remotes that are folders within reach, by what is committed and there now. What is in safety nets or old commits only is
 * not safe, and in those of the folder's own repositories it is not let go of unseen. Hashes are kept for the next run; a file whose content changed without any of its times is not found out.
 * @throws BkError 'not-found' if there is no such folder; with `importTo` 'locked', 'no-space', 'io'
 */
export async function covered(
  repo: Repository,
  options: CoveredOptions,
  context: Context,
): Promise<CoveredResult> {
  const root = folderAt(options.dir);
  const min = Math.max(1, options.min ?? 1);
  const pool = new Pool();
  const observed = await observe(repo, { root, pool }, context).finally(() => pool.close());
  const { card, places, doubts, isElsewhere, kept: inBk } = observed;
  const { unreadable, skipped, read } = card;
  const coverage = coverageOf(card.files(), {
    holders: (content) => places(content).filter(isElsewhere),
    min,
  });
  const isSafe = (content: ContentHash): boolean => places(content).some(isElsewhere);
  const kept = keptNowhereElse(inBk, isSafe);
  const imported =
    options.importTo === undefined
      ? undefined
      : importUnique(
          repo,
          { root, card, to: options.importTo, unique: coverage.unique, dryRun: options.dryRun },
          context,
        );
  return {
    files: coverage.files,
    bytes: coverage.bytes,
    covered: coverage.covered,
    under: coverage.under as CoveredResult['under'],
    unique: coverage.unique as CoveredResult['unique'],
    unreadable,
    kept,
    doubts,
    skipped,
    wipeable: mayWipe(coverage, [...unreadable, ...kept]),
    min,
    read,
    ...(imported !== undefined && { imported }),
  };
}

interface Observed extends InReach {
  readonly card: ScannedCard;
  readonly isElsewhere: ReturnType<typeof elsewhereThan>;
  readonly kept: readonly KeptByBk[];
}

/** What is on the card, and which of it is where. */
async function observe(
  repo: Repository,
  on: { root: string; pool: Pool },
  context: Context,
): Promise<Observed> {
  const { card, mounts } = await scan(repo, on, context);
  const seen = new Set(Array.from(card.files(), ({ blake3 }) => blake3));
  const kept = keptByBk(repo, on.root, { folders: card.repositories, seen });
  const sought = new Set([...seen, ...kept.flatMap(({ contents }) => [...contents])]);
  const ahead = sought.size > MANY ? await lookAhead(repo, sought, on.pool) : undefined;
  const said = placesOf(repo, sought, context, ahead);
  const isElsewhere = elsewhereThan(repo, { root: on.root, mounts, repositories: card.repositories });
  const asking = { sought, said, isElsewhere, many: MANY, pool: on.pool };
  return { card, kept, isElsewhere, ...(await inReach(repo, asking, context)) };
}

async function scan(
  repo: Repository,
  { root, pool }: { root: string; pool: Pool },
  context: Context,
): Promise<{ readonly card: ScannedCard; readonly mounts: Iterable<FsPath> }> {
  const ground = groundOf(root);
  const named = nameOfCard(root, volumeOf(root));
  const nowMs = context.nowMs();
  const cards = named && CardCache.open(path.join(repo.layout.dot, 'cards.sqlite'), named.card, nowMs);
  try {
    const cache = cards && named && { cards, place: named.place };
    const card = await scanCard({ root, ground, cache, pool, context });
    if (cache !== undefined) {
      cache.cards.forgetOthers(cache.place, {
        has: (place) => card.folders.has(belowTop(place, cache.place)),
      });
      cache.cards.prune(nowMs - KEPT_MS);
    }
    return { card, mounts: ground.mounts };
  } finally {
    cards?.close();
  }
}

/** What a card is known by, and where on it the folder is. */
interface NamedCard {
  readonly card: string;
  readonly place: FsPath;
}

/**
 * By the id of its file system; without one by device number and the inode and birth time of its top folder, where these
 * are stable. Undefined: it could be taken for another card, so nothing is kept of it.
 */
function nameOfCard(root: string, volume: Volume): NamedCard | undefined {
  const place = bytePath(path.relative(volume.mountPoint, root)) as FsPath;
  if (volume.uuid !== undefined) return { card: `volume ${volume.uuid}`, place };
  if (!stableInodes(volume.type)) return undefined;
  const { dev, ino, birthtimeNs } = fs.lstatSync(volume.mountPoint, { bigint: true });
  return { card: `device ${dev} ${ino} ${birthtimeNs}`, place };
}

function belowTop(place: FsPath, top: FsPath): FsPath {
  return (top === '' ? place : place === top ? '' : place.slice(top.length + 1)) as FsPath;
}

function folderAt(dir: string): string {
  let real: string;
  try {
    real = fs.realpathSync.native(dir);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))) throw error;
    throw new BkError('not-found', `there is no folder ${dir}`, { path: dir });
  }
  if (fs.statSync(real).isDirectory()) return real;
  throw new BkError('usage', `cannot look into ${dir}: it is no folder`, {
    path: encodePath(bytePath(dir) as FsPath),
  });
}
