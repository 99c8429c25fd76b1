import type { GitId } from '@bk/core';
import { type Address, credentialsFrom, gitHostPeer, type Peer, parseAddress } from '@bk/remote';
import { type HistoryReader, isAncestor } from '@bk/store';
import type { Repository } from '../repository.ts';

/** So many commits before the heads are named, ever fewer the older they are. */
const MOST_BEFORE = 2_000;
const EVERY = 64;

/** @param history of whoever asks; absent: nothing is here yet */
export function gitHost(
  address: Extract<Address, { kind: 'git' }>,
  history: Repository['history'] | undefined,
): Peer {
  return gitHostPeer({
    url: address.url,
    credentials: credentialsFrom(process.env),
    isAncestor: (ancestor, commit) =>
      history?.has(ancestor) === true && isAncestor(history, ancestor, commit),
    ...(history !== undefined && { before: (heads) => sparseAncestry(history, heads) }),
  });
}

/** Whether what is at an address keeps the history only, and no content: then it need not be asked for any. */
export function isHistoryOnly(address: string): boolean {
  return parseAddress(address).kind === 'git';
}

/**
 * Commits before these: all of the newest, then every second, fourth … A host that does not have the newest has one of
 * them, or nearly; else all of the history would come again.
 */
export function sparseAncestry(
  reader: Pick<HistoryReader, 'has' | 'readCommit'>,
  heads: readonly GitId[],
): GitId[] {
  const found: GitId[] = [];
  const seen = new Set<GitId>(heads.filter((id) => reader.has(id)));
  let [step, met] = [1, 0];
  for (const id of seen) {
    for (const parent of reader.readCommit(id).parents) seen.add(parent);
    if (met++ % step === 0) found.push(id);
    if (found.length >= MOST_BEFORE) break;
    if (met === EVERY * step * 2) step *= 2;
  }
  return found;
}
