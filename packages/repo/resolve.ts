import {
  BkError,
  type ConflictKind,
  DIRECTORY_RECORD,
  formatCommitMessage,
  formatRecord,
  type GitId,
  isInside,
  type Keep,
  type Kept,
  nameOf,
  type PathProblem,
  PLAIN_FOLDER_MODE,
  parentOf,
  parseMode,
  type Rec,
  type RecordAt,
  type RepoPath,
  type Resolution,
  ROOT,
  resolveConflict,
  type TreeConflict,
} from '@bk/core';
import { Overlay, walkTree } from '@bk/store';
import { advance } from './advance/advance.ts';
import { conflictsIn } from './conflicts.ts';
import type { Context } from './context.ts';
import { FurtherRemotes } from './exchange/further.ts';
import { signatureOf } from './history/signature.ts';
import { TreeEdits, writeTrees } from './history/trees.ts';
import { versionSources } from './merge/sources.ts';
import { TreeLookup } from './merge/trees.ts';
import type { Repository } from './repository.ts';

export interface ResolveOptions {
  /** Of versions that are to stay, or of folders: all conflicts in them. */
  readonly paths: readonly RepoPath[];
  /** Every conflict there is. */
  readonly all?: boolean;
  /** Absent: what is at the path, and the others go to the net. `both`, `newest`, `deletion`, else a repository's name. */
  readonly keep?: string;
  readonly allowMassDelete?: boolean;
  readonly dryRun?: boolean;
}

export interface ResolvedConflict {
  readonly path: RepoPath;
  readonly kind: ConflictKind;
  /** Where what stays is now. */
  readonly kept: readonly RepoPath[];
  /** What went to the net. */
  readonly removed: readonly RepoPath[];
}

export interface ResolveResult {
  /** Null: there was nothing to end, or a dry run. */
  readonly commit: GitId | null;
  readonly resolved: readonly ResolvedConflict[];
  /** Those that are left. */
  readonly conflicts: readonly { readonly path: RepoPath; readonly kind: ConflictKind }[];
  /** Left as they are on the disk, because they changed just then: they show as changes. */
  readonly left: readonly PathProblem[];
  readonly missing: readonly PathProblem[];
}

/**
 * Ends conflicts: an ordinary commit says what stays, and the folder follows it as it would follow anybody's, so that
 * what goes is in the net, and a kill leaves the one or the other.
 * @throws BkError 'usage', 'not-found' (no conflict at a path), 'refused' (changes that are not committed; it cannot be kept so)
 */
export async function resolve(
  repo: Repository,
  options: ResolveOptions,
  context: Context,
): Promise<ResolveResult> {
  const { paths, all = false, dryRun = false, allowMassDelete = false } = options;
  if (paths.length === 0 && !all)
    throw new BkError('usage', 'resolve what?', { hint: 'name files that are in a conflict, or give --all' });
  if (!dryRun) repo.beginWriting();
  const { head, history } = repo;
  const found = head === undefined ? [] : conflictsIn(history, head);
  const chosen = all ? found.map((conflict) => ({ conflict, at: undefined })) : choose(found, paths);
  const ended = new Set(chosen.map(({ conflict }) => conflict));
  const left = found.filter((conflict) => !ended.has(conflict));
  const nothing = { commit: null, conflicts: left.map(brief), left: [], missing: [] };
  if (head === undefined || chosen.length === 0) return { ...nothing, resolved: [] };
  const resolutions = decide(repo, head, chosen, options.keep);
  const objects = new Overlay(history);
  const made = write(repo, { head, resolutions, objects }, context);
  const further = new FurtherRemotes(repo, context);
  const ways = { from: [], others: () => further.besides([]), objects, dryRun, allowMassDelete };
  const advanced = await advance(repo, made.commit, ways, context).finally(() => further.close());
  const { conflicts: undone, missing } = advanced;
  return { ...nothing, commit: dryRun ? null : made.commit, resolved: made.resolved, left: undone, missing };
}

function brief({ path, kind }: TreeConflict): { path: RepoPath; kind: ConflictKind } {
  return { path, kind };
}

/** A conflict with the version that was named; undefined: none, or more than one. */
interface Chosen {
  readonly conflict: TreeConflict;
  readonly at: RepoPath | 'several' | undefined;
}

function choose(found: readonly TreeConflict[], paths: readonly RepoPath[]): Chosen[] {
  const chosen = new Map<TreeConflict, Chosen['at']>();
  for (const path of paths) {
    const exact = found.filter((conflict) => isOf(conflict, path));
    const matching = exact.length > 0 ? exact : found.filter((conflict) => isInside(conflict.path, path));
    if (matching.length === 0)
      throw new BkError('not-found', `there is no conflict at ${path}`, { path, hint: 'see `bk conflicts`' });
    for (const conflict of matching) {
      const at = exact.length > 0 ? path : undefined;
      const before = chosen.has(conflict) ? (chosen.get(conflict) ?? conflict.path) : at;
      chosen.set(conflict, before === at ? at : 'several');
    }
  }
  return [...chosen].map(([conflict, at]) => ({ conflict, at }));
}

function isOf({ path, versions, entries }: TreeConflict, at: RepoPath): boolean {
  return path === at || [...versions, ...entries].some((one) => one.path === at);
}

interface Decided {
  readonly conflict: TreeConflict;
  readonly resolution: Resolution;
}

function decide(
  { history }: Repository,
  head: GitId,
  chosen: readonly Chosen[],
  keep: string | undefined,
): Decided[] {
  const names = keep === undefined || ['both', 'newest', 'deletion'].includes(keep) ? [] : chosen;
  const sourceOf = versionSources(
    history,
    head,
    names.map(({ conflict }) => conflict),
  );
  return chosen.map(({ conflict, at }) => {
    const resolution = resolveConflict(
      conflict,
      keepOf(conflict, at, keep),
      (version) => sourceOf(conflict, version)?.repository,
    );
    if (typeof resolution !== 'string') return { conflict, resolution };
    throw new BkError('refused', `cannot resolve ${conflict.path}: ${resolution}`, {
      path: conflict.path,
      hint: '`bk conflicts` lists the versions; nothing was changed',
    });
  });
}

function keepOf(conflict: TreeConflict, at: Chosen['at'], keep: string | undefined): Keep {
  if (keep === 'both' || keep === 'newest' || keep === 'deletion') return { what: keep };
  if (keep !== undefined) return { what: 'repository', name: keep };
  // Whoever names several versions wants them all.
  return at === 'several' ? { what: 'both' } : { what: 'path', path: at ?? conflict.path };
}

interface Writing {
  readonly head: GitId;
  readonly resolutions: readonly Decided[];
  readonly objects: Overlay;
}

function write(
  repo: Repository,
  { head, resolutions, objects }: Writing,
  context: Context,
): { readonly commit: GitId; readonly resolved: ResolvedConflict[] } {
  const root = objects.readCommit(head).tree;
  const editing = new Editing(objects, root);
  const resolved = resolutions.map((one) => editing.end(one));
  const { root: tree = root } = writeTrees(editing.edits, { reader: objects, writer: objects, root });
  const removes = resolved.some(({ removed }) => removed.length > 0);
  const what = resolved.length === 1 ? resolved[0]!.path : `${resolved.length} conflicts`;
  const signature = signatureOf(repo, context);
  const commit = objects.addCommit({
    tree,
    parents: [head],
    author: signature,
    committer: signature,
    message: formatCommitMessage({
      message: `Resolve ${what}`,
      repository: { id: repo.config.id, name: repo.config.name },
      ...(removes && { deletions: 'kept' }),
    }),
  });
  return { commit, resolved };
}

/** Turns resolutions into edits of the head's tree. */
class Editing {
  readonly edits = new TreeEdits();
  readonly #objects: Overlay;
  readonly #lookup: TreeLookup;

  constructor(objects: Overlay, root: GitId) {
    this.#objects = objects;
    this.#lookup = new TreeLookup(objects, root);
  }

  end({ conflict, resolution: { keep, remove } }: Decided): ResolvedConflict {
    for (const { from, path } of keep) if (from !== undefined && !isAt(remove, path)) this.#refuseTaken(path);
    for (const { path, record } of remove) this.#take(path, record.type === 'dir');
    for (const one of keep) this.#put(one);
    return {
      path: conflict.path,
      kind: conflict.kind,
      kept: keep.map(({ path }) => path),
      removed: remove.map(({ path }) => path),
    };
  }

  /** Takes something away from a path. @returns what it was: records' blobs by what comes after the path */
  #take(path: RepoPath, isFolder: boolean): (readonly [within: string, blob: GitId])[] {
    const found = this.#lookup.at(path);
    if (found === undefined) return [];
    if (found.kind === 'blob') {
      this.edits.set(path, null);
      return [['', found.id]];
    }
    if (!isFolder) return [];
    return [...walkTree(this.#objects, found.id, path)].map(({ path: blob, id }) => {
      if (nameOf(blob) === DIRECTORY_RECORD) this.edits.setFolder(parentOf(blob), null);
      else this.edits.set(blob, null);
      return [blob.slice(path.length), id] as const;
    });
  }

  #put({ path, record, from }: Kept): void {
    const isFolder = record.type === 'dir';
    const taken = from === undefined ? [] : this.#take(from, isFolder);
    if (!isFolder) {
      this.edits.set(path, this.#objects.addBlob(formatRecord(record)));
      return;
    }
    for (const [within, blob] of taken) {
      const at = `${path}${within}` as RepoPath;
      if (nameOf(at) === DIRECTORY_RECORD) this.edits.setFolder(parentOf(at), blob);
      else this.edits.set(at, blob);
    }
    this.edits.setFolder(
      path,
      this.#isNeedless(from ?? path, record) ? null : this.#objects.addBlob(formatRecord(record)),
    );
  }

  /** The folder had its record only because of the conflict. */
  #isNeedless(folder: RepoPath, record: Rec): boolean {
    const found = this.#lookup.at(folder);
    const isFilled =
      found?.kind === 'tree' &&
      this.#objects.readTree(found.id).some(({ name }) => name !== DIRECTORY_RECORD);
    const { v: _v, id: _id, type: _type, mode, was: _was, ...says } = record;
    return isFilled && parseMode(mode) === PLAIN_FOLDER_MODE && Object.keys(says).length === 0;
  }

  #refuseTaken(path: RepoPath): void {
    let taken = this.#lookup.at(path) !== undefined;
    for (let above = parentOf(path); above !== ROOT && !taken; above = parentOf(above))
      taken = this.#lookup.at(above)?.kind === 'blob';
    if (taken)
      throw new BkError('refused', `cannot resolve it so: something else is at ${path} by now`, {
        path,
        hint: 'move it away and commit, or resolve the conflict the other way; nothing was changed',
      });
  }
}

function isAt(entries: readonly RecordAt[], path: RepoPath): boolean {
  return entries.some((entry) => entry.path === path);
}
