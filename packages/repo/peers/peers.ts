import path from 'node:path';
import { BkError, formatMtime } from '@bk/core';
import { checkedFacts, type Facts, openPeer, type Peer, parseAddress } from '@bk/remote';
import { type Config, withRemote } from '@bk/store';
import type { Context } from '../context.ts';
import type { Repository } from '../repository.ts';
import { gitHost, isHistoryOnly } from './git-host.ts';
import { type MoveMain, offerRepository } from './offer.ts';
import { asking, sshPeer } from './ssh.ts';
import { openThere } from './there.ts';
import { sharedVolumeId } from './volume.ts';

/** Another repository by the name that it has here. */
export interface Remote {
  readonly name: string;
  readonly address: string;
  readonly id?: string;
  readonly lastSeen?: string;
}

/** A remote that is within reach now, checked to be the repository that it was. */
export interface OpenRemote {
  readonly remote: Remote;
  readonly peer: Peer;
  readonly facts: Facts;
}

export interface Reached {
  readonly open: readonly OpenRemote[];
  readonly unreachable: readonly { readonly name: string; readonly reason: string }[];
}

export interface PeerOptions {
  /** Moves the other repository's files along when its `main` is to be moved fast-forward; see HostOptions.moveMain. */
  readonly moveMain?: MoveMain;
}

/** In order of their names. */
export function remotesOf(repo: Pick<Repository, 'config'>): Remote[] {
  const remotes = Object.entries(repo.config.remotes ?? {});
  return remotes.map(([name, remote]) => ({ name, ...remote })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @throws BkError 'usage' for an unknown name */
export function remoteNamed(repo: Pick<Repository, 'config'>, name: string): Remote {
  const remotes = remotesOf(repo);
  const found = remotes.find((remote) => remote.name === name);
  if (found !== undefined) return found;
  const known = remotes.map((remote) => remote.name).join(', ');
  throw new BkError('usage', `no such remote: ${name}`, {
    hint: known === '' ? 'there are none; see `bk remote add`' : `remotes are ${known}`,
  });
}

/**
 * Opens a remote; the caller closes its peer. Writes down that it was seen, as soon as this process may write.
 * @throws BkError 'usage' for an unknown name, 'unreachable', 'refused' if another repository is at its address now
 */
export async function openRemote(
  repo: Repository,
  name: string,
  context: Context,
  options: PeerOptions = {},
): Promise<OpenRemote> {
  const remote = remoteNamed(repo, name);
  const { peer, facts } = await openAddress(repo, remote.address, context, options);
  if (remote.id !== undefined && remote.id !== facts.id) {
    await peer.close();
    throw new BkError(
      'refused',
      `cannot use the remote ${name}: another repository is at ${remote.address} now, “${facts.name}”`,
      { hint: `if that is what you want: bk remote remove ${name}, then add it again`, path: remote.address },
    );
  }
  const seen = { ...remote, id: facts.id, lastSeen: lastSeenNow(context) };
  noteSeen(repo, seen);
  return { remote: seen, peer, facts };
}

export interface ReachOptions extends PeerOptions {
  readonly only?: ReadonlySet<string>;
  /** Only those that may have contents. */
  readonly contents?: boolean;
}

/**
 * All remotes that are within reach now, or of them `only` those, in order of their names; a broken one is out of reach,
 * with the reason.
 */
export async function reach(
  repo: Repository,
  context: Context,
  { only, contents = false, ...options }: ReachOptions = {},
): Promise<Reached> {
  const open: OpenRemote[] = [];
  const unreachable: { name: string; reason: string }[] = [];
  for (const { name, address } of remotesOf(repo)) {
    if (only?.has(name) === false) continue;
    try {
      if (contents && isHistoryOnly(address)) continue;
      open.push(await openRemote(repo, name, context, options));
    } catch (error) {
      if (!(error instanceof BkError) || error.code === 'bug' || error.code === 'interrupted') {
        await closeAll(open);
        throw error;
      }
      unreachable.push({ name, reason: error.message });
    }
  }
  return { open, unreachable };
}

export async function closeAll(remotes: readonly OpenRemote[]): Promise<void> {
  for (const { peer } of remotes) await peer.close();
}

/**
 * Opens whatever repository is at an address now; the caller closes the peer.
 * @param repo who asks: it is never its own remote
 * @throws BkError 'usage' for what is no address, 'unreachable', 'refused' for this repository itself or a copy without an id
 */
export async function openAddress(
  repo: Repository,
  address: string,
  context: Context,
  options: PeerOptions = {},
): Promise<{ readonly peer: Peer; readonly facts: Facts }> {
  const peer = await openPeer(parseAddress(address), {
    local: async (folder) => localPeer(repo, folder, context, options),
    git: async (address) => gitHost(address, repo.history),
    ssh: (there) => sshPeer(there, asking(repo), context),
  });
  try {
    const facts = checkedFacts(await peer.facts());
    if (facts.id === repo.config.id) throw isItself(address);
    return { peer, facts };
  } catch (error) {
    await peer.close();
    throw error;
  }
}

function localPeer(repo: Repository, folder: string, context: Context, options: PeerOptions): Peer {
  const there = openThere(path.resolve(repo.layout.root, folder), folder);
  try {
    if (there.layout.root === repo.layout.root) throw isItself(folder);
    there.becomeItself();
    const volume = there.isCopy ? undefined : shareVolume(repo, there);
    const { moveMain } = options;
    return offerRepository(
      there,
      {
        asker: repo.config.id,
        address: folder,
        onClose: () => there.close(),
        ...(volume !== undefined && { volume }),
        ...(moveMain !== undefined && { moveMain }),
      },
      context,
    );
  } catch (error) {
    there.close();
    throw error;
  }
}

/** Two on one volume without an id of its own must not count as two: both go by one id, as soon as each may be written. */
function shareVolume(repo: Repository, there: Repository): string | undefined {
  const [a, b] = [repo.config.volume?.id, there.config.volume?.id];
  if (a === undefined || b === undefined) return b;
  const id = sharedVolumeId({ root: repo.layout.root, id: a }, { root: there.layout.root, id: b });
  if (id === undefined) return b;
  for (const each of [repo, there])
    each.reconfigure((config) => (config.volume === undefined ? config : withVolumeId(config, id)));
  return id;
}

function withVolumeId(config: Config, id: string): Config {
  return { ...config, volume: { ...config.volume, id } };
}

function isItself(address: string): BkError {
  return new BkError('refused', `cannot use ${address} as a remote: it is this repository itself`, {
    path: address,
  });
}

/** As config has it. */
export function lastSeenNow(context: Pick<Context, 'nowMs'>): string {
  return formatMtime(BigInt(Math.floor(context.nowMs())) * 1_000_000n);
}

/** What was written down in this run already is not written again: seconds are of no interest. */
const noted = new WeakMap<Repository, Set<string>>();

function noteSeen(repo: Repository, { name, ...seen }: Remote): void {
  const names = noted.get(repo) ?? new Set();
  noted.set(repo, names);
  if (names.has(name)) return;
  names.add(name);
  repo.reconfigure((config) => {
    const before = config.remotes?.[name];
    // Removed or made another meanwhile.
    if (before === undefined || before.address !== seen.address) return config;
    return withRemote(config, name, { ...before, ...seen });
  });
}
