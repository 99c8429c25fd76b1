import type { GitId, PathProblem, RepoPath } from '@bk/core';
import type { RefResult, RefUpdate } from '@bk/remote';
import { isAncestor } from '@bk/store';
import { advanceFromIncoming } from './advance/advance.ts';
import type { Context } from './context.ts';
import { type Exchanged, type ExchangeOptions, reasonOf, withRemotes } from './exchange/exchange.ts';
import { commonCommit, type Lacking, lackingAt } from './exchange/lacking.ts';
import { lastPresence, packFor, presencesToSend, remoteHeadRef } from './exchange/refs.ts';
import { sendContents } from './exchange/send.ts';
import { fetchFrom } from './fetch.ts';
import type { OpenRemote, PeerOptions } from './peers/peers.ts';
import { publishPresence } from './presence/presence.ts';
import { MAIN, type Repository } from './repository.ts';

export interface PushOptions extends ExchangeOptions {
  readonly dryRun?: boolean;
}

export interface PushedRemote {
  readonly name: string;
  /** Where its `main` is in the end; null: nowhere. */
  readonly head: GitId | null;
  /** Whether its `main` and files were moved (in a dry run: may be). */
  readonly moved: boolean;
  /** How its head stood to the one here; absent: nothing is committed here. */
  readonly standing?: Standing;
  /** Why its head is not the one here, or why not all could be sent. */
  readonly reason?: string;
  /** It is at a git host, which never gets contents. */
  readonly historyOnly?: true;
  /** Contents that went over (in a dry run: would). */
  readonly sent: { readonly files: number; readonly bytes: number };
  /** What did not follow there, because something is in the way or no copy was within its reach: it shows as changes. */
  readonly left: readonly PathProblem[];
  readonly missing: readonly { readonly path: RepoPath; readonly reason: string }[];
}

export type PushResult = Exchanged<PushedRemote>;

/**
 * Sends history, presences, and the contents that a remote's subset wants; then moves its head and files, if that is a
 * plain fast-forward of a clean folder. @throws BkError 'usage' for an unknown name
 */
export async function push(repo: Repository, options: PushOptions, context: Context): Promise<PushResult> {
  if (options.dryRun !== true) sayWhatIsHere(repo, context);
  const ways: ExchangeOptions & PeerOptions = {
    ...options,
    moveMain: (there, _from, to) => advanceFromIncoming(there, to, context),
  };
  return withRemotes(repo, ways, context, (open) => pushTo(repo, open, options, context));
}

/** Others are told what is here now, by the presence that is sent with the history. */
function sayWhatIsHere(repo: Repository, context: Context): void {
  const mine = !repo.locked;
  repo.beginWriting();
  try {
    publishPresence(repo, context);
  } finally {
    if (mine) repo.endWriting();
  }
}

/** How its head stands to the one here. */
export type Standing = 'same' | 'behind' | 'ahead' | 'diverged' | 'unknown';

interface Plan {
  readonly standing: Standing;
  /** The newest commit that both have. */
  readonly common: GitId | undefined;
  readonly ours: GitId;
  readonly theirs: GitId | undefined;
  readonly lacking: readonly Lacking[];
}

async function pushTo(
  repo: Repository,
  open: OpenRemote,
  { dryRun = false }: PushOptions,
  context: Context,
): Promise<PushedRemote> {
  const nothing = { ...nothingSent(open), head: open.facts.head ?? null };
  if (repo.head === undefined) return { ...nothing, reason: 'nothing is committed here yet' };
  try {
    const plan = dryRun ? planFor(repo, open, repo.head) : await agreed(repo, open, context);
    if (dryRun) return planned(plan, nothing);
    return await send(repo, open, plan, context);
  } catch (error) {
    return { ...nothing, reason: reasonOf(error) };
  }
}

function nothingSent({ remote: { name }, facts: { historyOnly } }: OpenRemote) {
  const what = { sent: { files: 0, bytes: 0 }, left: [], missing: [] };
  return { name, moved: false, ...what, ...(historyOnly && { historyOnly }) };
}

/** Learns first what the remote has, so that both know the same. */
async function agreed(repo: Repository, open: OpenRemote, context: Context): Promise<Plan> {
  await fetchFrom(repo, open, context);
  return planFor(repo, { ...open, facts: await open.peer.facts() }, repo.head!);
}

function planFor(repo: Repository, { facts }: OpenRemote, ours: GitId): Plan {
  const { history } = repo;
  const theirs = facts.head;
  const standing = standingOf(repo, ours, theirs);
  if (standing !== 'behind' && standing !== 'diverged')
    return { standing, common: undefined, ours, theirs, lacking: [] };
  const common = theirs === undefined ? undefined : commonCommit(history, ours, theirs);
  if (facts.historyOnly) return { standing, common, ours, theirs, lacking: [] };
  const said = lastPresence(repo, facts.id);
  const present =
    said === undefined && theirs !== undefined ? history.readCommit(theirs).tree : said?.present;
  const lacking = lackingAt(repo, ours, { common, present, subset: facts.subset });
  return { standing, common, ours, theirs, lacking };
}

function standingOf({ history }: Repository, ours: GitId, theirs: GitId | undefined): Standing {
  if (theirs === ours) return 'same';
  if (theirs === undefined) return 'behind';
  if (!history.has(theirs)) return 'unknown';
  if (isAncestor(history, theirs, ours)) return 'behind';
  return isAncestor(history, ours, theirs) ? 'ahead' : 'diverged';
}

function planned(plan: Plan, nothing: PushedRemote): PushedRemote {
  const { standing, ours, lacking } = plan;
  const bytes = lacking.reduce((sum, { size }) => sum + size, 0);
  const told = { ...nothing, standing, sent: { files: lacking.length, bytes } };
  if (standing === 'behind') return { ...told, head: ours, moved: true };
  return { ...told, ...withReason(apart(plan, told.name)) };
}

/** Why it cannot simply follow; undefined: it need not, or can. */
function apart({ standing, common }: Plan, name: string): string | undefined {
  if (standing === 'unknown') return 'it has commits that are not known here: `bk fetch` brings them';
  if (standing !== 'diverged') return undefined;
  const merge = `\`bk merge ${name}\``;
  if (common === undefined)
    return `the two histories have nothing in common: ${merge} makes one collection of both`;
  return `both have commits of their own since ${common.slice(0, 10)}: ${merge} first`;
}

function withReason(reason: string | undefined): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

async function send(repo: Repository, open: OpenRemote, plan: Plan, context: Context): Promise<PushedRemote> {
  const { remote, peer, facts } = open;
  const { standing, ours, theirs } = plan;
  await sendRefs(repo, open, plan);
  const { sent, missing, full } = await sendContents(repo, peer, plan.lacking, context);
  const result = { ...nothingSent(open), head: theirs ?? null, standing, sent, missing };
  if (full) return { ...result, reason: 'there is no space left there' };
  if (standing === 'same' && facts.historyOnly !== true) await settle(repo, open, ours, context);
  if (standing !== 'behind') return { ...result, ...withReason(apart(plan, remote.name)) };
  const update = { name: MAIN, next: ours, ...(theirs !== undefined && { expected: theirs }) };
  const [main] = await peer.sendPack(packFor(repo.history, [ours], await havesOf(open)), [update]);
  // Its presence says by now what it holds, and how it stands is known here at once.
  await fetchFrom(repo, open, context);
  if (main?.moved === true) return { ...result, head: ours, moved: true, left: main.left ?? [] };
  return { ...result, reason: whyNot(main) };
}

/** A move there that was interrupted after its head had followed may have left its presence behind. */
async function settle(repo: Repository, open: OpenRemote, head: GitId, context: Context): Promise<void> {
  const { peer, facts } = open;
  if (lastPresence(repo, facts.id)?.present === repo.history.readCommit(head).tree) return;
  await peer.sendPack(undefined, [{ name: MAIN, expected: head, next: head }]);
  await fetchFrom(repo, open, context);
}

/** Presences, and the head here under the name that this repository has there. */
async function sendRefs(repo: Repository, open: OpenRemote, { ours }: Plan): Promise<void> {
  const { peer, facts } = open;
  const theirs = new Map((await peer.refs()).map(({ name, id }) => [name, id]));
  const updates: RefUpdate[] = presencesToSend(repo, theirs, facts.id);
  if (facts.knownAs !== undefined) {
    const name = remoteHeadRef(facts.knownAs);
    const expected = theirs.get(name);
    const isNew =
      expected === undefined || (repo.history.has(expected) && isAncestor(repo.history, expected, ours));
    if (isNew && expected !== ours)
      updates.push({ name, next: ours, ...(expected !== undefined && { expected }) });
  }
  if (updates.length === 0) return;
  const wants = updates.map(({ next }) => next);
  await peer.sendPack(packFor(repo.history, wants, [...theirs.values()]), updates);
}

async function havesOf({ peer }: OpenRemote): Promise<GitId[]> {
  return (await peer.refs()).map(({ id }) => id);
}

function whyNot(main: RefResult | undefined): string {
  switch (main?.reason) {
    case 'moved-meanwhile':
      return 'its head was moved meanwhile: give the command again';
    case 'needs-merge':
      return main.detail?.replace(/^refused: /, '') ?? 'it has to follow by itself: give `bk sync` there';
    default:
      return main?.detail ?? 'it did not take the new head';
  }
}
