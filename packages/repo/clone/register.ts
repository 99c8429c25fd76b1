import path from 'node:path';
import { BkError, formatMtime, type GitId, presenceRef } from '@bk/core';
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
import { cannotWrite, type Repository } from '../repository.ts';

/** The clone as the source is to know it. */
export interface NewClone {
  readonly root: string;
  readonly id: string;
  readonly name: string;
  readonly history: string;
  readonly head: GitId | undefined;
}

const PATIENCE_MS = 2_000;

/**
 * Makes the clone a remote of its source: config, refs/remotes/<name>/main, and the clone's presence. Does nothing the
 * second time. @returns why that could not be done, for a warning: the clone is whole all the same
 */
export async function registerClone(
  source: Repository,
  clone: NewClone,
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
    await takePresence(source, clone);
    const name = addRemote(source, clone, context);
    if (clone.head === undefined) return undefined;
    const ref = `refs/remotes/${name}/main`;
    const before = readRef(source.layout.history, ref);
    if (before !== clone.head) updateRef(source.layout.history, ref, before, clone.head, { exclusive: true });
    return undefined;
  } catch (error) {
    if (cannotWrite(error)) return 'it cannot be written';
    throw error;
  } finally {
    if (mine) source.endWriting();
  }
}

/** Under its own name, or one near it that is free. */
function addRemote(source: Repository, clone: NewClone, context: Context): string {
  const { remotes = {} } = source.config;
  const known = Object.keys(remotes).find((name) => remotes[name]?.id === clone.id);
  const name = known ?? remoteNameFor(clone.name, Object.keys(remotes));
  const lastSeen = formatMtime(BigInt(context.nowMs()) * 1_000_000n);
  const address = path.resolve(clone.root);
  source.reconfigure((config) =>
    withRemote(config, name, { ...config.remotes?.[name], address, id: clone.id, lastSeen }),
  );
  return name;
}

async function takePresence(source: Repository, { id, history, head }: NewClone): Promise<void> {
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
