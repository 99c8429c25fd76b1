import {
  BkError,
  type ContentHash,
  comparePaths,
  contentHash,
  EMPTY_CONTENT,
  type EntryType,
  type Holder,
  isInside,
  KIND,
  parentOf,
  type RepoPath,
  ROOT,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import type { Context } from './context.ts';
import { type Held, holdersOf, lostHoldersOf } from './holdings/holdings.ts';
import { entryPath, hashAt } from './observe/draft.ts';
import type { LostMark } from './peers/lost.ts';
import type { Repository } from './repository.ts';

export interface WhereOptions {
  /** Files, or folders with all that is below; none: everything. Also what is not here, or left the head. */
  readonly paths?: readonly RepoPath[];
  /** Instead: one content, wherever it is. 64 hex digits. */
  readonly content?: string;
}

export interface WhereCopy extends Omit<Holder, 'verified'> {
  readonly verified: string | null;
  /** Further paths where this repository has the same content; absent: none. */
  readonly more?: number;
}

/** No copy: its repository was marked as lost, and did not come back. */
export type WhereLost = WhereCopy & LostMark;

export interface WhereFile {
  readonly path: RepoPath;
  readonly type: Exclude<EntryType, 'dir'>;
  readonly blake3: ContentHash;
  /** Bytes. */
  readonly size: number;
  /** This repository holds the content. */
  readonly present: boolean;
  /** The head does not have it any more: the path that it had. */
  readonly departed?: true;
  /** A repository once, at this very path if it can be. */
  readonly copies: readonly WhereCopy[];
  /** Repositories that held it when they were last heard of, and were given up; absent: none. */
  readonly lost?: readonly WhereLost[];
}

export interface WhereResult {
  /** In byte order of their paths. */
  readonly files: readonly WhereFile[];
}

/** Who holds a content: those that count, and those that do not. */
interface Holders {
  readonly counting: readonly Held[];
  readonly lost: readonly Held[];
}

type Asked = Pick<WhereFile, 'path' | 'type' | 'blake3' | 'size' | 'departed'>;

/**
 * Which repositories hold the contents of files, by what they said last; of this one, what is here now.
 * @throws BkError 'not-found' for a path or content that nobody knows, 'usage' if it is no hash
 */
export function where(repo: Repository, options: WhereOptions, context: Pick<Context, 'nowMs'>): WhereResult {
  if (options.content !== undefined) return whereContent(repo, hashOf(options.content), context);
  const asked = filesAt(repo, options.paths ?? []);
  const holders = holdersNamed(repo, new Set(asked.map(({ blake3 }) => blake3)), context);
  return { files: asked.map((file) => answer(repo, file, holders(file.blake3))) };
}

function holdersNamed(
  repo: Repository,
  sought: ReadonlySet<ContentHash>,
  context: Pick<Context, 'nowMs'>,
): (blake3: ContentHash) => Holders {
  const counting = holdersOf(repo, sought, context);
  const lost = lostHoldersOf(repo, sought);
  return (blake3) => ({ counting: counting.get(blake3) ?? [], lost: lost.get(blake3) ?? [] });
}

/** Each path at which any repository has it, with the repositories that have it there. */
function whereContent(repo: Repository, blake3: ContentHash, context: Pick<Context, 'nowMs'>): WhereResult {
  const { counting, lost } = holdersNamed(repo, new Set([blake3]), context)(blake3);
  const known = [...headFiles(repo, ROOT), ...departedFiles(repo, ROOT)].filter(
    (file) => file.blake3 === blake3,
  );
  const here = new Map(known.map((file) => [file.path, file]));
  const size = known[0]?.size ?? 0;
  for (const { path } of [...counting, ...lost])
    if (!here.has(path)) here.set(path, { path, type: known[0]?.type ?? 'file', blake3, size });
  if (here.size === 0)
    throw new BkError('not-found', `no content ${blake3.slice(0, 12)}…: no repository has or had it`);
  const asked = [...here.values()].sort((a, b) => comparePaths(a.path, b.path));
  return {
    files: asked.map((file) =>
      answer(repo, file, { counting: counting.filter(isAt(file.path)), lost: lost.filter(isAt(file.path)) }),
    ),
  };
}

function isAt(path: RepoPath): (holder: Held) => boolean {
  return (holder) => holder.path === path;
}

function hashOf(text: string): ContentHash {
  if (/^[0-9a-f]{64}$/.test(text)) return contentHash(text);
  throw new BkError('usage', `--content ${text}: not a content's hash`, {
    hint: 'it has 64 hex digits, as `bk where PATH --json` and `b3sum FILE` print it',
  });
}

function answer(repo: Repository, asked: Asked, holders: Holders): WhereFile {
  const { path, type, blake3, size, departed } = asked;
  // All empty files have one content; what counts is which repositories have this one.
  const relevant = (some: readonly Held[]) => (blake3 === EMPTY_CONTENT ? some.filter(isAt(path)) : some);
  const copies = onePerRepository(relevant(holders.counting), path);
  const lost = onePerRepository(relevant(holders.lost), path).map(
    ({ lostSince = '', ...copy }): WhereLost => ({ ...copy, lost: true, lostSince }),
  );
  const present = copies.some(({ repository }) => repository === repo.config.id);
  return {
    ...{ path, type, blake3, size, present },
    ...(departed && { departed }),
    copies,
    ...(lost.length > 0 && { lost }),
  };
}

function onePerRepository(holders: readonly Held[], path: RepoPath): (WhereCopy & Pick<Held, 'lostSince'>)[] {
  const found = new Map<string, { best: Held; count: number }>();
  for (const holder of holders) {
    const key = `${holder.repository} ${holder.volume}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { best: holder, count: 1 });
    else {
      known.count++;
      if (holder.path === path) known.best = holder;
    }
  }
  return [...found.values()].map(({ best: { verified, ...best }, count }) => ({
    ...best,
    verified: verified ?? null,
    ...(count > 1 && { more: count - 1 }),
  }));
}

/** What is asked about, each path once, in byte order. */
function filesAt(repo: Repository, paths: readonly RepoPath[]): Asked[] {
  const found = new Map<RepoPath, Asked>();
  for (const path of withoutNested(paths)) {
    const before = found.size;
    for (const file of headFiles(repo, path)) found.set(file.path, file);
    if (found.size > before) continue;
    if (path === ROOT || repo.index.known(path) !== undefined) continue; // a folder without files
    for (const file of departedFiles(repo, path)) found.set(file.path, file);
    if (found.size > before) continue;
    throw new BkError('not-found', `cannot tell where ${path} is: no commit here has such a file`, {
      path,
      hint: 'what is not committed yet is nowhere else; `bk status` shows it',
    });
  }
  return [...found.values()].sort((a, b) => comparePaths(a.path, b.path));
}

function withoutNested(paths: readonly RepoPath[]): RepoPath[] {
  const all = paths.length === 0 ? [ROOT] : [...new Set(paths)];
  return all.filter((path) => !all.some((other) => other !== path && isInside(path, other)));
}

/** Files and links of the head at and below a path, those that are not here too. */
export function* headFiles(repo: Repository, path: RepoPath): Generator<Asked> {
  let folders = 0;
  for (const [folder, known] of repo.index.below(path)) {
    folders++;
    for (let k = 1; k < known.listing.names.length; k++) {
      const file = fileOf(folder, known, k);
      if (file !== undefined) yield file;
    }
  }
  if (folders > 0 || path === ROOT) return;
  const known = repo.index.known(parentOf(path));
  for (let k = 1; k < (known?.listing.names.length ?? 0); k++) {
    const file = fileOf(parentOf(path), known!, k);
    if (file?.path === path) yield file;
  }
}

type Known = NonNullable<ReturnType<Repository['index']['known']>>;

function fileOf(folder: RepoPath, known: Known, k: number): Asked | undefined {
  const kind = known.listing.kinds[k];
  if (kind !== KIND.file && kind !== KIND.symlink) return undefined;
  return {
    path: entryPath(folder, known.listing, k),
    type: kind === KIND.file ? 'file' : 'symlink',
    blake3: hashAt(known, k),
    size: Number(known.listing.stats[k * STAT_WIDTH + STAT.size]),
  };
}

/** The last version of each path that the head does not have any more. */
function departedFiles(repo: Repository, path: RepoPath): Asked[] {
  const latest = new Map<RepoPath, Asked & { readonly time: number }>();
  for (const row of repo.index.departed.all()) {
    const { type, blake3, size, timeSec: time } = row;
    if (type === 'dir' || blake3 === undefined || row.reason !== 'deleted' || !isInside(row.path, path))
      continue;
    if ((latest.get(row.path)?.time ?? -1) <= time)
      latest.set(row.path, { path: row.path, type, blake3, size, departed: true, time });
  }
  return [...latest.values()].map(({ time: _time, ...file }) => file);
}
