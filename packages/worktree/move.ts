import fs from 'node:fs';
import path from 'node:path';
import { decodePath, type FsName, type FsPath, type RepoPath, type Step, type StepResult } from '@bk/core';
import { moveApart } from './move-apart.ts';
import { letGoOfTaken } from './put.ts';
import { isDiskTrouble, split } from './stage.ts';
import type { Folder } from './treefs.ts';
import {
  codeOf,
  conflict,
  done,
  isExpectedNow,
  isFolder,
  isHeld,
  NO_LINK,
  openIfThere,
  place,
  remember,
  sameFile,
  sameInode,
  setMode,
  type Work,
} from './work.ts';

/**
 * Moves: a file goes by way of staging (captured there by a rename, looked at, linked under its new name), a folder by
 * one rename where nothing is. `m<n>` in staging is what step n took: of a file it stays beside the new name until the
 * transaction is durable, so that a replay finds it; it is never the last that is removed.
 */
type MoveStep = Extract<Step, { do: 'move' }>;
type ParkStep = Extract<Step, { do: 'park' }>;

/** Parent folders of both names must be held at once: a rename that needs more of them goes by way of staging. */
const DEPTH_AT_ONCE = 80;
const MOST_NAMES = 100;

export function park(work: Work, step: ParkStep, n: number): StepResult {
  const taken = takenFile(work, n);
  if (lstat(taken) !== undefined) return done(step);
  const problem = take(work, step, step.path, taken);
  // A replay may come when it has its new name already.
  return problem === undefined || work.replaying ? done(step) : conflict(step, problem);
}

export function move(work: Work, step: MoveStep, n: number): StepResult {
  const taken = takenFile(work, step.parked ?? n);
  if (lstat(taken) !== undefined) return give(work, step, taken);
  if (work.replaying && isThere(work, step)) return settled(work, step);
  if (step.parked !== undefined) return conflict(step, 'it could not be moved');
  if (step.what === 'folder' && work.creating.has(n)) return moveApart(work, step);
  if (step.what === 'folder' && depthOf(step) <= DEPTH_AT_ONCE) {
    const result = renameFolder(work, step, n);
    if (result !== undefined) return result;
  }
  const problem = take(work, step, step.from, taken);
  return problem === undefined ? give(work, step, taken) : conflict(step, problem);
}

/** @returns why it stays where it is */
function take(work: Work, step: MoveStep | ParkStep, from: RepoPath, taken: string): string | undefined {
  const parent = openIfThere(work.tree, split(decodePath(from)).folder);
  if (parent === undefined) return 'its folder is not there any more, or no folder';
  const at = place(work, from);
  const there = work.tree.look(at.folder, at.name);
  if (there === undefined) return 'it is gone';
  if (there.isDirectory() !== (step.what === 'folder')) return 'something else is there';
  const fits =
    work.replaying && !there.isDirectory()
      ? sameFile(there, step.expect)
      : isExpectedNow(work, at, there, step.expect);
  if (!fits) return 'it has changed meanwhile';
  if (step.what === 'folder') syncBelow(work, at.path);
  work.tree.capture(at.folder, at.name, taken);
  work.tree.forgetBelow(at.path);
  work.dirty.add(at.folder.path);
  const now = fs.lstatSync(taken, { bigint: true });
  const same = step.what === 'folder' ? isFolder(work, now, step.expect.inode) : sameFile(now, step.expect);
  if (same) {
    remember(work, now);
    return undefined;
  }
  putUnder(work, from, taken);
  return 'it has changed meanwhile';
}

/** Gives what was taken its new name; if that is not free its old one; a file may stay in staging, for the net. */
function give(work: Work, step: MoveStep, taken: string): StepResult {
  const whole = fs.lstatSync(taken).isDirectory();
  let refused: unknown;
  try {
    if (isThere(work, step) || putUnder(work, step.path, taken)) return settled(work, step);
  } catch (error) {
    // It has the new name and not yet its mode, or the disk fails: what is to be done next, a replay does.
    if (isDiskTrouble(error) || isThere(work, step)) throw error;
    refused = error;
  }
  if (putUnder(work, step.from, taken)) giveUpTaken(work, step, taken);
  else if (whole) putAnywhere(work, step.path, taken);
  if (refused !== undefined) throw refused;
  return conflict(step, 'something else is there');
}

function giveUpTaken(work: Work, step: MoveStep, taken: string): void {
  const { folder, name } = split(decodePath(step.from));
  letGoOfTaken(work, taken, { folder: work.tree.openFolder(folder), name });
}

/** @returns false if the name is taken or its folder is not there */
function putUnder(work: Work, to: RepoPath, taken: string): boolean {
  const whole = decodePath(to);
  const { folder: above, name } = split(whole);
  const folder = openIfThere(work.tree, above);
  const now = fs.lstatSync(taken, { bigint: true });
  if (folder === undefined) return false;
  const there = work.tree.look(folder, name);
  const partial =
    there?.isFile() === true &&
    there.size === 0n &&
    work.replaying &&
    work.creating.has(Number(path.basename(taken).slice(1)));
  if (there !== undefined && partial && !now.isDirectory() && now.size > 0n)
    work.tree.removeOwn(folder, name, there.ino);
  else if (there !== undefined) return false;
  try {
    if (now.isDirectory()) work.tree.putFolderBack(taken, folder, name);
    else linkOrMove(work, taken, { folder, name });
  } catch (error) {
    if (!TAKEN.has(codeOf(error))) throw error;
    return false;
  }
  work.tree.forgetBelow(whole);
  work.dirty.add(folder.path);
  const there2 = work.tree.look(folder, name);
  if (there2 !== undefined) remember(work, there2);
  return true;
}

function linkOrMove(work: Work, taken: string, to: { readonly folder: Folder; readonly name: FsName }): void {
  if (work.transaction.placing === 'link') {
    try {
      work.tree.linkInto(taken, to.folder, to.name);
      return;
    } catch (error) {
      if (!NO_LINK.has(codeOf(error))) throw error;
    }
  }
  work.journal.creating(Number(path.basename(taken).slice(1)));
  work.tree.moveInto(taken, to.folder, to.name);
}

/** A folder of the user's never stays in `.bk`: it gets the first free name beside. */
function putAnywhere(work: Work, to: RepoPath, taken: string): void {
  for (let n = 2; n <= MOST_NAMES; n++) if (putUnder(work, `${to} (${n})` as RepoPath, taken)) return;
  const folder = split(decodePath(to)).name;
  for (let n = 2; n <= MOST_NAMES; n++) if (putUnder(work, `${folder} (${n})` as RepoPath, taken)) return;
}

/** @returns undefined if it has to go by way of staging */
function renameFolder(work: Work, step: MoveStep, n: number): StepResult | undefined {
  const wholeFrom = decodePath(step.from);
  const wholeTo = decodePath(step.path);
  if (openIfThere(work.tree, split(wholeFrom).folder) === undefined) return conflict(step, 'it is gone');
  if (openIfThere(work.tree, split(wholeTo).folder) === undefined)
    return conflict(step, 'its folder is not there any more, or no folder');
  const to = place(work, step.path);
  const from = place(work, step.from);
  if (!isHeld(work.tree, to) || !isHeld(work.tree, from)) return undefined;
  const there = work.tree.look(from.folder, from.name);
  if (there === undefined) return conflict(step, 'it is gone');
  if (!isFolder(work, there, step.expect.inode)) return conflict(step, 'something else is there');
  const occupant = work.tree.look(to.folder, to.name);
  // Of a name that differs only by case a file system may say that it is there.
  if (occupant?.ino === there.ino) return undefined;
  if (occupant !== undefined) return conflict(step, 'something else is in its place');
  try {
    work.tree.moveFolder(from, to);
  } catch (error) {
    if (TAKEN.has(codeOf(error))) return conflict(step, 'something else is in its place');
    if (!REFUSED.has(codeOf(error)) || work.transaction.placing !== 'link') throw error;
    work.journal.creating(n);
    work.creating.add(n);
    return moveApart(work, step);
  }
  carryDirty(work, wholeFrom, wholeTo);
  work.dirty.add(from.folder.path);
  work.dirty.add(to.folder.path);
  return done(step);
}

/** It has its new name already. */
function isThere(work: Work, step: MoveStep): boolean {
  if (openIfThere(work.tree, split(decodePath(step.path)).folder) === undefined) return false;
  const at = place(work, step.path);
  const there = work.tree.look(at.folder, at.name);
  if (there === undefined) return false;
  return step.what === 'folder'
    ? isFolder(work, there, step.expect.inode)
    : !there.isDirectory() &&
        sameInode(there.ino, step.expect.inode) &&
        there.size === BigInt(step.expect.size);
}

/** Mode and time as recorded, where they change with the move. */
function settled(work: Work, step: MoveStep): StepResult {
  const at = place(work, step.path);
  const there = work.tree.look(at.folder, at.name);
  work.dirty.add(at.folder.path);
  if (there === undefined || step.what === 'folder') return done(step);
  if (step.mode !== undefined && !there.isSymbolicLink()) setMode(work, at, there, step.mode);
  if (step.mtimeNs !== undefined && step.mtimeNs !== there.mtimeNs)
    work.touches.push({ path: at.path, inode: there.ino, mtimeNs: step.mtimeNs });
  return done(step);
}

/** Names that are not durable yet and move with their folder. */
function carryDirty(work: Work, from: FsPath, to: FsPath): void {
  for (const dirty of [...work.dirty]) {
    if (dirty !== from && !dirty.startsWith(`${from}/`)) continue;
    work.dirty.delete(dirty);
    work.dirty.add(`${to}${dirty.slice(from.length)}` as FsPath);
  }
}

function syncBelow(work: Work, from: FsPath): void {
  for (const dirty of [...work.dirty]) {
    if (dirty !== from && !dirty.startsWith(`${from}/`)) continue;
    const folder = openIfThere(work.tree, dirty);
    if (folder !== undefined) work.tree.sync(folder);
    work.dirty.delete(dirty);
  }
}

function takenFile(work: Work, n: number): string {
  return path.join(work.folder, `m${n}`);
}

function lstat(file: string): fs.Stats | undefined {
  return fs.lstatSync(file, { throwIfNoEntry: false });
}

function depthOf(step: MoveStep): number {
  return step.path.split('/').length + step.from.split('/').length;
}

const TAKEN = new Set(['EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR']);
/** What a folder is not renamed for, though what is in it may be: overlays, quotas of projects, limits of links. */
const REFUSED = new Set(['EXDEV', 'EBUSY', 'EACCES', 'EPERM', 'EMLINK']);
