import path from 'node:path';
import { BkError, type GitId, type Subset } from '@bk/core';
import { type Facts, parseAddress } from '@bk/remote';
import {
  checkedRemoteName,
  deleteRef,
  type HistoryReader,
  listRefs,
  readRef,
  withoutRemote,
  withRemote,
} from '@bk/store';
import type { Context } from './context.ts';
import { lastSeenNow, openAddress, openRemote, type Remote, remoteNamed, remotesOf } from './peers.ts';
import { presences } from './presence.ts';
import type { Repository } from './repository.ts';

export type RemoteOptions =
  | { readonly do: 'list' }
  /** @param directory absolute: what a relative path is relative to */
  | { readonly do: 'add'; readonly name: string; readonly address: string; readonly directory: string }
  | { readonly do: 'remove'; readonly name: string }
  | { readonly do: 'show'; readonly name: string };

export interface RemoteResult {
  readonly remotes: readonly RemoteValue[];
}

export interface RemoteValue {
  readonly name: string;
  readonly address: string;
  /** Null: never reached yet. */
  readonly id: string | null;
  readonly lastSeen: string | null;
  /** Of `add` and `show`: whether it could be reached now. */
  readonly reachable?: boolean;
  /** Why not. */
  readonly reason?: string;
  /** Of `show`; null: not known. */
  readonly about?: RemoteAbout | null;
}

/** What is known of a remote: what it says now, or what it said last. */
export interface RemoteAbout {
  /** The name that it has for itself. */
  readonly name: string;
  readonly volume: string;
  readonly subset: Subset;
  /** Null: it has no commit, or none that is known. */
  readonly head: GitId | null;
  /** Commits there that are not here, and here that are not there; null: its history was not fetched yet. */
  readonly ahead: number | null;
  readonly behind: number | null;
  /** Bytes; null: it is not reachable. */
  readonly freeBytes: number | null;
}

/**
 * Lists, adds, removes or shows remotes; the result holds those that it was about.
 * @throws BkError 'usage' for a name or address that is none, 'refused' for this repository itself and for what is known already
 */
export async function remote(
  repo: Repository,
  options: RemoteOptions,
  context: Context,
): Promise<RemoteResult> {
  switch (options.do) {
    case 'list':
      return { remotes: remotesOf(repo).map(plain) };
    case 'add':
      return { remotes: [await add(repo, options, context)] };
    case 'remove':
      return { remotes: [remove(repo, options.name)] };
    case 'show':
      return { remotes: [await show(repo, options.name, context)] };
    default:
      return options satisfies never;
  }
}

async function add(
  repo: Repository,
  { name, address, directory }: Extract<RemoteOptions, { do: 'add' }>,
  context: Context,
): Promise<RemoteValue> {
  checkedRemoteName(name);
  const wanted = { name, address: storedAddress(address, directory) };
  const known = isKnown(repo, wanted);
  if (known !== undefined) return plain(known);
  const { facts, reason } = await looked(repo, wanted.address, context);
  repo.beginWriting();
  const added: Remote = {
    ...wanted,
    ...(facts !== undefined && { id: facts.id, lastSeen: lastSeenNow(context) }),
  };
  // Under the lock once more: another process may have been quicker.
  const meanwhile = isKnown(repo, added);
  if (meanwhile !== undefined) return plain(meanwhile);
  const { name: _name, ...rest } = added;
  repo.reconfigure((config) => withRemote(config, name, rest));
  return { ...plain(added), ...reachability(reason) };
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

/** Refs first: a kill in between leaves a remote that can be removed again. */
function remove(repo: Repository, name: string): RemoteValue {
  remoteNamed(repo, name);
  repo.beginWriting();
  const gone = remoteNamed(repo, name);
  const { history } = repo.layout;
  for (const [ref] of listRefs(history, `refs/remotes/${name}/`)) deleteRef(history, ref);
  repo.reconfigure((config) => withoutRemote(config, name));
  return plain(gone);
}

async function show(repo: Repository, name: string, context: Context): Promise<RemoteValue> {
  const known = remoteNamed(repo, name);
  try {
    const { remote, peer, facts } = await openRemote(repo, name, context);
    await peer.close();
    return { ...plain(remote), reachable: true, about: aboutNow(repo, facts) };
  } catch (error) {
    if (!(error instanceof BkError) || (error.code !== 'unreachable' && error.code !== 'refused'))
      throw error;
    return { ...plain(known), ...reachability(error.message), about: aboutThen(repo, known) };
  }
}

function aboutNow(repo: Repository, facts: Facts): RemoteAbout {
  const { name, volume, subset, head, freeBytes } = facts;
  return { name, volume, subset, ...standing(repo, head), freeBytes: freeBytes ?? null };
}

/** What its presence says, which came here by whatever way. */
function aboutThen(repo: Repository, { name, id }: Remote): RemoteAbout | null {
  const said = id === undefined ? undefined : presences(repo).find(({ facts }) => facts.id === id)?.facts;
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

function plain({ name, address, id, lastSeen }: Remote): RemoteValue {
  return { name, address: withoutPassword(address), id: id ?? null, lastSeen: lastSeen ?? null };
}

/** None is ever stored by bk; somebody may have written one into config.json. */
function withoutPassword(address: string): string {
  return address.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/[^/:@]*):[^/]*@/, '$1@');
}

function reachability(reason: string | undefined): Pick<RemoteValue, 'reachable' | 'reason'> {
  return reason === undefined ? { reachable: true } : { reachable: false, reason };
}
