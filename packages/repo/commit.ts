import {
  BkError,
  brake,
  type Change,
  type ChangeSummary,
  type ContentHash,
  type DeletionPolicy,
  formatCommitMessage,
  type GitId,
  type IdentifiedEntry,
  type PathProblem,
  type RepoPath,
  summaryOf,
  type TrackedEntry,
} from '@bk/core';
import { PackWriter, updateRef } from '@bk/store';
import { BUSY } from '@bk/worktree';
import type { Context } from './context.ts';
import { compareWithHead, pathFilter } from './compare.ts';
import type { Decision } from './decide.ts';
import { foundOf } from './decide.ts';
import type { Contents } from './contents.ts';
import { type Found, protectionOf } from './draft.ts';
import { isProtected, type Keep, NetExtension } from './net.ts';
import { Pool } from './pool.ts';
import { idSource, type Recorded, recordsOf, writeRecords } from './records.ts';
import { releaseDeparted } from './release.ts';
import { MAIN, type Repository } from './repository.ts';
import { indexUpdate } from './record-index.ts';
import { signatureOf } from './signature.ts';
import { TreeEdits, writeTrees } from './trees.ts';

export interface CommitOptions {
  readonly message?: string;
  /** Only what is at or below these; none: everything. */
  readonly paths?: readonly RepoPath[];
  /** What becomes of deletions in the safety net; absent: `confirm` is asked, else they are kept. */
  readonly deletions?: DeletionPolicy;
  readonly confirm?: (deleted: readonly Change[]) => Promise<DeletionPolicy>;
  readonly allowMassDelete?: boolean;
  readonly dryRun?: boolean;
}

export interface CommitResult {
  /** Null: nothing had changed, or a dry run. */
  readonly commit: GitId | null;
  readonly parents: readonly GitId[];
  readonly changes: readonly Change[];
  readonly summary: ChangeSummary;
  readonly deletions: { readonly confirmed: number; readonly kept: number };
  readonly unreadable: readonly PathProblem[];
  readonly skipped: readonly PathProblem[];
  /** Files whose contents the safety net could not take. */
  readonly unprotected: number;
}

/** Records the state of the folder: observe and decide as status does, extend the net, then pack, ref and index. */
export async function commit(repo: Repository, options: CommitOptions, context: Context): Promise<CommitResult> {
  if (options.dryRun !== true) repo.beginWriting();
  const pool = new Pool();
  try {
    const net = new NetExtension(repo, { pool, report: context.report });
    // Where there are only additions, nothing can be refused or left out: the net is extended while files are read.
    const early = options.dryRun !== true && (options.paths ?? []).length === 0;
    const onAdded = (batch: readonly Found[], { hashes }: Contents) => net.add(newContents(batch, hashes));
    const decision = await compareWithHead(repo, { all: true, rehash: false, pool, ...(early && { onAdded }) }, context);
    const chosen = choose(decision, options.paths);
    refuseAbsurd(repo, chosen, options);
    const parents = repo.head === undefined ? [] : [repo.head];
    const deleted = chosen.changes.filter(({ type }) => type === 'deleted');
    const policy = await deletionPolicy(deleted, options);
    const report = {
      parents,
      changes: chosen.changes,
      summary: summaryOf(chosen.changes),
      deletions: countDeletions(deleted.length, policy),
      unreadable: decision.unreadable,
      skipped: decision.skipped,
    };
    if (options.dryRun === true) return { commit: null, ...report, unprotected: 0 };
    const made = await record({ repo, decision, chosen, policy, options, context, net });
    const busy = made.changed.map((path) => ({ path, reason: BUSY }));
    return { commit: made.commit, ...report, unreadable: [...report.unreadable, ...busy], unprotected: made.unprotected };
  } finally {
    pool.close();
  }
}

/** The part of a decision that goes into the commit. */
export interface Chosen {
  readonly changes: readonly Change[];
  readonly entries: readonly IdentifiedEntry[];
  readonly deleted: readonly TrackedEntry[];
}

function choose(decision: Decision, paths: readonly RepoPath[] | undefined): Chosen {
  const within = pathFilter(paths);
  const { entries, deleted } = decision.identified;
  return {
    changes: decision.changes.filter(within),
    entries: entries.filter(({ seen, object }) => within(object.kind === 'known' ? { path: seen.path, from: object.tracked.path } : seen)),
    deleted: deleted.filter(within),
  };
}

function refuseAbsurd(repo: Repository, { changes }: Chosen, options: CommitOptions): void {
  if (options.allowMassDelete === true || options.dryRun === true) return;
  const deleted = changes.filter(({ type }) => type === 'deleted').length;
  const replaced = changes.filter(({ type, fields }) => type === 'typechange' || fields?.includes('content')).length;
  const verdict = brake({ trackedFiles: repo.index.files, deleted, replaced });
  if (verdict.refuse) throw new BkError('refused', `refused: ${verdict.reason}`, { hint: verdict.hint });
}

async function deletionPolicy(deleted: readonly Change[], options: CommitOptions): Promise<DeletionPolicy | undefined> {
  if (deleted.length === 0) return undefined;
  if (options.deletions !== undefined || options.dryRun === true) return options.deletions ?? 'kept';
  return (await options.confirm?.(deleted)) ?? 'kept';
}

function countDeletions(count: number, policy: DeletionPolicy | undefined): CommitResult['deletions'] {
  return { confirmed: policy === 'confirmed' ? count : 0, kept: policy === 'kept' ? count : 0 };
}

/** Contents that the net does not hold yet: new ones, and known ones on an inode that was not linked. */
export function keepsOf(entries: readonly IdentifiedEntry[]): Keep[] {
  const keeps: Keep[] = [];
  for (const entry of entries) {
    const { seen, object } = entry;
    if (seen.type !== 'file' || seen.blake3 === undefined) continue;
    const before = object.kind === 'known' ? object.tracked : undefined;
    const sameInode = before !== undefined && before.inode === seen.inode && before.inode !== 0n;
    const sameContent = before?.blake3 === seen.blake3;
    if (sameInode && sameContent && isProtected(protectionOf(before))) continue;
    const overwritten = sameInode && !sameContent ? { overwritten: before.blake3 as ContentHash } : {};
    keeps.push({ found: foundOf(entry), size: seen.size, blake3: seen.blake3, ...overwritten });
  }
  return keeps;
}

function newContents(batch: readonly Found[], hashes: ReadonlyMap<RepoPath, ContentHash>): Keep[] {
  return batch.flatMap((found) => {
    const blake3 = hashes.get(found.path);
    return found.type !== 'file' || blake3 === undefined ? [] : [{ found, size: found.size, blake3 }];
  });
}

interface RecordOptions {
  readonly repo: Repository;
  readonly decision: Decision;
  readonly chosen: Chosen;
  readonly policy: DeletionPolicy | undefined;
  readonly options: CommitOptions;
  readonly context: Context;
  readonly net: NetExtension;
}

interface Made {
  readonly commit: GitId | null;
  readonly unprotected: number;
  /** Files that were written to after they had been hashed: they are not in the commit. */
  readonly changed: readonly RepoPath[];
}

/** Safety net, pack, ref, index: what makes the commit visible comes after all that it needs. */
async function record(given: RecordOptions): Promise<Made> {
  const { repo, decision, chosen, context, net } = given;
  const { history } = repo;
  const writer = new PackWriter(repo.layout.history, repo.layout.staging, { reader: history });
  try {
    net.add(keepsOf(chosen.entries));
    const [extended, all] = await Promise.all([
      net.finish(),
      writeRecords(recordsOf(chosen.entries, decision, { history, newId: idSource(context) }), writer),
    ]);
    const changed = new Set(extended.changed);
    const recorded = changed.size === 0 ? all : all.filter(({ entry }) => !changed.has(entry.seen.path));
    const edits = editTree(recorded, chosen.deleted);
    const parent = repo.head === undefined ? undefined : history.readCommit(repo.head);
    const { root, written } = writeTrees(edits, { reader: history, writer, root: parent?.tree });
    const made = edits.isEmpty || root === parent?.tree ? undefined : publish(given, writer, root!);
    const summary = { recorded, written, extended, deleted: chosen.deleted, commit: made, confirmed: given.policy === 'confirmed' };
    const { update, unprotected } = indexUpdate(repo, decision, summary);
    repo.index.write(update);
    releaseDeparted(repo, context);
    return { commit: made?.id ?? null, unprotected, changed: extended.changed };
  } finally {
    writer.abort();
  }
}

/** Makes the commit durable, then the head. */
function publish(given: RecordOptions, writer: PackWriter, tree: GitId): { id: GitId; timeSec: number } {
  const { repo } = given;
  const made = writeCommit(given, writer, tree);
  writer.finish();
  updateRef(repo.layout.history, MAIN, repo.head, made.id, { exclusive: true });
  repo.movedTo(made.id);
  repo.history.refresh();
  return made;
}

function writeCommit({ repo, policy, options, context }: RecordOptions, writer: PackWriter, tree: GitId): { id: GitId; timeSec: number } {
  const signature = signatureOf(repo, context);
  const message = formatCommitMessage({
    message: options.message ?? '',
    repository: { id: repo.config.id, name: repo.config.name },
    deletions: policy,
  });
  const parents = repo.head === undefined ? [] : [repo.head];
  const id = writer.addCommit({ tree, parents, author: signature, committer: signature, message });
  return { id, timeSec: signature.timeSec };
}

/** Every entry goes to its path; an object that moved leaves its old one, unless something else is there now. */
function editTree(recorded: readonly Recorded[], deleted: readonly TrackedEntry[]): TreeEdits {
  const edits = new TreeEdits();
  for (const tracked of deleted) remove(edits, tracked);
  for (const { entry } of recorded) {
    const { object, seen } = entry;
    if (object.kind === 'known' && object.tracked.path !== seen.path) remove(edits, object.tracked);
  }
  for (const { entry, record } of recorded) {
    const known = entry.object.kind === 'known' ? entry.object.tracked : undefined;
    if (record === known?.record && known.path === entry.seen.path) continue;
    if (entry.seen.type === 'dir') edits.setFolder(entry.seen.path, record);
    else edits.set(entry.seen.path, record);
  }
  return edits;
}

function remove(edits: TreeEdits, tracked: TrackedEntry): void {
  if (tracked.type === 'dir') edits.setFolder(tracked.path, null);
  else edits.set(tracked.path, null);
}
