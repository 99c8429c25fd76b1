import { BkError } from '@bk/core';
import type { Context } from '../context.ts';
import {
  closeAll,
  type OpenRemote,
  openRemote,
  type PeerOptions,
  type Reached,
  reach,
} from '../peers/peers.ts';
import type { Repository } from '../repository.ts';

export interface ExchangeOptions {
  /** Names of remotes; none: all of them. */
  readonly remotes?: readonly string[];
}

/** Answers of several remotes, and those that could not be asked. */
export interface Exchanged<R> {
  readonly remotes: readonly R[];
  readonly unreachable: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Asks one remote after the other, in order of their names or as they were given. One that goes away meanwhile is
 * among the unreachable.
 * @throws BkError 'usage' for an unknown name, before anything is done
 */
export async function withRemotes<R>(
  repo: Repository,
  { remotes = [], ...options }: ExchangeOptions & PeerOptions,
  context: Context,
  work: (remote: OpenRemote) => Promise<R>,
): Promise<Exchanged<R>> {
  const reached =
    remotes.length === 0
      ? await reach(repo, context, options)
      : await reachNamed(repo, remotes, { context, options });
  const unreachable = [...reached.unreachable];
  const answers: R[] = [];
  try {
    for (const open of reached.open) {
      try {
        answers.push(await work(open));
      } catch (error) {
        if (!(error instanceof BkError) || error.code !== 'unreachable') throw error;
        unreachable.push({ name: open.remote.name, reason: error.message });
      }
    }
  } finally {
    await closeAll(reached.open);
  }
  return { remotes: answers, unreachable };
}

async function reachNamed(
  repo: Repository,
  names: readonly string[],
  { context, options }: { readonly context: Context; readonly options: PeerOptions },
): Promise<Reached> {
  const open: OpenRemote[] = [];
  const unreachable: { name: string; reason: string }[] = [];
  try {
    for (const name of new Set(names)) {
      try {
        open.push(await openRemote(repo, name, context, options));
      } catch (error) {
        if (!(error instanceof BkError) || error.code !== 'unreachable') throw error;
        unreachable.push({ name, reason: error.message });
      }
    }
  } catch (error) {
    await closeAll(open);
    throw error;
  }
  return { open, unreachable };
}

/** Why a remote's answer is not what was asked for, if it is no reason to stop for the others. */
export function reasonOf(error: unknown): string {
  if (error instanceof BkError && ['refused', 'damaged', 'not-found', 'locked'].includes(error.code))
    return error.message;
  throw error;
}
