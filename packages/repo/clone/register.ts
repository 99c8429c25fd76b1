import path from 'node:path';
import { BkError, type GitId, presenceRef } from '@bk/core';
import { checkedRefs } from '@bk/remote';
import {
  HistoryReader,
  missingObjects,
  packOf,
  readRef,
  receivePack,
  remoteNameFor,
  updateRef,
  withRemote,
} from '@bk/store';
import type { Context } from '../context.ts';
import { packFor } from '../exchange/refs.ts';
import { lastSeenNow } from '../peers/peers.ts';
import { cannotWrite, type Repository } from '../repository.ts';
import type { CloneSource } from './source.ts';

const PATIENCE_MS = 2_000;

/**
 * Makes the clone a remote of its source: config, refs/remotes/<name>/main, and the clone's presence. Does nothing the
 * second time. @returns why that could not be done, for a warning: the clone is whole all the same
 */
export async function registerClone(
  source: Repository,
  { config: { id, name }, layout, head }: Repository,
  context: Context,
): Promise<string | undefined> {
  const mine = !source.locked;
  try {
    source.beginWriting(PATIENCE_MS);
  } catch (error) {
    if (error instanceof BkError && error.code === 'locked') return 'another bk is working there';
    if (cannotWrite(error)) return 'it cannot be written';
    throw error;
  }
  try {
    await takePresence(source, { id, head, history: layout.history });
    const known = addRemote(source, { id, name, address: path.resolve(layout.root) }, context);
    if (head === undefined) return undefined;
    const ref = `refs/remotes/${known}/main`;
    const before = readRef(source.layout.history, ref);
    if (before !== head) updateRef(source.layout.history, ref, before, head, { exclusive: true });
    return undefined;
  } catch (error) {
    if (cannotWrite(error)) return 'it cannot be written';
    throw error;
  } finally {
    if (mine) source.endWriting();
  }
}

/** Under its own name, or one near it that is free. Only while writing. @returns the name */
export function addRemote(
  source: Repository,
  clone: { readonly id: string; readonly name: string; readonly address: string },
  context: Context,
): string {
  const { id, address } = clone;
  const { remotes = {} } = source.config;
  const known = Object.keys(remotes).find((name) => remotes[name]?.id === id);
  const name = known ?? remoteNameFor(clone.name, Object.keys(remotes));
  const lastSeen = lastSeenNow(context);
  source.reconfigure((config) =>
    withRemote(config, name, { ...config.remotes?.[name], address, id, lastSeen }),
  );
  return name;
}

/**
 * Lets a source that cannot be opened here know what the clone holds, if it takes it. How the clone can be reached from
 * there nobody here knows. @returns why that could not be done, for a warning
 */
export async function tellSource(
  { peer, facts }: CloneSource,
  repo: Repository,
): Promise<string | undefined> {
  const name = presenceRef(repo.config.id);
  const next = readRef(repo.layout.history, name);
  if (next === undefined || facts.readOnly) return undefined;
  try {
    const theirs = new Map(checkedRefs(await peer.refs()).map((ref) => [ref.name, ref.id]));
    const expected = theirs.get(name);
    if (expected === next) return undefined;
    const pack = packFor(repo.history, [next], [...theirs.values()]);
    const [told] = await peer.sendPack(pack, [{ name, next, ...(expected !== undefined && { expected }) }]);
    return told?.moved === true ? undefined : (told?.detail ?? told?.reason ?? 'it does not answer');
  } catch (error) {
    if (error instanceof BkError && error.code !== 'bug' && error.code !== 'interrupted')
      return error.message;
    throw error;
  }
}

interface Told {
  readonly id: string;
  readonly head: GitId | undefined;
  /** Its git directory. */
  readonly history: string;
}

async function takePresence(source: Repository, { id, history, head }: Told): Promise<void> {
  const ref = presenceRef(id);
  const presence = readRef(history, ref);
  const before = readRef(source.layout.history, ref);
  if (presence === undefined || presence === before) return;
  const theirs = new HistoryReader(history);
  try {
    // The clone's head came from here.
    const haves = [head, before].filter((one) => one !== undefined);
    const objects = missingObjects(theirs, [presence], haves);
    const bytes = packOf(theirs, objects);
    await receivePack(asAsync(bytes), [{ name: ref, id: presence }], {
      layout: source.layout,
      reader: source.history,
    });
    source.history.refresh();
  } finally {
    theirs.close();
  }
  updateRef(source.layout.history, ref, before, presence, { exclusive: true });
}

async function* asAsync(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
