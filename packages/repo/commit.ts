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
} from '@bk/core';
import { PackWriter, type Signature, updateRef } from '@bk/store';
import { BUSY } from '@bk/worktree';
import type { Context } from './context.ts';
import { type Effect, editTree, effectOf } from './history/edit-tree.ts';
import { idSource, type Recorded, recordsOf, writeRecords } from './history/records.ts';
import { signatureOf } from './history/signature.ts';
import { type Written, writeTrees } from './history/trees.ts';
import { indexUpdate, type UpdateOfIndex } from './index/record-index.ts';
import { compareWithHead } from './observe/compare.ts';
import type { Decision } from './observe/decide.ts';
import { type Found, foundOf, protectionOf } from './observe/draft.ts';
import { Pool } from './observe/pool.ts';
import { linksAway } from './presence/absent-links.ts';
import { addPresence, movePresence, type NewPresence } from './presence/presence.ts';
import { presentTree } from './presence/present-tree.ts';
import { type Chosen, choose, withoutBusy } from './recover/choose.ts';
import { MAIN, type Repository } from './repository.ts';
import type { Contents } from './safety/contents.ts';
import { isProtected, type Keep, NetExtension } from './safety/net.ts';
import { releaseDeparted } from './safety/release.ts';

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
  /** Media in it that are broken, or are none: only that is recorded of them. */
  readonly unparsed: readonly PathProblem[];
  /** Files whose contents the safety net could not take. */
  readonly unprotected: number;
  /** Earlier contents that were written over in place: the net's links could not keep them (rule 10). */
  readonly overwritten: number;
}

/** Records the state of the folder: observe and decide as status does, extend the net, then pack, ref and index. */
export async function commit(
  repo: Repository,
  options: CommitOptions,
  context: Context,
): Promise<CommitResult> {
  if (options.dryRun !== true) repo.beginWriting();
  const pool = new Pool();
  try {
    const net = new NetExtension(repo, { pool, report: context.report });
    // Where there are only additions, nothing can be refused or left out: the net is extended while files are read.
    const early = options.dryRun !== true && (options.paths ?? []).length === 0;
    const onAdded = (batch: readonly Found[], { hashes }: Contents) => net.add(newContents(batch, hashes));
    const decision = await compareWithHead(
      repo,
      { all: true, rehash: false, pool, ...(early && { onAdded }) },
      context,
    );
    const chosen = choose(decision, options.paths);
    refuseAbsurd(repo, chosen, options);
    const parents = repo.head === undefined ? [] : [repo.head];
    const policy = await deletionPolicy(chosen.changes.filter(isDeletion), options);
    const given = { repo, decision, chosen, policy, options, context, net };
    const made =
      options.dryRun === true
        ? { commit: null, unprotected: 0, overwritten: 0, changes: chosen.changes, busy: [] }
        : await record(given);
    const deletions = made.changes.filter(isDeletion).length;
    return {
      commit: made.commit,
      parents,
      changes: made.changes,
      summary: summaryOf(made.changes),
      deletions: {
        confirmed: policy === 'confirmed' ? deletions : 0,
        kept: policy === 'kept' ? deletions : 0,
      },
      unreadable: [...decision.unreadable, ...made.busy],
      skipped: decision.skipped,
      unparsed: unparsed(decision, chosen),
      unprotected: made.unprotected,
      overwritten: made.overwritten,
    };
  } finally {
    pool.close();
  }
}

/** Of the contents that were read for this commit. */
function unparsed({ contents }: Decision, { entries }: Chosen): PathProblem[] {
  return entries.flatMap(({ seen: { path } }) => {
    const reason = contents.facts.get(path)?.media['error'];
    return typeof reason === 'string' ? [{ path, reason }] : [];
  });
}

function isDeletion({ type }: Change): boolean {
  return type === 'deleted';
}

function refuseAbsurd(repo: Repository, { changes }: Chosen, options: CommitOptions): void {
  if (options.allowMassDelete === true || options.dryRun === true) return;
  const deleted = changes.filter(({ type, blake3 }) => type === 'deleted' && blake3 !== undefined).length;
  const replaced = changes.filter(
    ({ type, fields }) => type === 'typechange' || fields?.includes('content'),
  ).length;
  // What is absent by design cannot be deleted here: it does not count.
  const verdict = brake({ trackedFiles: repo.index.presentFiles, deleted, replaced });
  if (verdict.refuse) throw new BkError('refused', `refused: ${verdict.reason}`, { hint: verdict.hint });
}

async function deletionPolicy(
  deleted: readonly Change[],
  options: CommitOptions,
): Promise<DeletionPolicy | undefined> {
  if (deleted.length === 0) return undefined;
  if (options.deletions !== undefined || options.dryRun === true) return options.deletions ?? 'kept';
  return (await options.confirm?.(deleted)) ?? 'kept';
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
    const overwritten = before?.blake3 === undefined || sameContent ? {} : { overwritten: before.blake3 };
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
  readonly overwritten: number;
  readonly changes: readonly Change[];
  /** Files that were written to after they had been hashed, and what waits for their places: they are not in the commit. */
  readonly busy: readonly PathProblem[];
}

/** Safety net, pack, refs, index: what makes the commit visible comes after all that it needs. */
async function record(given: RecordOptions): Promise<Made> {
  const { repo, decision, context, net } = given;
  const writer = new PackWriter(repo.layout.history, repo.layout.staging, { reader: repo.history });
  try {
    net.add(keepsOf(given.chosen.entries));
    const [extended, whole] = await both(net.finish(), writeAll(given, writer));
    const { chosen, waiting } = withoutBusy(given.chosen, new Set(extended.changed));
    const among = isOneOf([...chosen.entries, ...chosen.around.entries]);
    const { trees, effect } =
      chosen === given.chosen ? whole : growTrees(whole.recorded.filter(among), { ...given, chosen }, writer);
    const parent = repo.head === undefined ? undefined : repo.history.readCommit(repo.head).tree;
    const signature = signatureOf(repo, context);
    const made =
      trees.root === parent
        ? undefined
        : writeCommit({ ...given, chosen }, writer, { tree: trees.root!, signature });
    const summary = {
      ...effect,
      written: trees.written,
      extended,
      commit: made,
      confirmed: given.policy === 'confirmed',
    };
    const { update, unprotected } = indexUpdate(repo, decision, summary);
    const presence = presenceOf(repo, { update, trees, writer, signature });
    if (made !== undefined || presence !== undefined) publish(repo, writer, { made, presence });
    repo.index.write({ ...update, presence: presence?.commit });
    releaseDeparted(repo, context);
    const busy = extended.changed.map((path) => ({ path, reason: BUSY }));
    const waits = waiting.map((path) => ({ path, reason: 'waits for a file that is changing' }));
    const { overwritten } = extended;
    return {
      commit: made?.id ?? null,
      unprotected,
      overwritten,
      changes: chosen.changes,
      busy: [...busy, ...waits],
    };
  } finally {
    writer.abort();
  }
}

interface Grown {
  readonly recorded: readonly Recorded[];
  readonly trees: ReturnType<typeof writeTrees>;
  readonly effect: Effect;
}

/** Records and trees as they are if no file is busy: they need nothing of the net, which is extended meanwhile. */
async function writeAll(given: RecordOptions, writer: PackWriter): Promise<Grown> {
  const { repo, chosen, decision, context } = given;
  const entries = [...chosen.entries, ...chosen.around.entries];
  const records = recordsOf(entries, decision, {
    ...{ history: repo.history, newId: idSource(context), linksAway: linksAway(repo) },
  });
  return growTrees(await writeRecords(records, writer), given, writer);
}

function growTrees(
  recorded: readonly Recorded[],
  { repo, chosen, decision }: RecordOptions,
  writer: PackWriter,
): Grown {
  const { history, head } = repo;
  const parent = head === undefined ? undefined : history.readCommit(head).tree;
  const trees = writeTrees(editTree(recorded, chosen, decision), { reader: history, writer, root: parent });
  return { recorded, trees, effect: effectOf(recorded, chosen, trees) };
}

/** Both have ended when this does, also if one failed: nothing goes on behind the back of who cleans up. */
async function both<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}

function isOneOf(entries: readonly IdentifiedEntry[]): (recorded: Recorded) => boolean {
  const among = new Set(entries);
  return ({ entry }) => among.has(entry);
}

interface MadeCommit {
  readonly id: GitId;
  readonly timeSec: number;
}

/** What is here once this is committed goes into the same pack; undefined: it was said before. */
function presenceOf(
  repo: Repository,
  given: {
    readonly update: UpdateOfIndex;
    readonly trees: Written;
    readonly writer: PackWriter;
    readonly signature: Signature;
  },
): NewPresence | undefined {
  const { update, trees, writer, signature } = given;
  if (trees.root === undefined) return undefined;
  const written = new Map(trees.written.map(({ path, entries }) => [path, entries]));
  const sources = { ...update, history: repo.history, index: repo.index, written };
  const present = presentTree(trees.root, sources, writer);
  return addPresence(repo, { writer, present, signature, whole: present === trees.root });
}

/** Makes the commit durable, then the head, then the presence. */
function publish(
  repo: Repository,
  writer: PackWriter,
  { made, presence }: { readonly made: MadeCommit | undefined; readonly presence: NewPresence | undefined },
): void {
  writer.finish();
  if (made !== undefined) {
    updateRef(repo.layout.history, MAIN, repo.head, made.id, { exclusive: true });
    repo.movedTo(made.id);
  }
  if (presence !== undefined) movePresence(repo, presence);
  repo.history.refresh();
}

function writeCommit(
  { repo, chosen, policy, options }: RecordOptions,
  writer: PackWriter,
  { tree, signature }: { readonly tree: GitId; readonly signature: Signature },
): MadeCommit {
  const message = formatCommitMessage({
    message: options.message ?? '',
    repository: { id: repo.config.id, name: repo.config.name },
    deletions: chosen.changes.some(isDeletion) ? policy : undefined,
  });
  const parents = repo.head === undefined ? [] : [repo.head];
  const id = writer.addCommit({ tree, parents, author: signature, committer: signature, message });
  return { id, timeSec: signature.timeSec };
}
