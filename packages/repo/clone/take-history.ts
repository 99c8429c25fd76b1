import os from 'node:os';
import { isMainThread } from 'node:worker_threads';
import type { GitId } from '@bk/core';
import { HistoryReader, packFor, receivePack, type Tip } from '@bk/store';

/** The history of another repository on this machine that is to be taken into a new one. */
export interface TakeHistoryTask {
  /** Git directory of the other. */
  readonly from: string;
  readonly layout: { readonly history: string; readonly staging: string };
  readonly wants: readonly GitId[];
  readonly haves: readonly GitId[];
  readonly tips: readonly Tip[];
}

/** In a thread of its own, so that whoever hands out the copying is not held up. */
export async function takeHistory({ from, layout, wants, haves, tips }: TakeHistoryTask): Promise<true> {
  stepBack();
  const source = new HistoryReader(from);
  const reader = new HistoryReader(layout.history);
  try {
    await receivePack(later(packFor(from, source, wants, haves)), tips, { layout, reader });
    return true;
  } finally {
    source.close();
    reader.close();
  }
}

/** Copying goes first. On Linux this is about the calling thread alone; elsewhere it is left. */
function stepBack(): void {
  if (isMainThread || process.platform !== 'linux') return;
  try {
    os.setPriority(0, os.constants.priority.PRIORITY_LOW);
  } catch {
    // It is only slower then.
  }
}

async function* later(bytes: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* bytes;
}
