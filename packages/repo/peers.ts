import { BkError } from '@bk/core';
import type { Facts, Peer } from '@bk/remote';
import type { Context } from './context.ts';
import type { Repository } from './repository.ts';

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

/** In order of their names. */
export function remotesOf(_repo: Pick<Repository, 'config'>): Remote[] {
  throw new BkError('bug', 'not built yet');
}

/**
 * Opens a remote; the caller closes its peer. Writes down that it was seen, if this process may write.
 * @throws BkError 'usage' for an unknown name, 'unreachable', 'refused' if another repository is at its address now
 */
export async function openRemote(_repo: Repository, _name: string, _context: Context): Promise<OpenRemote> {
  throw new BkError('bug', 'not built yet');
}

/** All remotes that are within reach now. */
export async function reach(_repo: Repository, _context: Context): Promise<Reached> {
  throw new BkError('bug', 'not built yet');
}

export async function closeAll(remotes: readonly OpenRemote[]): Promise<void> {
  for (const { peer } of remotes) await peer.close();
}
