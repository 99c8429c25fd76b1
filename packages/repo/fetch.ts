import { type GitId, repositoryOfRef } from '@bk/core';
import { isAncestor, readRef, updateRef } from '@bk/store';
import type { Context } from './context.ts';
import { type Exchanged, type ExchangeOptions, reasonOf, withRemotes } from './exchange/exchange.ts';
import { bringLines, type Line, newLines, presenceAt, remoteHeadRef } from './exchange/refs.ts';
import { takeBack } from './peers/lost.ts';
import type { OpenRemote } from './peers/peers.ts';
import { introduce } from './presence/presence.ts';
import type { Repository } from './repository.ts';

/** What is newly known of a repository, or why what a remote says of it is not believed. */
export interface FetchedPresence {
  /** UUID. */
  readonly id: string;
  readonly name: string | null;
  readonly moved: boolean;
  readonly reason?: string;
}

export interface FetchedRemote {
  readonly name: string;
  /** Its head as it is known here now, and as it was before; null: none. */
  readonly head: GitId | null;
  readonly before: GitId | null;
  readonly moved: boolean;
  /** Its head does not come after the one that was known; that one is kept as a ref of its own. */
  readonly rewritten?: true;
  /** Only those with news. */
  readonly presences: readonly FetchedPresence[];
  /** Why not all could be had. */
  readonly reason?: string;
}

export type FetchResult = Exchanged<FetchedRemote>;

/** Brings histories and presences of remotes here; never touches `main` or files. @throws BkError 'usage' for an unknown name */
export function fetch(repo: Repository, options: ExchangeOptions, context: Context): Promise<FetchResult> {
  return withRemotes(repo, options, context, (open) => fetchFrom(repo, open, context));
}

/** The same for one that is open. Nothing new: nothing is written. */
export async function fetchFrom(
  repo: Repository,
  { remote, peer, facts }: OpenRemote,
  context: Context,
): Promise<FetchedRemote> {
  const find = () => newLines(repo, remote.name, peer, facts.id);
  const before = readRef(repo.layout.history, remoteHeadRef(remote.name)) ?? null;
  const still = { name: remote.name, head: before, before, moved: false, presences: [] };
  const mine = !repo.locked;
  try {
    introduce(repo, context);
    if ((await find()).length === 0) return still;
    repo.beginWriting();
    const lines = await find();
    const refused = await bringLines(repo, peer, lines, context);
    const told = lines.map((line) => ({ line, ...settle(repo, line, refused.get(line.name), facts.id) }));
    takeBack(repo);
    return fetched(repo, remote.name, told);
  } catch (error) {
    return { ...still, reason: reasonOf(error) };
  } finally {
    if (mine) repo.endWriting();
  }
}

interface Settled {
  readonly line: Line;
  readonly moved: boolean;
  readonly reason?: string;
  readonly rewritten?: true;
}

/** Moves the ref of a line, if it may: a presence is a chain that only grows. */
function settle(
  { layout, history }: Repository,
  { name, id, before, repository }: Line,
  refused: string | undefined,
  peer: string,
): Omit<Settled, 'line'> {
  if (refused !== undefined) return { moved: false, reason: refused };
  const follows = before === undefined || isAncestor(history, before, id);
  if (repository !== undefined && !follows) {
    const isOlder = isAncestor(history, id, before);
    if (isOlder && repository !== peer) return { moved: false };
    const reason = isOlder
      ? 'it says less than was known of it already: it may have been put back from a backup'
      : 'it does not go on from what was known of it: two repositories may be using one id';
    return { moved: false, reason };
  }
  if (!follows) keep(layout.history, name, before);
  updateRef(layout.history, name, before, id, { exclusive: true });
  return { moved: true, ...(!follows && { rewritten: true }) };
}

/** A head that nothing else may lead to any more stays within reach. */
function keep(history: string, name: string, head: GitId): void {
  const former = `${name.replace(/\/main$/, '')}/former/${head.slice(0, 10)}`;
  if (readRef(history, former) === undefined)
    updateRef(history, former, undefined, head, { exclusive: true });
}

function fetched(repo: Repository, name: string, settled: readonly Settled[]): FetchedRemote {
  const presences: FetchedPresence[] = [];
  let head: Settled | undefined;
  for (const one of settled) {
    const { line, moved, reason } = one;
    const id = repositoryOfRef(line.name);
    if (id === undefined) head = one;
    else if (moved || reason !== undefined) {
      const at = readRef(repo.layout.history, line.name);
      const named = at === undefined ? undefined : presenceAt(repo.history, at, id)?.facts.name;
      presences.push({ id, name: named ?? null, moved, ...(reason !== undefined && { reason }) });
    }
  }
  const now = readRef(repo.layout.history, remoteHeadRef(name)) ?? null;
  return {
    name,
    head: now,
    before: head === undefined ? now : (head.line.before ?? null),
    moved: head?.moved ?? false,
    ...(head?.rewritten && { rewritten: true }),
    presences: presences.sort((a, b) => (a.id < b.id ? -1 : 1)),
    ...(head?.reason !== undefined && { reason: head.reason }),
  };
}
