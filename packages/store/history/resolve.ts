import { BkError, type GitId, type RevExpression, type RevStep } from '@bk/core';
import type { HistoryReader } from './reader.ts';

/** What a revision is resolved against. */
export interface RevContext {
  readonly reader: Pick<HistoryReader, 'readCommit' | 'resolve'>;
  /** Undefined before the first commit. */
  readonly head: GitId | undefined;
  /** Last known head of the remote of this name. */
  remote(name: string): GitId | undefined;
}

/**
 * The commit a revision means. A remote's name goes before the same letters as a commit id, a whole id before both.
 * @throws BkError 'not-found', or 'usage' if it begins several commits' ids
 */
export function resolveRev(rev: RevExpression, context: RevContext): GitId {
  let commit = resolveBase(rev, context);
  for (const step of rev.steps) commit = takeStep(commit, step, rev, context);
  return commit;
}

function resolveBase(rev: RevExpression, context: RevContext): GitId {
  const { base } = rev;
  switch (base.kind) {
    case 'head':
      return headOf(rev, context);
    case 'date':
      return commitBy(base.ms, rev, context);
    case 'name':
      return resolveName(base, rev, context);
    default:
      return base satisfies never;
  }
}

function headOf(rev: RevExpression, { head }: RevContext): GitId {
  if (head !== undefined) return head;
  throw notFound(rev, 'nothing was committed yet', 'make the first one with `bk commit`');
}

function resolveName(
  base: { name: string; prefix?: string },
  rev: RevExpression,
  context: RevContext,
): GitId {
  const { prefix } = base;
  const ids = prefix === undefined ? [] : context.reader.resolve(prefix);
  if (prefix?.length === 40 && ids[0] !== undefined) return ids[0];
  const head = context.remote(base.name);
  if (head !== undefined) return head;
  if (ids.length > 1) {
    const hint = `give more digits: ${ids.slice(0, 5).join(', ')}`;
    throw new BkError('usage', `not one revision: ${rev.text} begins the ids of ${ids.length} commits`, {
      hint,
    });
  }
  if (ids[0] !== undefined) return ids[0];
  throw notFound(
    rev,
    prefix === undefined ? 'no remote has this name' : 'no commit id begins so',
    'see `bk log`',
  );
}

function commitBy(ms: number, rev: RevExpression, context: RevContext): GitId {
  let id = headOf(rev, context);
  for (;;) {
    const commit = context.reader.readCommit(id);
    if (commit.committer.timeSec * 1000 <= ms) return id;
    const parent = commit.parents[0];
    if (parent === undefined) {
      const first = new Date(commit.committer.timeSec * 1000).toISOString();
      throw notFound(rev, `the first commit was made later, ${first}`, 'see `bk log`');
    }
    id = parent;
  }
}

function takeStep(start: GitId, step: RevStep, rev: RevExpression, context: RevContext): GitId {
  if (step.kind === 'parent') {
    if (step.number === 0) return start;
    return parentOf(start, step.number, rev, context);
  }
  let commit = start;
  for (let i = 0; i < step.generations; i++) commit = parentOf(commit, 1, rev, context);
  return commit;
}

function parentOf(id: GitId, number: number, rev: RevExpression, context: RevContext): GitId {
  const { parents } = context.reader.readCommit(id);
  const parent = parents[number - 1];
  if (parent !== undefined) return parent;
  const count =
    parents.length === 0
      ? 'no parent: it is the first'
      : `${parents.length} parent${parents.length === 1 ? '' : 's'}`;
  throw notFound(rev, `commit ${id.slice(0, 10)} has ${count}`, 'see `bk log`');
}

function notFound(rev: RevExpression, reason: string, hint: string): BkError {
  return new BkError('not-found', `no such revision ${rev.text}: ${reason}`, { hint });
}
