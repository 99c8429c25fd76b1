import fs from 'node:fs';
import path from 'node:path';
import { BkError, type GitId, type PathProblem, type RepoPath, type Subset } from '@bk/core';
import type { VolumeFacts } from './config.ts';
import { fsyncDirectory, replaceFile } from './durable.ts';
import type { Layout } from './layout.ts';

/**
 * `.bk/clone.json`: what a clone that is under way is to become. Written first, removed last; without `config.json`
 * beside it there is no repository yet.
 */
export interface CloneState {
  readonly v: 1;
  /** Id of the repository that is cloned, and its address as the clone is to keep it; absent: it is not known from here. */
  readonly source: string;
  readonly address?: string;
  readonly subset: Subset;
  /** Of the clone. */
  readonly id: string;
  readonly name: string;
  readonly volume: VolumeFacts;
  /** The commit that is cloned; null: the source has none yet. Absent: not chosen yet. */
  readonly commit?: GitId | null;
  /** Set once all contents are staged and durable, and the index says so: what could not be had. */
  readonly missing?: readonly PathProblem[];
  /** Of the root and folders at the top, where they are not plain ones: given once these are in place. */
  readonly modes?: readonly (readonly [path: RepoPath, mode: number])[];
}

export const CLONE_FILE = 'clone.json';

/** @throws BkError 'damaged' */
export function readCloneState(layout: Pick<Layout, 'dot'>): CloneState | undefined {
  const file = path.join(layout.dot, CLONE_FILE);
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  }
  const state = parsed(text);
  if (state !== undefined) return state;
  throw new BkError('damaged', `cannot go on with the clone: ${file} is damaged`, {
    path: file,
    hint: 'remove the unfinished clone, then clone again',
  });
}

export function writeCloneState(layout: Pick<Layout, 'dot'>, state: CloneState): void {
  replaceFile(path.join(layout.dot, CLONE_FILE), `${JSON.stringify(state)}\n`);
}

export function removeCloneState(layout: Pick<Layout, 'dot'>): void {
  fs.rmSync(path.join(layout.dot, CLONE_FILE), { force: true });
  fsyncDirectory(layout.dot);
}

/** Whether an unfinished clone is there. */
export function hasCloneState(layout: Pick<Layout, 'dot'>): boolean {
  return fs.existsSync(path.join(layout.dot, CLONE_FILE));
}

function parsed(text: string): CloneState | undefined {
  try {
    const value = JSON.parse(text) as CloneState | null;
    const whole = value?.v === 1 && typeof value.id === 'string' && typeof value.source === 'string';
    return whole && typeof value.volume === 'object' && typeof value.name === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
