import {
  type EncodedName,
  encodeName,
  type FsName,
  hasOwnRecord,
  KIND,
  type KnownDirectory,
  parentOf,
  parseRecord,
  type Rec,
  type RepoPath,
  ROOT,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import type { Repository } from '../repository.ts';
import { GIT_OWNED } from '../subset/tree.ts';
import { recordAt } from './draft.ts';

/** A folder of the head that is one thing: its record says so, or it owns a `.git`. */
export interface HeadEntity {
  readonly path: RepoPath;
  /** Undefined: a project without a record of its own. */
  readonly record: Rec | undefined;
  readonly ownsGit: boolean;
  /** Files and links in it, nested entities included; their bytes. */
  readonly files: number;
  readonly bytes: number;
}

/** All entities of the head, by path, in byte order. Cost: a look at each folder's row, a read of each folder's own record. */
export function headEntities(repo: Repository): ReadonlyMap<RepoPath, HeadEntity> {
  const found = new Map<RepoPath, { -readonly [K in keyof HeadEntity]: HeadEntity[K] }>();
  for (const [path, known] of repo.index.below(ROOT)) {
    const entity = path === ROOT ? undefined : entityOf(repo, path, known);
    if (entity !== undefined) found.set(path, entity);
    if (found.size === 0) continue;
    const { files, bytes } = weightOf(known);
    for (let at = path; at !== ROOT; at = parentOf(at)) {
      const around = found.get(at);
      if (around === undefined) continue;
      around.files += files;
      around.bytes += bytes;
    }
  }
  return found;
}

/** The outermost entity that a path of the head is, or is in; undefined: none. Cost: a row for each folder above. */
export function entityFinder(repo: Repository): (path: RepoPath) => RepoPath | undefined {
  const known = new Map<RepoPath, RepoPath | undefined>([[ROOT, undefined]]);
  const find = (path: RepoPath): RepoPath | undefined => {
    if (known.has(path)) return known.get(path);
    const outer = find(parentOf(path));
    const row = outer === undefined ? repo.index.known(path) : undefined;
    const found = row !== undefined && entityOf(repo, path, row) !== undefined ? path : outer;
    known.set(path, found);
    return found;
  };
  return (path) => (repo.index.known(path) === undefined ? find(parentOf(path)) : find(path));
}

/** Paths with those in an entity widened to all of it. */
export interface Widened {
  readonly paths: readonly RepoPath[];
  /** Entities of which only a part was named. */
  readonly whole: readonly RepoPath[];
}

/** Entities are never cut (SPEC 5): whoever names something in one means all of it. */
export function widenToEntities(
  paths: readonly RepoPath[],
  find: (path: RepoPath) => RepoPath | undefined,
): Widened {
  const whole = new Set<RepoPath>();
  const widened = paths.map((path) => {
    const around = find(path);
    if (around === undefined || around === path) return path;
    whole.add(around);
    return around;
  });
  return { paths: [...new Set(widened)], whole: [...whole].filter((path) => !paths.includes(path)) };
}

function entityOf(repo: Repository, path: RepoPath, known: KnownDirectory): HeadEntity | undefined {
  const record = hasOwnRecord(known) ? parseRecord(repo.history.readBlobText(recordAt(known, 0))) : undefined;
  const ownsGit = known.listing.names.some((name) => isGit(name as FsName));
  if (record?.entity === undefined && !ownsGit) return undefined;
  return { path, record, ownsGit, files: 0, bytes: 0 };
}

function isGit(name: FsName): boolean {
  return name.length === 4 && (encodeName(name) as EncodedName) === GIT_OWNED;
}

function weightOf({ listing: { kinds, stats } }: KnownDirectory): { files: number; bytes: number } {
  let files = 0;
  let bytes = 0;
  for (let k = 1; k < kinds.length; k++) {
    if (kinds[k] === KIND.dir) continue;
    files++;
    bytes += Number(stats[k * STAT_WIDTH + STAT.size]);
  }
  return { files, bytes };
}
