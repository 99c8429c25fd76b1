import { BkError, type GitId } from '@bk/core';
import { hostPeer, type Peer } from '@bk/remote';
import type { Context } from '../context.ts';
import { introduce } from '../presence/presence.ts';
import type { Repository } from '../repository.ts';
import { type HostOptions, type MainMove, repositoryHost } from './host.ts';
import { hostOptions } from './host-options.ts';

/** Moves an opened repository's files along when its `main` is to be moved fast-forward; see HostOptions.moveMain. */
export type MoveMain = (
  there: Repository,
  from: GitId | undefined,
  to: GitId,
) => MainMove | Promise<MainMove>;

export interface Offer extends Pick<HostOptions, 'readOnly' | 'volume' | 'onClose'> {
  /** Id of the repository that asks; absent: one that is not known by any name. */
  readonly asker?: string;
  /** As whoever asks calls it, for messages. */
  readonly address: string;
  readonly moveMain?: MoveMain;
}

/**
 * Makes a Peer of a repository that is open here, for another one that asks.
 * @throws BkError 'unreachable' if it is a copy that could not get an id of its own yet
 */
export function offerRepository(there: Repository, offer: Offer, context: Context): Peer {
  const { asker, address, moveMain, readOnly, volume, onClose } = offer;
  there.becomeItself();
  if (there.isCopy) {
    throw new BkError('unreachable', `cannot use ${address}: it is a copy that has no id of its own yet`, {
      hint: 'give `bk status` there, then try again',
      path: address,
    });
  }
  introduce(there, context);
  const { remotes = {} } = there.config;
  const host = repositoryHost(there, {
    ...hostOptions(there, context),
    remotes: Object.keys(remotes).filter((name) => asker !== undefined && remotes[name]?.id === asker),
    ...(readOnly === true && { readOnly }),
    ...(onClose !== undefined && { onClose }),
    ...(volume !== undefined && { volume }),
    ...(moveMain !== undefined && { moveMain: (from, to) => moveMain(there, from, to) }),
  });
  return hostPeer(host);
}
