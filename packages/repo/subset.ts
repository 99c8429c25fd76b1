import {
  addToSubset,
  BkError,
  EVERYTHING,
  idlePatterns,
  parentOf,
  parseRecord,
  parseSubset,
  type RecordAt,
  type RepoPath,
  ROOT,
  removeFromSubset,
  type Selector,
  type Subset,
  subsetHash,
} from '@bk/core';
import { walkTree, withSubset } from '@bk/store';
import type { Context } from './context.ts';
import { isAsWritten, trustedSubset } from './peers/host-options.ts';
import { publishPresence } from './presence/presence.ts';
import type { Repository } from './repository.ts';
import { type Change, changeOf, proveLeaving, refuseLinks } from './subset/change.ts';
import { placeOf } from './subset/tree.ts';

export interface SubsetOptions {
  readonly do: 'show' | 'set' | 'add' | 'remove';
  /** What is wanted, as stored: spelled like RepoPaths (core's encodePattern). */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Other volumes that must prove to hold what is not wanted any more; absent: 1. */
  readonly copies?: number;
  readonly dryRun?: boolean;
}

/** Files of the head that a change of the subset is about. */
export interface SubsetFiles {
  readonly files: number;
  /** Bytes. */
  readonly bytes: number;
  /** Folders and files that hold them all: what to give to `get` or `drop`. */
  readonly paths: readonly RepoPath[];
}

export interface SubsetResult extends Subset {
  readonly hash: string;
  /** The patterns are not those that bk wrote; verbs that act on them refuse. */
  readonly edited?: true;
  /** Of `set`, `add` and `remove`: wanted now and not here, for `get`. */
  readonly coming?: SubsetFiles;
  /** Here and not wanted any more: they stay until `drop`. */
  readonly leaving?: SubsetFiles;
  /** Patterns that match nothing in the head. */
  readonly idle?: readonly string[];
}

/**
 * Shows or changes what this repository wants to hold. A change deletes and fetches nothing: `get` and `drop` do. The
 * patterns are never part of the history.
 * @throws BkError 'refused' if what leaves has no proven copy elsewhere now, for a bad pattern, or (`add`, `remove`)
 *   if the patterns were edited by hand; 'usage' for what is no pattern
 */
export async function subset(
  repo: Repository,
  options: SubsetOptions,
  context: Context,
): Promise<SubsetResult> {
  if (options.do === 'show') return shown(repo);
  repo.beginWriting();
  const next = nextSubset(repo, options);
  refuseLinks(repo, next);
  const entries = entriesOfHead(repo);
  const before = repo.config.subset;
  const change = changeOf(repo, entries, {
    before: before && isAsWritten(before) ? before : EVERYTHING,
    after: next,
  });
  const proven = await proveLeaving(repo, change.contents, options.copies ?? 1, context);
  try {
    if (options.dryRun !== true) {
      repo.reconfigure((config) => withSubset(config, next));
      publishPresence(repo, context);
    }
  } finally {
    await proven.release();
  }
  return told(next, change, idlePatterns(entries, next));
}

function shown({ config: { subset: stored } }: Repository): SubsetResult {
  if (stored === undefined) return { ...EVERYTHING, hash: subsetHash(EVERYTHING) };
  const { include, exclude, hash } = stored;
  return { include, exclude, hash, ...(!isAsWritten(stored) && { edited: true }) };
}

function nextSubset(repo: Repository, { do: verb, include = [], exclude = [] }: SubsetOptions): Subset {
  if (verb === 'set') return parseSubset(include, exclude);
  if (include.length + exclude.length === 0)
    throw new BkError('usage', `nothing to ${verb}: no pattern was given`, {
      hint: 'see `bk subset --help`',
    });
  const now = trustedSubset(repo);
  if (verb === 'remove') return removeFromSubset(now, [...include, ...exclude]);
  const wider = addToSubset(now, include);
  return parseSubset(wider.include, [...wider.exclude, ...exclude]);
}

/** Every record of the head at its place. */
function entriesOfHead({ head, history }: Repository): RecordAt[] {
  if (head === undefined) return [];
  const { tree } = history.readCommit(head);
  return Array.from(walkTree(history, tree), ({ path, id }) => ({
    path: placeOf(path).path,
    record: parseRecord(history.readBlobText(id)),
  }));
}

function told(next: Subset, { after, coming, leaving }: Change, idle: readonly string[]): SubsetResult {
  return {
    ...next,
    hash: subsetHash(next),
    coming: filesOf(coming, (folder) => after.covers(folder)),
    leaving: filesOf(leaving, (folder) => isOutside(after, folder)),
    idle,
  };
}

function isOutside(after: Selector, folder: RepoPath): boolean {
  return !after.mayContain(folder);
}

/** @param isWhole whether all below a folder is meant */
function filesOf(entries: readonly RecordAt[], isWhole: (folder: RepoPath) => boolean): SubsetFiles {
  const files = entries.filter(({ record }) => record.type !== 'dir');
  const paths = new Set<RepoPath>();
  for (const { path } of files) {
    let top = path;
    for (let folder = parentOf(path); folder !== ROOT; folder = parentOf(folder))
      if (isWhole(folder)) top = folder;
    paths.add(top);
  }
  const bytes = files.reduce((sum, { record }) => sum + (record.size ?? 0), 0);
  return { files: files.length, bytes, paths: [...paths] };
}
