import {
  BkError,
  type ContentHash,
  companionsToRecover,
  comparePaths,
  decideRecovery,
  type EntryType,
  type GitId,
  isInside,
  type RecoverFailure,
  type Recovery,
  type RepoPath,
  ROOT,
  type Step,
  type StepResult,
} from '@bk/core';
import type { Context } from './context.ts';
import { type Lacking, NOT_DELETED } from './exchange/elsewhere.ts';
import { contentsOfVersions, type Found, Search } from './recover/search.ts';
import { type Target, targetOf } from './recover/target.ts';
import type { Version } from './recover/versions.ts';
import type { Repository } from './repository.ts';
import { applyElsewhere, applyPlan, mayGiveSpecial } from './safety/transaction.ts';

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
  /**
   * Where each file, symlink or empty folder is now; `from`: what its content comes from: 'safety', 'folder', 'history', or
   * the name of a remote; `of`: the file that was named, if this came along as its companion. Under a dry run: would be.
   */
  readonly recovered: readonly {
    readonly path: RepoPath;
    readonly from: string;
    readonly was?: RepoPath;
    readonly of?: RepoPath;
  }[];
  readonly failed: readonly RecoverFailed[];
}

/** `where`: names of the repositories that are known to hold its content. */
export type RecoverFailed = { readonly path: RepoPath } & Lacking;

export interface Recoverable {
  readonly path: RepoPath;
  readonly type: EntryType;
  readonly blake3: ContentHash | null;
  readonly size: number;
  /** Null: not committed yet. */
  readonly deletedIn: GitId | null;
  readonly confirmed: boolean;
  readonly reason: 'deleted' | 'replaced';
  /** 'safety', 'folder', 'history', or the name of a remote within reach that is known to hold it. */
  readonly from: string;
  /** The file that was named, if this is offered as its companion. */
  readonly of?: RepoPath;
}

export interface RecoverableResult {
  readonly recoverable: readonly Recoverable[];
  /** Known to be held elsewhere, where nothing can be had from now. */
  readonly unreachable: readonly (RecoverFailed & { readonly blake3: ContentHash; readonly size: number })[];
}

/** Everything that could be brought back now, latest version of a path first. Changes nothing, and reads no remote's files. */
export async function listRecoverable(
  repo: Repository,
  options: Pick<RecoverOptions, 'paths' | 'at'>,
  context: Context,
): Promise<RecoverableResult> {
  const wanted = options.paths?.length ? options.paths : [ROOT];
  const search = await Search.begin(repo, { ...options, wanted }, context);
  try {
    const companionOf = companionsToRecover(search.versions, wanted, (path) => !search.isThere(path));
    const versions = departed(search, wanted, (version) => companionOf(version) !== undefined);
    const lacking = versions.filter((version) => search.from(version) === undefined);
    await search.seek(contentsOfVersions(lacking), 'look', context);
    const recoverable: Recoverable[] = [];
    const unreachable: RecoverableResult['unreachable'][number][] = [];
    for (const version of versions) {
      const { path, type, blake3 = null, size, deletedIn, confirmed, reason } = version;
      const from = search.from(version);
      const of = wanted.some((folder) => isInside(path, folder)) ? undefined : companionOf(version);
      const told = { path, type, blake3, size, deletedIn, confirmed, reason };
      if (from !== undefined) recoverable.push({ ...told, from, ...(of !== undefined && { of }) });
      else if (blake3 !== null) {
        const known = search.lacking(blake3);
        if (known.where !== undefined) unreachable.push({ path, blake3, size, ...known });
      }
    }
    return { recoverable, unreachable };
  } finally {
    search.close();
  }
}

/** Each version of each path once, those left out that are there. */
function departed(
  search: Search,
  wanted: readonly RepoPath[],
  isAlong: (version: Version) => boolean,
): Version[] {
  const seen = new Set<string>();
  return search.versions
    .filter((version) => wanted.some((folder) => isInside(version.path, folder)) || isAlong(version))
    .sort((a, b) => comparePaths(a.path, b.path) || b.timeMs - a.timeMs)
    .filter((version) => {
      const key = `${version.path}\0${version.type}\0${version.blake3 ?? ''}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return !search.isPresent(version);
    });
}

/**
 * Brings back deleted and overwritten files, never over anything: observe what is there and what is known, decide
 * (core), apply as one transaction. What is not here comes from remotes.
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
    return await new Recovering(repo, search, context).run({
      wanted,
      target,
      dryRun: options.dryRun === true,
    });
  } finally {
    search.close();
  }
}

interface Asked {
  readonly wanted: readonly RepoPath[];
  readonly target: Target | undefined;
  readonly dryRun: boolean;
}

class Recovering {
  readonly #repo: Repository;
  readonly #search: Search;
  readonly #context: Context;

  constructor(repo: Repository, search: Search, context: Context) {
    this.#repo = repo;
    this.#search = search;
    this.#context = context;
  }

  async run({ wanted, target, dryRun }: Asked): Promise<RecoverResult> {
    const search = this.#search;
    const decide = () =>
      decideRecovery<Found>({
        versions: search.versions,
        wanted,
        replaced: false,
        live: (path) => search.live(path),
        source: (blake3) => search.source(blake3),
        date: localDate(this.#context.nowMs()),
        ...(target !== undefined && { to: target.path }),
      });
    const near = decide();
    const lacking = contentsOfVersions(near.failed.flatMap(({ version }) => version ?? []));
    await search.seek(lacking, dryRun ? 'look' : 'bring', this.#context);
    const decision = lacking.length === 0 ? near : decide();
    const { recoveries } = decision;
    const met = [
      ...recoveries,
      ...decision.failed,
      ...(target === undefined ? [] : decision.present),
    ].flatMap(({ version }) => version?.path ?? []);
    const failed = [...this.#told(decision.failed), ...this.#notDeleted(wanted, met)];
    if (dryRun) return report({ recoveries, failed, results: undefined });
    const results = carryOut(this.#repo, search.steps(recoveries), {
      outside: target?.outside,
      context: this.#context,
    });
    return report(await this.#again({ recoveries, failed, results }, target));
  }

  /** What turned out to be spoilt where it lay here is looked for elsewhere. */
  async #again(done: Done, target: Target | undefined): Promise<Done> {
    const { recoveries, failed, results = [] } = done;
    const spoilt = new Set(
      results
        .filter(({ step, outcome }) => step.do === 'place' && outcome === 'failed')
        .map(({ path }) => path),
    );
    const versions = recoveries.filter(
      ({ path, version }) => spoilt.has(path) && !this.#search.isBrought(version.blake3),
    );
    if (versions.length === 0) return done;
    await this.#search.seek(
      contentsOfVersions(versions.map(({ version }) => version)),
      'bring',
      this.#context,
    );
    const had = versions.flatMap((recovery) => {
      const { version } = recovery;
      const source = version.blake3 === undefined ? undefined : this.#search.source(version.blake3);
      return source === undefined || !this.#search.isBrought(version.blake3) ? [] : [{ ...recovery, source }];
    });
    if (had.length === 0) return done;
    const second = carryOut(this.#repo, this.#search.steps(had), {
      outside: target?.outside,
      context: this.#context,
    });
    const better = new Map(had.map((recovery) => [recovery.path, recovery]));
    return {
      recoveries: recoveries.map((recovery) => better.get(recovery.path) ?? recovery),
      failed,
      results: [...results.filter(({ path }) => !better.has(path)), ...second],
    };
  }

  /** A path of which nothing is missing is no failure: given again, the verb does nothing. */
  #told(failures: readonly RecoverFailure[]): RecoverFailed[] {
    return failures.flatMap(({ path, version, reason, earlier }) => {
      if (version === undefined)
        return this.#search.isThere(path) || this.#search.isAbsent(path) ? [] : [{ path, reason }];
      const lacking = this.#search.lacking(version.blake3);
      const more = earlier === undefined ? '' : '; an earlier version can be had';
      return [{ path, ...lacking, reason: `${lacking.reason}${more}` }];
    });
  }

  /** @param met paths of what is brought back, or cannot be */
  #notDeleted(wanted: readonly RepoPath[], met: readonly RepoPath[]): RecoverFailed[] {
    return wanted
      .filter((path) => this.#search.isAbsent(path) && !met.some((one) => isInside(one, path)))
      .map((path) => ({ path, reason: NOT_DELETED }));
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

interface Done {
  readonly recoveries: readonly Recovery<Found>[];
  readonly failed: readonly RecoverFailed[];
  /** Absent: nothing was tried. */
  readonly results: readonly StepResult[] | undefined;
}

function report({ recoveries, failed, results }: Done): RecoverResult {
  const wrong = new Map(
    results
      ?.filter(({ outcome }) => outcome === 'conflict' || outcome === 'failed')
      .map((result) => [result.path, result]),
  );
  const recovered: { path: RepoPath; from: string; was?: RepoPath; of?: RepoPath }[] = [];
  const failures = [...failed];
  for (const { version, path, source, of } of recoveries) {
    const problem = wrong.get(path);
    if (problem !== undefined)
      failures.push({ path: version.path, reason: problem.reason ?? 'it could not be placed' });
    else
      recovered.push({
        path,
        from: source?.from ?? 'history',
        ...(path !== version.path && { was: version.path }),
        ...(of !== undefined && { of }),
      });
  }
  return { recovered, failed: failures.sort((a, b) => comparePaths(a.path, b.path)) };
}

/** The day it is for the person who asks. */
function localDate(ms: number): string {
  const date = new Date(ms);
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
