import fs from 'node:fs';
import path from 'node:path';
import {
  BkError,
  type ContentHash,
  comparePaths,
  decideRecovery,
  decodeTarget,
  type EntryType,
  encodePath,
  escapeBytes,
  type FsPath,
  type GitId,
  isInside,
  PLAIN_FOLDER_MODE,
  parentOf,
  type Recovery,
  type RepoPath,
  ROOT,
  type Step,
  type StepResult,
} from '@bk/core';
import { bytePath } from '@bk/worktree';
import { compareWithHead } from './compare.ts';
import type { Context } from './context.ts';
import type { Decision } from './decide.ts';
import { LiveTree } from './live-tree.ts';
import { Pool } from './pool.ts';
import type { Repository } from './repository.ts';
import { commitOf } from './revision.ts';
import { type From, type Source, Sources } from './sources.ts';
import { applyElsewhere, applyPlan, mayGiveSpecial } from './transaction.ts';
import { departedVersions, soughtContents, type Version, versionsAt } from './versions.ts';

export interface RecoverOptions {
  /** Files, or folders with all that was deleted below them. */
  readonly paths?: readonly RepoPath[];
  /** Everything that was deleted. */
  readonly all?: boolean;
  /** The state of this commit instead of the latest that is known. */
  readonly at?: string;
  /** Absolute path of a folder, in the repository or not, to put everything below. */
  readonly to?: string;
  readonly dryRun?: boolean;
}

export interface RecoverResult {
  /** Where each file, symlink or empty folder is now; `from`: what its content comes from. Under a dry run: would be. */
  readonly recovered: readonly {
    readonly path: RepoPath;
    readonly from: From | 'history';
    readonly was?: RepoPath;
  }[];
  readonly failed: readonly { readonly path: RepoPath; readonly reason: string; readonly where?: string }[];
}

export interface Recoverable {
  readonly path: RepoPath;
  readonly type: EntryType;
  readonly blake3: ContentHash | null;
  readonly size: number;
  /** Null: not committed yet. */
  readonly deletedIn: GitId | null;
  readonly confirmed: boolean;
  readonly reason: 'deleted' | 'replaced';
  readonly from: From | 'history';
}

export interface RecoverableResult {
  readonly recoverable: readonly Recoverable[];
}

/** Everything that could be brought back now, latest version of a path first. Changes nothing. */
export async function listRecoverable(
  repo: Repository,
  options: Pick<RecoverOptions, 'paths' | 'at'>,
  context: Context,
): Promise<RecoverableResult> {
  const wanted = options.paths?.length ? options.paths : [ROOT];
  const search = await Search.begin(repo, { ...options, wanted }, context);
  try {
    const seen = new Set<string>();
    const found: Recoverable[] = [];
    const sorted = search.versions
      .filter((version) => wanted.some((folder) => isInside(version.path, folder)))
      .sort((a, b) => comparePaths(a.path, b.path) || b.timeMs - a.timeMs);
    for (const version of sorted) {
      const key = `${version.path}\0${version.type}\0${version.blake3 ?? ''}`;
      const from = search.from(version);
      if (seen.has(key) || from === undefined || search.isPresent(version)) continue;
      seen.add(key);
      const { path, type, blake3 = null, size, deletedIn, confirmed, reason } = version;
      found.push({ path, type, blake3, size, deletedIn, confirmed, reason, from });
    }
    return { recoverable: found };
  } finally {
    search.close();
  }
}

/**
 * Brings back deleted and overwritten files, never over anything: observe what is there and what is known, decide
 * (core), apply as one transaction.
 * @throws BkError `usage` if nothing is asked for; `locked`, `no-space`, `io`
 */
export async function recover(
  repo: Repository,
  options: RecoverOptions,
  context: Context,
): Promise<RecoverResult> {
  const wanted = options.all === true ? [ROOT] : (options.paths ?? []);
  if (wanted.length === 0) {
    throw new BkError('usage', 'recover what?', {
      hint: 'name files or folders, or --all; `bk recover --list` shows what there is',
    });
  }
  if (options.dryRun !== true) repo.beginWriting();
  const target = options.to === undefined ? undefined : targetOf(repo.layout.root, options.to);
  const search = await Search.begin(repo, { ...options, wanted, outside: target?.outside }, context);
  try {
    const decision = decideRecovery<Source>({
      versions: search.versions,
      wanted,
      replaced: false,
      live: (path) => search.tree.live(path, search.sizes),
      source: (blake3) => search.sources.of(blake3),
      date: localDate(context.nowMs()),
      ...(target !== undefined && { to: target.path }),
    });
    const steps = search.steps(
      decision.recoveries as readonly Recovery<Source>[],
      target?.outside === undefined,
    );
    // A path of which nothing is missing is no failure: given again, the verb does nothing.
    const unknown = decision.failed.filter(
      ({ path, version }) => version !== undefined || search.tree.stat(path) === undefined,
    );
    const failed = unknown.map(({ path, reason, earlier }) => ({
      path,
      reason: earlier === undefined ? reason : `${reason}; an earlier version can be had`,
    }));
    const results =
      options.dryRun === true ? undefined : carryOut(repo, steps, { outside: target?.outside, context });
    return report(decision.recoveries as readonly Recovery<Source>[], failed, results);
  } finally {
    search.close();
  }
}

interface Begun {
  readonly at?: string;
  readonly wanted: readonly RepoPath[];
  readonly outside?: string | undefined;
}

/** What is known of earlier versions, and of what is there now. */
class Search {
  readonly versions: readonly Version[];
  readonly tree: LiveTree;
  readonly sources: Sources;
  readonly sizes: ReadonlySet<number>;
  readonly #folderModes = new Map<RepoPath, number>();

  private constructor(versions: readonly Version[], tree: LiveTree, sources: Sources) {
    this.versions = versions;
    this.tree = tree;
    this.sources = sources;
    this.sizes = new Set(versions.map(({ size }) => size));
    const byTime = versions.filter(({ type }) => type === 'dir').sort((a, b) => a.timeMs - b.timeMs);
    for (const { path, mode } of byTime) this.#folderModes.set(path, mode);
  }

  static async begin(repo: Repository, { at, wanted, outside }: Begun, context: Context): Promise<Search> {
    const pool = new Pool();
    const decision: Decision = await compareWithHead(
      repo,
      { all: false, rehash: false, pool },
      context,
    ).finally(() => pool.close());
    const here = new LiveTree(repo.layout.root);
    const isHere = (path: RepoPath) => here.stat(path) !== undefined;
    const versions =
      at === undefined
        ? departedVersions(repo, decision, context.nowMs())
        : versionsAt(repo, { commit: commitOf(repo, at, context), paths: wanted, isHere });
    const sources = new Sources(repo, decision, soughtContents(versions));
    if (outside === undefined) return new Search(versions, here, sources);
    here.close();
    return new Search(versions, new LiveTree(outside), sources);
  }

  close(): void {
    this.tree.close();
  }

  from({ type, size, blake3 }: Version): From | 'history' | undefined {
    if (type !== 'file' || blake3 === undefined) return 'history';
    return this.sources.of(blake3)?.from ?? (size === 0 ? 'history' : undefined);
  }

  isPresent({ path, type, blake3, size }: Version): boolean {
    if (type === 'dir') return this.tree.type(path) === 'dir';
    const there = this.tree.live(path, new Set([size]));
    return there?.type === type && there.blake3 === blake3;
  }

  /** Folders first, each before what goes into it. @param link whether the inodes of the net may be given */
  steps(recoveries: readonly Recovery<Source>[], link: boolean): Step[] {
    const folders = new Map<RepoPath, number>();
    const known = new Set<RepoPath>([ROOT]);
    const steps: Step[] = [];
    for (const { version, path } of recoveries) {
      const isFolder = version.type === 'dir';
      this.#foldersFor(isFolder ? path : parentOf(path), isFolder ? version.path : parentOf(version.path), {
        folders,
        known,
      });
      if (!isFolder) steps.push(this.#step(version as Version, path, link));
    }
    const made = [...folders].sort(([a], [b]) => comparePaths(a, b));
    return [...made.map(([path, mode]): Step => ({ do: 'mkdir', path, mode })), ...steps];
  }

  /** Missing folders from `path` upwards, with the modes that those of the original path had. */
  #foldersFor(
    path: RepoPath,
    original: RepoPath,
    into: { folders: Map<RepoPath, number>; known: Set<RepoPath> },
  ): void {
    for (let at = path, was = original; !into.known.has(at); at = parentOf(at), was = parentOf(was)) {
      into.known.add(at);
      if (this.tree.type(at) !== 'dir') into.folders.set(at, this.#folderModes.get(was) ?? PLAIN_FOLDER_MODE);
    }
  }

  #step(version: Version, path: RepoPath, link: boolean): Step {
    const { mode, mtimeNs } = version;
    const expect = { is: 'absent' } as const;
    if (version.type === 'symlink')
      return {
        do: 'symlink',
        path,
        expect,
        target: escapeBytes(decodeTarget(version.target ?? '', version.size)),
        mtimeNs,
      };
    const asked = { blake3: version.blake3 as ContentHash, size: version.size, inode: version.inode };
    const content = this.sources.content(asked, link) ?? { source: '', how: 'copy', ...asked };
    return { do: 'place', path, expect, content, mode, mtimeNs };
  }
}

function carryOut(
  repo: Repository,
  steps: readonly Step[],
  { outside, context }: { outside: string | undefined; context: Context },
): readonly StepResult[] {
  const totalFiles = steps.filter((step) => step.do === 'place').length;
  let files = 0;
  let bytes = 0;
  const onFile = (size: number): void => {
    bytes += size;
    context.report({ phase: 'recover', files: ++files, bytes, totalFiles });
  };
  const options = { special: mayGiveSpecial(repo), onFile };
  const plan = { verb: 'recover', steps };
  const { results, stopped } =
    outside === undefined
      ? applyPlan(repo.layout, plan, options)
      : applyElsewhere(repo.layout, outside, plan, options);
  if (stopped !== undefined) throw stopped;
  return results;
}

function report(
  recoveries: readonly Recovery<Source>[],
  failed: RecoverResult['failed'],
  results: readonly StepResult[] | undefined,
): RecoverResult {
  const wrong = new Map(
    results
      ?.filter(({ outcome }) => outcome === 'conflict' || outcome === 'failed')
      .map((result) => [result.path, result]),
  );
  const recovered: { path: RepoPath; from: From | 'history'; was?: RepoPath }[] = [];
  const failures = [...failed];
  for (const { version, path, source } of recoveries) {
    const problem = wrong.get(path);
    if (problem !== undefined)
      failures.push({ path: version.path, reason: problem.reason ?? 'it could not be placed' });
    else
      recovered.push({
        path,
        from: source?.from ?? 'history',
        ...(path !== version.path && { was: version.path }),
      });
  }
  return { recovered, failed: failures.sort((a, b) => comparePaths(a.path, b.path)) };
}

interface Target {
  /** Below the root, or below `outside`. */
  readonly path: RepoPath;
  /** Absolute path of a folder outside the repository, which is there. */
  readonly outside?: string;
}

/** @param to absolute; need not be there yet */
function targetOf(root: string, to: string): Target {
  const whole = path.resolve(to);
  let existing = whole;
  while (!fs.existsSync(existing)) existing = path.dirname(existing);
  const there = fs.realpathSync.native(existing);
  const missing = path.relative(existing, whole);
  const below = path.relative(root, path.join(there, missing));
  const inside = below !== '..' && !below.startsWith('../');
  const relative = encodePath(bytePath(inside ? below : missing) as FsPath);
  return inside ? { path: relative } : { path: relative, outside: there };
}

/** The day it is for the person who asks. */
function localDate(ms: number): string {
  const date = new Date(ms);
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
