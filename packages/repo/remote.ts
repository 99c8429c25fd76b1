import path from 'node:path';
import { BkError, type GitId, type RepositoryFacts, type Subset } from '@bk/core';
import { type Facts, parseAddress } from '@bk/remote';
import {
  checkedRemoteName,
  deleteRef,
  type HistoryReader,
  listRefs,
  readRef,
  withLost,
  withoutRemote,
  withRemote,
} from '@bk/store';
import type { Context } from './context.ts';
import { type LostMark, lostFrom, lostMark, lostSince, markOf } from './peers/lost.ts';
import { lastSeenNow, openAddress, openRemote, type Remote, remoteNamed, remotesOf } from './peers/peers.ts';
import { presences } from './presence/presence.ts';
import type { Repository } from './repository.ts';
import { doomedOf, type LostRepository, lostStrangers } from './safety/give-up.ts';

export type RemoteOptions =
  | { readonly do: 'list' }
  /** @param directory absolute: what a relative path is relative to */
  | { readonly do: 'add'; readonly name: string; readonly address: string; readonly directory: string }
  /** @param lost its disk is gone for good: nothing counts on it any more, remote or not */
  | { readonly do: 'remove'; readonly name: string; readonly lost?: boolean }
  | { readonly do: 'show'; readonly name: string };

export interface RemoteResult {
  readonly remotes: readonly RemoteValue[];
  /** Of `list`: given up, and no remotes; absent: none. */
  readonly lost?: readonly LostRepository[];
}

export interface RemoteValue extends Partial<LostMark> {
  readonly name: string;
  /** Null: it was given up, and is not known as a remote. */
  readonly address: string | null;
  /** Null: never reached yet. */
  readonly id: string | null;
  readonly lastSeen: string | null;
  /** Of `add` and `show`: whether it could be reached now. */
  readonly reachable?: boolean;
  /** Why not. */
  readonly reason?: string;
  /** Of `show`; null: not known. */
  readonly about?: RemoteAbout | null;
  /** Of `remove` with `lost`: others on the same volume that go on counting; absent: none. */
  readonly sameVolume?: readonly { readonly id: string; readonly name: string }[];
}

/** What is known of a remote: what it says now, or what it said last. */
export interface RemoteAbout {
  /** The name that it has for itself. */
  readonly name: string;
  readonly volume: string;
  readonly subset: Subset;
  /** It is at a git host, which keeps no contents. */
  readonly historyOnly?: true;
  /** Null: it has no commit, or none that is known. */
  readonly head: GitId | null;
  /** Commits there that are not here, and here that are not there; null: its history was not fetched yet. */
  readonly ahead: number | null;
  readonly behind: number | null;
  /** Bytes; null: it is not reachable. */
  readonly freeBytes: number | null;
}

/**
 * Lists, adds, removes or shows remotes; the result holds those that it was about. One that is removed as lost does not
 * count as a copy of anything until it says that all was verified there since.
 * @throws BkError 'usage' for a name or address that is none, 'refused' for this repository itself and for what is known already
 */
export async function remote(
  repo: Repository,
  options: RemoteOptions,
  context: Context,
): Promise<RemoteResult> {
  switch (options.do) {
    case 'list':
      return list(repo);
    case 'add':
      return { remotes: [await add(repo, options, context)] };
    case 'remove':
      return { remotes: [options.lost ? giveUp(repo, options.name, context) : remove(repo, options.name)] };
    case 'show':
      return { remotes: [await show(repo, options.name, context)] };
    default:
      return options satisfies never;
  }
}

function list(repo: Repository): RemoteResult {
  const lost = lostStrangers(repo);
  return { remotes: remotesOf(repo).map((each) => plain(repo, each)), ...(lost.length > 0 && { lost }) };
}

async function add(
  repo: Repository,
  { name, address, directory }: Extract<RemoteOptions, { do: 'add' }>,
  context: Context,
): Promise<RemoteValue> {
  checkedRemoteName(name);
  const wanted = { name, address: storedAddress(address, directory) };
  const known = isKnown(repo, wanted);
  if (known !== undefined) return plain(repo, known);
  const { facts, reason } = await looked(repo, wanted.address, context);
  repo.beginWriting();
  const added: Remote = {
    ...wanted,
    ...(facts !== undefined && { id: facts.id, lastSeen: lastSeenNow(context) }),
  };
  // Under the lock once more: another process may have been quicker.
  const meanwhile = isKnown(repo, added);
  if (meanwhile !== undefined) return plain(repo, meanwhile);
  const { name: _name, ...rest } = added;
  repo.reconfigure((config) => withRemote(config, name, rest));
  return { ...plain(repo, added), ...reachability(reason) };
}

/** A relative path would mean another place tomorrow. */
function storedAddress(text: string, directory: string): string {
  const address = parseAddress(text);
  return address.kind === 'local' ? path.resolve(directory, address.path) : address.text;
}

/** Undefined: neither its name nor its address nor its id is taken. @returns the remote, if it is this very one */
function isKnown(repo: Repository, wanted: Remote): Remote | undefined {
  for (const remote of remotesOf(repo)) {
    const same = remote.address === wanted.address;
    if (same && remote.name === wanted.name) return remote;
    if (remote.name.toLowerCase() === wanted.name.toLowerCase()) {
      throw new BkError(
        'refused',
        `cannot add ${wanted.name}: a remote of that name is at ${withoutPassword(remote.address)}`,
        {
          hint: `take another name, or first: bk remote remove ${remote.name}`,
        },
      );
    }
    if (same || (wanted.id !== undefined && remote.id === wanted.id)) {
      throw new BkError('refused', `cannot add ${wanted.address}: it is known as ${remote.name}`, {
        hint: `if it has moved: bk remote remove ${remote.name}, then add it again`,
        path: wanted.address,
      });
    }
  }
  return undefined;
}

/** Whatever repository is there; one that is out of reach now may be added all the same. */
async function looked(
  repo: Repository,
  address: string,
  context: Context,
): Promise<{ readonly facts?: Facts; readonly reason?: string }> {
  try {
    const { peer, facts } = await openAddress(repo, address, context);
    await peer.close();
    return { facts };
  } catch (error) {
    if (error instanceof BkError && error.code === 'unreachable') return { reason: error.message };
    throw error;
  }
}

function remove(repo: Repository, name: string): RemoteValue {
  remoteNamed(repo, name);
  repo.beginWriting();
  const gone = plain(repo, remoteNamed(repo, name));
  forgetRefs(repo, name);
  repo.reconfigure((config) => withoutRemote(config, name));
  return gone;
}

/** Before the config: a kill in between leaves a remote that can be removed again. */
function forgetRefs({ layout: { history } }: Repository, name: string): void {
  for (const [ref] of listRefs(history, `refs/remotes/${name}/`)) deleteRef(history, ref);
}

/** One that is given up already keeps the time of it. */
function giveUp(repo: Repository, text: string, context: Context): RemoteValue {
  doomedOf(repo, text);
  repo.beginWriting();
  const { id, remote, said } = doomedOf(repo, text);
  const since = lostSince(repo, id, said);
  if (remote !== undefined) forgetRefs(repo, remote.name);
  if (remote !== undefined || since === undefined) {
    repo.reconfigure((config) => {
      const without = remote === undefined ? config : withoutRemote(config, remote.name);
      return since === undefined ? withLost(without, id, lostFrom(said, context)) : without;
    });
  }
  const gone = remote ?? { name: said?.name ?? id, id };
  const sameVolume = said === undefined ? [] : countingOn(repo, said);
  return { ...plain(repo, gone), ...(sameVolume.length > 0 && { sameVolume }) };
}

/** Other repositories that say they are on the volume of a lost one, and are not lost. */
function countingOn(repo: Repository, { volume }: RepositoryFacts): { id: string; name: string }[] {
  return presences(repo).flatMap(({ facts }) => {
    const counts = facts.id !== repo.config.id && lostSince(repo, facts.id, facts) === undefined;
    return counts && facts.volume === volume ? [{ id: facts.id, name: facts.name }] : [];
  });
}

async function show(repo: Repository, name: string, context: Context): Promise<RemoteValue> {
  const known = remoteNamed(repo, name);
  try {
    const { remote, peer, facts } = await openRemote(repo, name, context);
    await peer.close();
    return { ...plain(repo, remote), reachable: true, about: aboutNow(repo, facts) };
  } catch (error) {
    if (!(error instanceof BkError) || (error.code !== 'unreachable' && error.code !== 'refused'))
      throw error;
    return { ...plain(repo, known), ...reachability(error.message), about: aboutThen(repo, known) };
  }
}

function aboutNow(repo: Repository, facts: Facts): RemoteAbout {
  const { name, volume, subset, head, freeBytes, historyOnly } = facts;
  const about = { name, volume, subset, ...standing(repo, head), freeBytes: freeBytes ?? null };
  return historyOnly === true ? { ...about, historyOnly } : about;
}

/** What its presence says, which came here by whatever way. */
function aboutThen(repo: Repository, { name, id }: Remote): RemoteAbout | null {
  const said = saidBy(repo, id);
  if (said === undefined) return null;
  const { include, exclude } = said.subset;
  const head = readRef(repo.layout.history, `refs/remotes/${name}/main`);
  return {
    name: said.name,
    volume: said.volume,
    subset: { include, exclude },
    ...standing(repo, head),
    freeBytes: null,
  };
}

function standing(repo: Repository, head: GitId | undefined): Pick<RemoteAbout, 'head' | 'ahead' | 'behind'> {
  if (head === undefined) return { head: null, ahead: null, behind: null };
  const { history } = repo;
  if (!history.has(head)) return { head, ahead: null, behind: null };
  const there = ancestors(history, head);
  const here = repo.head === undefined ? new Set<GitId>() : ancestors(history, repo.head);
  return { head, ahead: countWithout(there, here), behind: countWithout(here, there) };
}

function ancestors(history: Pick<HistoryReader, 'readCommit'>, head: GitId): Set<GitId> {
  const met = new Set<GitId>([head]);
  for (const id of met) for (const parent of history.readCommit(id).parents) met.add(parent);
  return met;
}

function countWithout(some: ReadonlySet<GitId>, others: ReadonlySet<GitId>): number {
  return [...some].filter((id) => !others.has(id)).length;
}

function saidBy(repo: Repository, id: string | undefined): RepositoryFacts | undefined {
  return id === undefined ? undefined : presences(repo).find(({ facts }) => facts.id === id)?.facts;
}

function plain(
  repo: Repository,
  { name, address, id, lastSeen }: Omit<Remote, 'address'> & Partial<Pick<Remote, 'address'>>,
): RemoteValue {
  return {
    name,
    address: address === undefined ? null : withoutPassword(address),
    id: id ?? null,
    lastSeen: lastSeen ?? null,
    ...markOn(repo, id),
  };
}

function markOn(repo: Repository, id: string | undefined): LostMark | undefined {
  if (id === undefined || markOf(repo, id) === undefined) return undefined;
  return lostMark(lostSince(repo, id, saidBy(repo, id)));
}

/** None is ever stored by bk; somebody may have written one into config.json. */
function withoutPassword(address: string): string {
  return address.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/[^/:@]*):[^/]*@/, '$1@');
}

function reachability(reason: string | undefined): Pick<RemoteValue, 'reachable' | 'reason'> {
  return reason === undefined ? { reachable: true } : { reachable: false, reason };
}
