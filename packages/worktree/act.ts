import fs from 'node:fs';
import path from 'node:path';
import { BkError, type FsName, type FsPath, type Step, type StepResult } from '@bk/core';
import { secondsText, setMtimes } from './mtimes.ts';
import { put } from './put.ts';
import { diskError, isDiskTrouble, KEEPS_NONE, split } from './stage.ts';
import type { Folder } from './treefs.ts';
import {
  codeOf,
  conflict,
  done,
  isExpected,
  NO_LINK,
  openIfThere,
  place,
  sameInode,
  setMode,
  type Work,
} from './work.ts';

const MARK_EVERY = 1_000;

/** Takes every step, one after the other; fills `results`. After trouble with the disk the rest is not tried. */
export function act(work: Work): void {
  work.transaction.steps.forEach((step, n) => {
    work.results.push(work.stopped === undefined ? attempt(work, step, n) : notTried(step));
    if (n % MARK_EVERY === MARK_EVERY - 1) work.journal.done(n + 1);
  });
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
  try {
    return perform(work, step, n);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') return failure(work, step, error);
  }
  // A held folder may have been removed and made again: walk anew, once.
  try {
    work.tree.forget();
    return perform(work, step, n);
  } catch (error) {
    return failure(work, step, error);
  }
}

function perform(work: Work, step: Step, n: number): StepResult {
  if (step.do === 'mkdir') return makeFolder(work, step);
  if (step.do === 'touch') return touch(work, step);
  return put(work, step, n);
}

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
  const at = place(work, step.path);
  const there = work.tree.look(at.folder, at.name);
  if (there === undefined) return conflict(step, 'it is gone');
  const asPlanned = work.replaying
    ? step.expect.is === 'entry' && sameInode(there.ino, step.expect.inode)
    : isExpected(there, step.expect);
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

/** Times near enough at once where that is exact; the others through links in staging, all together. */
function setTimes(work: Work): void {
  const wanted: { name: string; mtimeNs: bigint }[] = [];
  for (const { path: whole, inode, mtimeNs } of work.touches) {
    const { folder: parent, name } = split(whole);
    const folder = openIfThere(work.tree, parent);
    if (folder === undefined || work.tree.look(folder, name)?.ino !== inode) continue;
    const text = secondsText(mtimeNs);
    setNearest(work, folder, name, text);
    if (work.tree.look(folder, name)?.mtimeNs === mtimeNs || work.transaction.placing === 'create') continue;
    const alias = `t${wanted.length}`;
    if (aliased(work, folder, name, { alias, inode })) wanted.push({ name: alias, mtimeNs });
  }
  if (wanted.length > 0) setMtimes(work.folder, wanted);
  for (const { name } of wanted) {
    const file = path.join(work.folder, name);
    // Its owner may have removed the file meanwhile: then this is the last link, and goes into the net.
    if (fs.lstatSync(file).nlink > 1) fs.unlinkSync(file);
  }
}

function setNearest(work: Work, folder: Folder, name: FsName, text: string): void {
  try {
    work.tree.setTimes(folder, name, text);
  } catch (error) {
    if (!KEEPS_NONE.has(codeOf(error))) throw error;
  }
}

function aliased(work: Work, folder: Folder, name: FsName, to: { alias: string; inode: bigint }): boolean {
  const file = path.join(work.folder, to.alias);
  try {
    fs.rmSync(file, { force: true });
    work.tree.linkOut(folder, name, file);
  } catch (error) {
    if (NO_LINK.has(codeOf(error)) || codeOf(error) === 'ENOENT') return false;
    throw error;
  }
  if (fs.lstatSync(file, { bigint: true }).ino === to.inode) return true;
  fs.unlinkSync(file);
  return false;
}

function notTried(step: Step): StepResult {
  return { step, outcome: 'failed', path: step.path, reason: 'not tried after the disk had failed' };
}

function failure(work: Work, step: Step, error: unknown): StepResult {
  if (isDiskTrouble(error)) work.stopped = diskError(error, step.path);
  else if (!(error instanceof BkError) && codeOf(error) === 'undefined') throw error;
  const reason = error instanceof BkError ? error.message : (REASONS[codeOf(error)] ?? codeOf(error));
  return { step, outcome: 'failed', path: step.path, reason: work.stopped?.message ?? reason };
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOENT: 'its folder is not there',
  ENOTDIR: 'a file stands where its folder should be',
  ELOOP: 'a link stands where its folder should be',
  ENAMETOOLONG: 'the file system does not take so long a name',
  EINVAL: 'the file system does not take this name',
};
