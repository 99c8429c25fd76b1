import { BkError, decodePath, type FsPath, ROOT, type Step, type StepResult } from '@bk/core';
import { move, park } from './move.ts';
import { put, remove } from './put.ts';
import { diskError, isDiskTrouble, KEEPS_NONE, split } from './stage.ts';
import {
  codeOf,
  conflict,
  done,
  isExpectedNow,
  openIfThere,
  place,
  reasonOf,
  sameInode,
  setMode,
  type Work,
} from './work.ts';

const MARK_EVERY = 1_000;

/**
 * Takes every step, one after the other; fills `results`. After trouble with the disk the rest is not tried. What the
 * system refused (a permission, a limit, something busy) is tried once more at once, before others go round it, and
 * again when all else is done, with all that waited for it.
 */
export function act(work: Work): void {
  work.transaction.steps.forEach((step, n) => {
    work.results.push(work.stopped === undefined ? attempt(work, step, n) : notTried(step));
    if (n % MARK_EVERY === MARK_EVERY - 1) work.journal.done(n + 1);
  });
  if (work.refused.size > 0) tryAgain(work);
}

function tryAgain(work: Work): void {
  work.refused.clear();
  work.tree.forget();
  asSecondTry(work, () => {
    for (const [n, step] of work.transaction.steps.entries()) {
      const { outcome } = work.results[n]!;
      if (work.stopped !== undefined) break;
      if (outcome === 'failed' || outcome === 'conflict') work.results[n] = attempt(work, step, n);
    }
  });
}

function asSecondTry<T>(work: Work, take: () => T): T {
  const { replaying, again } = work;
  work.again = again || !replaying;
  work.replaying = true;
  try {
    return take();
  } finally {
    work.replaying = replaying;
    work.again = again;
  }
}

/** Takes back the folders that were made, as far as nothing is in them. */
export function unmakeFolders(work: Work): void {
  for (const { path: whole } of work.folders.toReversed()) {
    const { folder, name } = split(whole);
    const parent = openIfThere(work.tree, folder);
    if (parent === undefined || !work.tree.look(parent, name)?.isDirectory()) continue;
    try {
      work.tree.removeFolder(parent, name);
    } catch (error) {
      if (!HOLDS_MORE.has(codeOf(error))) throw error;
    }
  }
}

/** Times, modes of folders, durable names. */
export function finishTree(work: Work): void {
  setTimes(work);
  for (const { path: folder, mode } of work.folders.toReversed()) setFolderMode(work, folder, mode);
  for (const dirty of work.dirty) {
    const folder = openIfThere(work.tree, dirty);
    if (folder !== undefined) work.tree.sync(folder);
  }
}

function attempt(work: Work, step: Step, n: number): StepResult {
  const result = attemptOnce(work, step, n);
  if (work.again || !work.refused.delete(n)) return result;
  return asSecondTry(work, () => attemptOnce(work, step, n));
}

function attemptOnce(work: Work, step: Step, n: number): StepResult {
  try {
    return perform(work, step, n);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') return failure(work, step, n, error);
  }
  // A held folder may have been removed and made again: walk anew, once.
  try {
    work.tree.forget();
    return perform(work, step, n);
  } catch (error) {
    return failure(work, step, n, error);
  }
}

function perform(work: Work, step: Step, n: number): StepResult {
  if (step.do === 'mkdir') return makeFolder(work, step);
  if (step.do === 'touch') return touch(work, step);
  if (step.do === 'park') return park(work, step, n);
  if (step.do === 'move') return move(work, step, n);
  if (step.do === 'remove') return remove(work, step, n);
  if (step.do === 'rmdir') return removeFolder(work, step);
  return put(work, step, n);
}

/** A folder that is not empty holds what is none of ours: it stays. */
function removeFolder(work: Work, step: Extract<Step, { do: 'rmdir' }>): StepResult {
  if (openIfThere(work.tree, split(decodePath(step.path)).folder) === undefined) return done(step);
  const at = place(work, step.path);
  const there = work.tree.look(at.folder, at.name);
  if (there === undefined) return done(step);
  if (!there.isDirectory()) return conflict(step, 'something else is there');
  work.dirty.add(at.folder.path);
  try {
    work.tree.removeFolder(at.folder, at.name);
  } catch (error) {
    if (!HOLDS_MORE.has(codeOf(error))) throw error;
    return { ...done(step), reason: 'it holds something else, and stays' };
  }
  return done(step);
}

const HOLDS_MORE = new Set(['ENOTEMPTY', 'EEXIST', 'EBUSY']);

function makeFolder(work: Work, step: Extract<Step, { do: 'mkdir' }>): StepResult {
  const at = place(work, step.path);
  const there = work.tree.look(at.folder, at.name);
  if (there !== undefined && !there.isDirectory()) return conflict(step, 'something else is there');
  if (there === undefined) work.tree.makeFolder(at.folder, at.name, 0o700);
  // A replay cannot know who made it; the mode is the recorded one either way.
  if (there === undefined || work.replaying) work.folders.push({ path: at.path, mode: step.mode });
  work.dirty.add(at.folder.path);
  return done(step);
}

function touch(work: Work, step: Extract<Step, { do: 'touch' }>): StepResult {
  if (step.path === ROOT) {
    if (step.mode !== undefined) work.tree.setRootMode(step.mode & 0o1777);
    return done(step);
  }
  const at = place(work, step.path);
  const there = work.tree.look(at.folder, at.name);
  if (there === undefined) return conflict(step, 'it is gone');
  const asPlanned =
    work.replaying && !work.again
      ? step.expect.is === 'entry' && sameInode(there.ino, step.expect.inode)
      : isExpectedNow(work, at, there, step.expect);
  if (!asPlanned) return conflict(step, 'it has changed meanwhile');
  if (step.mode !== undefined && !there.isSymbolicLink()) setMode(work, at, there, step.mode);
  if (step.mtimeNs !== undefined && step.mtimeNs !== there.mtimeNs) {
    work.touches.push({ path: at.path, inode: there.ino, mtimeNs: step.mtimeNs });
  }
  work.dirty.add(at.folder.path);
  return done(step);
}

function setFolderMode(work: Work, whole: FsPath, mode: number): void {
  const { folder, name } = split(whole);
  const parent = openIfThere(work.tree, folder);
  const there = parent && work.tree.look(parent, name);
  if (parent === undefined || !there?.isDirectory()) return;
  setMode(work, { folder: parent, name, path: whole }, there, mode);
}

function setTimes(work: Work): void {
  for (const { path: whole, inode, mtimeNs } of work.touches) {
    const { folder: parent, name } = split(whole);
    const folder = openIfThere(work.tree, parent);
    if (folder === undefined || work.tree.look(folder, name)?.ino !== inode) continue;
    try {
      work.tree.setMtime(folder, name, mtimeNs);
    } catch (error) {
      if (!KEEPS_NONE.has(codeOf(error))) throw error;
    }
  }
}

function notTried(step: Step): StepResult {
  return { step, outcome: 'failed', path: step.path, reason: 'not tried after the disk had failed' };
}

function failure(work: Work, step: Step, n: number, error: unknown): StepResult {
  if (isDiskTrouble(error)) work.stopped = diskError(error, step.path);
  else if (!(error instanceof BkError) && codeOf(error) === 'undefined') throw error;
  else if (!(error instanceof BkError)) work.refused.add(n);
  const reason = reasonOf(error);
  return { step, outcome: 'failed', path: step.path, reason: work.stopped?.message ?? reason };
}
