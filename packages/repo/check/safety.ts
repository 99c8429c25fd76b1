import fs from 'node:fs';
import type { ContentHash } from '@bk/core';
import { type Layout, type SafetyEntry, SafetyNet } from '@bk/store';
import { hashDescriptor } from '@bk/worktree';
import type { Problems } from './problems.ts';

export interface SafetyCheck {
  /** Every content that a commit names; undefined: not known, since the history is damaged. */
  readonly contents: ReadonlySet<ContentHash> | undefined;
  readonly problems: Problems;
  /** Reads every content and compares it with its name. */
  readonly deep: boolean;
  readonly tick: () => void;
}

const LOST = 'bk commit records what is there now; the earlier content is no longer protected here';

/**
 * The names in the net and what they stand for.
 * @returns entries, as paths below `.bk`, of contents that no commit names
 */
export function checkSafety(layout: Layout, { contents, problems, deep, tick }: SafetyCheck): string[] {
  const net = new SafetyNet(layout);
  const strange: string[] = [];
  for (const name of net.strangers()) problems.add('safety', name, 'not a name that bk gives');
  for (const entry of net.list()) {
    tick();
    const why = entryFlaw(entry, deep);
    if (why !== undefined) problems.add('safety', entry.source, why, LOST);
    else if (contents?.has(entry.blake3) === false) strange.push(entry.source);
  }
  return strange;
}

function entryFlaw(entry: SafetyEntry, deep: boolean): string | undefined {
  const stat = fs.lstatSync(entry.file, { throwIfNoEntry: false });
  if (stat === undefined) return undefined; // released meanwhile
  if (!stat.isFile()) return 'not a file';
  if (!deep) return undefined;
  try {
    return hashOf(entry.file) === entry.blake3 ? undefined : 'its content is not the one that its name says';
  } catch (error) {
    if (!['EIO', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return `it cannot be read: ${(error as Error).message}`;
  }
}

function hashOf(file: string): ContentHash {
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  try {
    return hashDescriptor(fd).hash;
  } finally {
    fs.closeSync(fd);
  }
}
