import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BkError, presenceRef, type Subset, subsetHash } from '@bk/core';
import {
  CLONE_FILE,
  type CloneState,
  type Config,
  DOT_BK,
  fsyncDirectory,
  initHistory,
  type Layout,
  layoutOf,
  readCloneState,
  readConfig,
  readRef,
} from '@bk/store';
import { ORIGIN } from './history.ts';

/** What is at the destination of a clone. */
export type Target = { readonly root: string; readonly layout: Layout } & (
  | { readonly is: 'free'; readonly exists: boolean }
  /** An unfinished clone of the same parts of the same repository. */
  | { readonly is: 'begun'; readonly state: CloneState }
  /** A finished one. */
  | { readonly is: 'done' }
);

export interface Wanted {
  /** Id of the repository that is to be cloned. */
  readonly source: string;
  readonly subset: Subset;
  /** It lies in a folder that is held: its path is used as it is, and it may be no link. */
  readonly pinned?: boolean;
}

/** What `.bk` may hold of a clone that was killed before it could write down what it is. */
const BEGINNINGS = new Set(['lock.sqlite', 'lock.sqlite-journal', `${CLONE_FILE}.tmp`]);

/**
 * Looks at the destination, and changes nothing.
 * @throws BkError 'refused' if anything else is there, 'inside-repository', 'not-found' without a parent folder
 */
export function lookAtTarget(dst: string, wanted: Wanted): Target {
  const { pinned = false } = wanted;
  const exists = existingFolder(dst, pinned);
  const root = pinned
    ? dst
    : exists
      ? fs.realpathSync.native(dst)
      : path.join(realParent(dst), path.basename(dst));
  refuseInside(pinned ? fs.realpathSync.native(path.dirname(dst)) : path.dirname(root), dst);
  if (path.basename(root) === DOT_BK) throw refused(dst, 'that name is kept for bk itself');
  const layout = layoutOf(root);
  if (!exists) return { root, layout, is: 'free', exists };
  const names = fs.readdirSync(root);
  if (!names.includes(DOT_BK)) {
    if (names.length > 0) throw refused(dst, 'the folder is not empty');
    return { root, layout, is: 'free', exists };
  }
  return repositoryAt(dst, layout, { names, wanted });
}

function repositoryAt(
  dst: string,
  layout: Layout,
  { names, wanted }: { readonly names: readonly string[]; readonly wanted: Wanted },
): Target {
  const { root } = layout;
  if (!fs.lstatSync(layout.dot).isDirectory()) throw refused(dst, 'there is a .bk that is not a folder');
  const state = readCloneState(layout);
  if (state !== undefined) {
    const same = state.source === wanted.source && subsetHash(state.subset) === subsetHash(wanted.subset);
    if (!same) throw refused(dst, 'an unfinished clone of something else is there', UNFINISHED);
    // What came to be there meanwhile is left alone, but before anything was placed nothing may be there.
    if (state.missing === undefined && names.length > 1)
      throw refused(dst, 'other files came to be there since the clone was begun');
    return { root, layout, is: 'begun', state };
  }
  const config = readConfig(layout.config);
  if (config === undefined) {
    const begun = names.length === 1 && fs.readdirSync(layout.dot).every((name) => BEGINNINGS.has(name));
    if (begun) return { root, layout, is: 'free', exists: true };
    throw refused(dst, 'an unfinished repository is there');
  }
  const { include = [], exclude = [] } = config.subset ?? {};
  const origin =
    Object.values(config.remotes ?? {}).some(({ id }) => id === wanted.source) ||
    isWithoutAddress(layout, config, wanted.source);
  if (origin && subsetHash({ include, exclude }) === subsetHash(wanted.subset))
    return { root, layout, is: 'done' };
  throw refused(dst, 'a repository is there already');
}

/** A clone whose source could not be reached from here has no remote `origin`, but what it said. */
function isWithoutAddress({ history }: Layout, { remotes = {} }: Config, source: string): boolean {
  if (Object.hasOwn(remotes, 'origin')) return false;
  return [ORIGIN, presenceRef(source)].every((ref) => readRef(history, ref) !== undefined);
}

/** Makes the folder and its `.bk`, and nothing in it. @returns which of them were made, for taking them back */
export function makeTarget({ root, layout }: Target): string[] {
  const made: string[] = [];
  for (const folder of [root, layout.dot]) {
    if (fs.existsSync(folder)) continue;
    fs.mkdirSync(folder, folder === root ? 0o777 : 0o700);
    fsyncDirectory(path.dirname(folder));
    made.push(folder);
  }
  fs.chmodSync(layout.dot, 0o700);
  return made;
}

/** Takes back what makeTarget made, as far as nobody has put anything into it. */
export function unmakeTarget(made: readonly string[]): void {
  for (const folder of [...made].reverse()) {
    try {
      fs.rmdirSync(folder);
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(String((error as NodeJS.ErrnoException).code)))
        throw error;
    }
  }
}

/** Empties a `.bk` in which nothing but this clone was begun; only for the holder of its lock. */
export function clearSkeleton({ dot }: Layout): void {
  fs.rmSync(dot, { recursive: true, force: true });
}

/** The parts of a `.bk` that wait for a repository. */
export function makeSkeleton(layout: Layout): void {
  for (const part of [layout.safety, layout.staging, layout.journal])
    fs.mkdirSync(part, { recursive: true, mode: 0o700 });
  initHistory(layout.history);
}

/** The parts of a `.bk` among the system's temporary files. They go at the end, also if a signal ends this process. */
export async function withTemporary<T>(work: (layout: Layout) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-look-'));
  const remove = (): void => fs.rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    const layout = layoutOf(folder);
    makeSkeleton(layout);
    return await work(layout);
  } finally {
    process.off('exit', remove);
    remove();
  }
}

function existingFolder(dst: string, pinned: boolean): boolean {
  const itself = fs.lstatSync(dst, { throwIfNoEntry: false });
  if (itself === undefined) return false;
  if (pinned && itself.isSymbolicLink()) throw refused(dst, 'it is a link that leads elsewhere');
  const stat = fs.statSync(dst, { throwIfNoEntry: false });
  if (stat === undefined) throw refused(dst, 'it is a link that leads nowhere');
  if (!stat.isDirectory()) throw refused(dst, 'it is not a folder');
  return true;
}

function realParent(dst: string): string {
  const parent = path.dirname(dst);
  try {
    const real = fs.realpathSync.native(parent);
    if (fs.statSync(real).isDirectory()) return real;
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))) throw error;
  }
  throw new BkError('not-found', `cannot clone to ${dst}: there is no folder ${parent}`, {
    path: dst,
    hint: 'make the folder first; if a disk should be mounted there, mount it first',
  });
}

function refuseInside(start: string, dst: string): void {
  for (let folder = start; ; folder = path.dirname(folder)) {
    const inside = path.basename(folder) === DOT_BK || isFolder(path.join(folder, DOT_BK));
    if (inside) {
      throw new BkError('inside-repository', `cannot clone to ${dst}: it lies in the repository ${folder}`, {
        path: dst,
        hint: 'choose a folder that is in no repository, best on another disk',
      });
    }
    if (folder === path.dirname(folder)) return;
  }
}

function isFolder(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

const UNFINISHED = 'give the same command as the first time to finish it, or remove the folder';

function refused(
  dst: string,
  why: string,
  hint = 'choose a folder that is empty or does not exist yet',
): BkError {
  return new BkError('refused', `cannot clone to ${dst}: ${why}`, { path: dst, hint });
}
