import {
  type Applied,
  BkError,
  brake,
  type Change,
  type ContentHash,
  changesBesideMoves,
  checkPlan,
  comparePaths,
  type FileAt,
  type GitId,
  type MovedGroup,
  movedGroups,
  nameOf,
  type PathProblem,
  type PlacedContent,
  planBetween,
  type RepoPath,
  type StepResult,
  type TreePlan,
} from '@bk/core';
import { isAncestor, type ObjectReader, type Overlay, PackWriter } from '@bk/store';
import type { ApplyResult } from '@bk/worktree';
import type { Context } from '../context.ts';
import { type Brought, bringFirstFrom, type NearestFirst } from '../exchange/bring.ts';
import { lookAtPlaced } from '../get/placed.ts';
import { signatureOf } from '../history/signature.ts';
import { refreshIndex, unchangedEntries } from '../index/refresh.ts';
import { compareWithHead } from '../observe/compare.ts';
import type { Decision } from '../observe/decide.ts';
import { Pool } from '../observe/pool.ts';
import { trustedSubset } from '../peers/host-options.ts';
import { setAbsent, setPresent } from '../presence/absence.ts';
import { addPresence, movePresence, publishPresence } from '../presence/presence.ts';
import { presentTree } from '../presence/present-tree.ts';
import { MAIN, type Repository } from '../repository.ts';
import { applyPlan, mayGiveSpecial } from '../safety/transaction.ts';
import { treeSelector } from '../subset/tree.ts';
import { refuseBusyProjects } from './busy.ts';
import { DiskState, refuseUnlessClean, touches } from './disk.ts';
import { lookAtArrived } from './look.ts';
import { advancedRows } from './rows.ts';
import { type HistoryChange, treeChange } from './tree.ts';

/** `from`, `others`: where contents may come from that are not here. */
export interface AdvanceOptions extends NearestFirst {
  /** The commit and what it needs, if it is not in the history yet: written just before the first file is touched. */
  readonly objects?: Overlay;
  readonly allowMassDelete?: boolean;
  readonly dryRun?: boolean;
  /** In a dry run: the changes that are not committed would be, first. */
  readonly ignoreChanges?: boolean;
}

export interface Advanced {
  readonly result: 'up-to-date' | 'fast-forward';
  /** `main` here afterwards; in a dry run the commit that it would go to. */
  readonly commit: GitId;
  readonly applied: Applied;
  /** What `applied.renamed` counts, by the way it went. */
  readonly moved: readonly MovedGroup[];
  /** What else was done: one a file, but for those that only moved. */
  readonly changed: readonly Change[];
  readonly transferred: { readonly files: number; readonly bytes: number };
  /** Wanted, and not here: no copy could be reached. */
  readonly missing: readonly PathProblem[];
  /** Left as they are, because they changed just then or something was in the way: they show as changes. */
  readonly conflicts: readonly PathProblem[];
}

const NOTHING = {
  applied: { renamed: 0, copied: 0, updated: 0, deleted: 0 },
  moved: [],
  changed: [],
  transferred: { files: 0, bytes: 0 },
  missing: [],
  conflicts: [],
} as const;

/**
 * Brings a folder without changes from its head's tree to that of a later commit: moves as moves, new contents from
 * where they are nearest, what goes into the safety net. A kill at any moment leaves a journal that the next command
 * finishes, the head included.
 * @throws BkError 'refused' (changes that are not committed, not a later commit, too many deletions), 'no-space', 'io'
 */
export async function advance(
  repo: Repository,
  to: GitId,
  options: AdvanceOptions,
  context: Context,
): Promise<Advanced> {
  if (options.dryRun !== true) repo.beginWriting();
  const { head } = repo;
  const reader = options.objects ?? repo.history;
  if (head !== undefined && isAncestor(reader, to, head)) {
    if (options.dryRun !== true) await sayAfterKill(repo, context);
    return { result: 'up-to-date', commit: head, ...NOTHING };
  }
  if (head !== undefined && !isAncestor(reader, head, to))
    throw new BkError('refused', 'refused: both sides have commits of their own', {
      hint: 'they have to be merged; nothing was changed',
    });
  const decision = await observeClean(repo, options.dryRun === true, context);
  const disk = new DiskState(repo, decision);
  try {
    return await follow({ repo, to, reader, disk, decision, options, context });
  } finally {
    disk.close();
  }
}

/**
 * One that was killed after its head had moved did not come to say what is here; where not everything is, an index that
 * was made anew since may take what it brought for absent.
 */
async function sayAfterKill(repo: Repository, context: Context): Promise<void> {
  if (publishPresence(repo, context) !== undefined && repo.index.absent.any)
    await observeClean(repo, false, context);
}

interface Following {
  readonly repo: Repository;
  readonly to: GitId;
  /** Knows the commit that is followed. */
  readonly reader: ObjectReader;
  readonly disk: DiskState;
  readonly decision: Decision;
  readonly options: AdvanceOptions;
  readonly context: Context;
}

async function follow(given: Following): Promise<Advanced> {
  const { repo, to, decision, options, context } = given;
  const change = changeOf(given);
  const touched = touches(pathsOf(change));
  refuseBusyProjects(repo, touched);
  if (options.dryRun !== true || options.ignoreChanges !== true) refuseUnlessClean(decision, touched);
  const wish = plan(given, change, (file) => ({ source: '', how: 'copy', ...contentOf(file) }));
  refuseAbsurd(given, wish);
  if (options.dryRun === true) {
    return { result: 'fast-forward', commit: to, ...NOTHING, ...planned(change, wish) };
  }
  const brought = await bringFirstFrom(repo, wish.needs.map(contentOf), options, context);
  const made = wish.needs.length === 0 ? wish : plan(given, change, (file) => sourceOf(brought, file));
  checkPlan(change, made, given.disk.isHere);
  if (options.objects !== undefined) write(repo, options.objects);
  const { results, end } = apply(given, change, made);
  repo.movedTo(to);
  await record(given, change, { plan: made, results });
  end?.();
  brought.forget();
  publishPresence(repo, context);
  return { ...told(to, { results, brought }, made), ...planned(change, made) };
}

function planned(
  change: HistoryChange,
  { applied, arrivals, deleted }: TreePlan,
): Pick<Advanced, 'applied' | 'moved' | 'changed'> {
  return { applied, moved: movedGroups(change, arrivals), changed: changesBesideMoves(arrivals, deleted) };
}

/** The folder compared with the head. What turned out to be as the head has it is vouched for from now on. */
async function observeClean(repo: Repository, dryRun: boolean, context: Context): Promise<Decision> {
  const pool = new Pool();
  const compared = compareWithHead(repo, { all: false, rehash: false, pool }, context);
  const decision = await compared.finally(() => pool.close());
  if (dryRun || decision.changes.length > 0) return decision;
  const entries = unchangedEntries(decision, repo);
  const isBack = ({ object }: (typeof entries)[number]): boolean =>
    object.kind === 'known' && object.tracked.absent === true;
  refreshIndex(repo, decision, { entries: entries.filter((entry) => !isBack(entry)) });
  const back = entries
    .filter(isBack)
    .flatMap(({ seen }) =>
      seen.type === 'dir' || seen.blake3 === undefined
        ? []
        : [{ ...seen, type: seen.type, blake3: seen.blake3 }],
    );
  if (back.length > 0) setPresent(repo, await lookAtPlaced(repo, back), context);
  return decision;
}

/** Makes new objects part of the history, durably. Nothing leads to them until the head moves. */
function write({ layout, history }: Repository, objects: Overlay): void {
  const writer = new PackWriter(layout.history, layout.staging, { reader: history });
  try {
    objects.writeTo(writer);
    writer.finish();
  } finally {
    writer.abort();
  }
  history.refresh();
}

function changeOf({ repo, to, reader, disk }: Following): HistoryChange {
  const { head } = repo;
  const after = reader.readCommit(to).tree;
  const before = head === undefined ? undefined : reader.readCommit(head).tree;
  const { mayContain } = treeSelector(reader, after, trustedSubset(repo));
  return treeChange(reader, before, after, { stateOf: disk.stateOf, holdsMore: disk.holdsMore, mayContain });
}

/** Of all that leaves, comes or moves. */
function* pathsOf({ before, after, moved }: HistoryChange): Generator<RepoPath> {
  for (const { path } of before.files) yield path;
  for (const { path } of after.files) yield path;
  for (const { from, to } of moved) yield* [from, to];
}

function plan(
  { repo, to, reader, disk }: Following,
  change: HistoryChange,
  contentOf: (file: FileAt) => PlacedContent | undefined,
): TreePlan {
  const { head } = repo;
  const subset = trustedSubset(repo);
  const { wants } = treeSelector(reader, reader.readCommit(to).tree, subset);
  const wanted =
    head === undefined ? () => false : treeSelector(reader, reader.readCommit(head).tree, subset).wants;
  const { isHere, holdsMore, expect } = disk;
  return planBetween(change, { isHere, holdsMore, expect, wants, wanted, contentOf });
}

function contentOf({ blake3, size }: FileAt): { readonly blake3: ContentHash; readonly size: number } {
  return { blake3, size };
}

/** Of empty files the record says all. */
function sourceOf(brought: Brought, file: FileAt): PlacedContent | undefined {
  return (
    brought.give(file.blake3) ??
    (file.size === 0 ? { source: '', how: 'copy', ...contentOf(file) } : undefined)
  );
}

/** By what is here: what is absent by design is not deleted here, and makes nothing seem little. */
function refuseAbsurd({ repo, options }: Following, { deleted, replaced }: TreePlan): void {
  if (options.allowMassDelete === true || options.dryRun === true) return;
  const trackedFiles = repo.index.presentFiles;
  const verdict = brake({ trackedFiles, deleted: deleted.length, replaced: replaced.length }, 'history');
  if (verdict.refuse) throw new BkError('refused', `refused: ${verdict.reason}`, { hint: verdict.hint });
}

function apply(
  { repo, to, options, context }: Following,
  change: HistoryChange,
  made: TreePlan,
): Omit<ApplyResult, 'stopped'> {
  if (made.absent.size > 0 && repo.config.subset === undefined) holdNotAll(repo, context);
  const leaving = change.before.files.filter(({ path }) => made.absent.has(path)).map(({ path }) => path);
  // Before their files go, so that a kill in between never looks like a deletion.
  if (leaving.length > 0) setAbsent(repo, leaving, context);
  let files = 0;
  let bytes = 0;
  const onFile = (size: number): void => {
    bytes += size;
    context.report({ phase: 'place', files: ++files, bytes });
  };
  const head = { ref: MAIN, from: repo.head ?? null, to };
  const { stopped, ...applied } = applyPlan(
    repo.layout,
    { verb: 'advance', steps: made.steps, head, placedFor: options.from[0]?.remote.name ?? 'bk' },
    { special: mayGiveSpecial(repo), onFile, tells: true },
  );
  if (stopped !== undefined) throw stopped;
  return applied;
}

/**
 * Where everything was here until now, and not all of what comes will be: said before the head moves, so that a kill
 * just then does not make what never came look deleted.
 */
function holdNotAll(repo: Repository, context: Context): void {
  const { head, history, index, layout } = repo;
  const writer = new PackWriter(layout.history, layout.staging, { reader: history });
  try {
    const tree = head === undefined ? writer.addTree([]) : history.readCommit(head).tree;
    const present = head === undefined ? tree : presentTree(tree, { history, index, put: new Map() }, writer);
    const made = addPresence(repo, { writer, present, signature: signatureOf(repo, context), whole: false });
    if (made === undefined) return;
    writer.finish();
    movePresence(repo, made);
    history.refresh();
    index.write({ presence: made.commit });
  } finally {
    writer.abort();
  }
}

async function record(
  { repo, to, disk, decision, context }: Following,
  change: HistoryChange,
  { plan: made, results }: { readonly plan: TreePlan; readonly results: readonly StepResult[] },
): Promise<void> {
  const { looked, failed } = await lookAtArrived(repo, made, results);
  const nowSec = Math.floor(context.nowMs() / 1000);
  const given = { repo, from: repo.index.head, to, change, plan: made, disk, looked, failed, nowSec };
  repo.index.write(advancedRows({ ...given, grainNs: decision.grainNs }));
}

function told(
  commit: GitId,
  done: { readonly results: readonly StepResult[]; readonly brought: Brought },
  plan: Pick<TreePlan, 'missing'>,
): Omit<Advanced, 'applied' | 'moved' | 'changed'> {
  const byPath = (a: { path: RepoPath }, b: { path: RepoPath }) => comparePaths(a.path, b.path);
  const bad = done.results.filter(({ outcome }) => outcome !== 'done');
  return {
    result: 'fast-forward',
    commit,
    transferred: done.brought.transferred,
    missing: plan.missing
      .map(({ path, blake3 }) => ({
        path,
        reason: done.brought.missing.get(blake3) ?? 'no copy can be reached',
      }))
      .sort(byPath),
    conflicts: [...new Map(bad.toReversed().map((one) => [one.step.path, leftAs(one)])).values()].sort(
      byPath,
    ),
  };
}

function leftAs({ step, path, outcome, reason = 'it could not be done' }: StepResult): PathProblem {
  const beside = outcome === 'done-otherwise' ? `; what came is beside it, as ${nameOf(path)}` : '';
  return { path: step.path, reason: `${reason}${beside}` };
}

/**
 * For others that push to us: contents have come already. A text says why it could not be done: it is no plain
 * fast-forward of a folder without changes.
 */
export async function advanceFromIncoming(
  repo: Repository,
  to: GitId,
  context: Context,
): Promise<string | { readonly left: readonly PathProblem[] }> {
  try {
    const { missing, conflicts } = await advance(repo, to, { from: [] }, context);
    return { left: [...missing, ...conflicts] };
  } catch (error) {
    if (error instanceof BkError && error.code === 'refused') return error.message;
    throw error;
  }
}
