import fs from 'node:fs';
import path from 'node:path';
import {
  BkError,
  besideName,
  conflictNote,
  decodePath,
  type EncodedName,
  formatMtime,
  joinPath,
  nameOf,
  parentOf,
  type RepoPath,
  type Step,
  type StepResult,
  unescapeBytes,
} from '@bk/core';
import { copyDescriptor, isContent, isDiskTrouble, split } from './stage.ts';
import {
  codeOf,
  conflict,
  done,
  isExpectedNow,
  NO_LINK,
  openIfThere,
  type Place,
  type PuttingStep,
  place,
  remember,
  sameFile,
  setMode,
  sourceOf,
  type Work,
} from './work.ts';

/** Places a file or a symlink: at its path, or under its other name, or not at all. */
export function put(work: Work, step: PuttingStep, n: number): StepResult {
  const source = sourceOf(work, step, n);
  const inode = fs.lstatSync(source, { bigint: true, throwIfNoEntry: false })?.ino;
  if (work.replaying) {
    const found = placedBefore(work, step, n);
    if (found !== undefined) return found;
  }
  if (inode === undefined) return putBack(work, step, n, 'its staged content is gone');
  const problem = makeWay(work, step, n);
  if (problem === undefined) {
    try {
      if (putAt(work, step, n, step.path)) return done(step);
    } catch (error) {
      putBack(work, step, n, '');
      throw error;
    }
  }
  const reason = problem ?? 'another file is there';
  if (step.otherwise !== undefined && putAt(work, step, n, step.otherwise)) {
    return { step, outcome: 'done-otherwise', path: step.otherwise };
  }
  const beside = putBeside(work, step, n);
  return beside === undefined
    ? conflict(step, reason)
    : { step, outcome: 'done-otherwise', path: beside, reason };
}

/** Somebody's file keeps the path; both are there. @returns undefined: nobody said whose it is, or its folder is not there */
function putBeside(work: Work, step: PuttingStep, n: number): RepoPath | undefined {
  const { placedFor } = work.transaction;
  const parent = parentOf(step.path);
  if (placedFor === undefined || openIfThere(work.tree, decodePath(parent)) === undefined) return undefined;
  const refused = new Set<EncodedName>();
  const isTaken = (name: EncodedName): boolean => {
    const at = place(work, joinPath(parent, name));
    const there = work.tree.look(at.folder, at.name);
    const isOurs = there !== undefined && work.replaying && isPlaced(work, step, n, { at, there });
    return refused.has(name) || (there !== undefined && !isOurs);
  };
  for (let tries = 0; tries < MOST_NAMES; tries++) {
    const name = besideName(nameOf(step.path), conflictNote(placedFor, formatMtime(step.mtimeNs)), isTaken);
    const path = joinPath(parent, name);
    const at = place(work, path);
    const there = work.tree.look(at.folder, at.name);
    if (there !== undefined) {
      settle(work, step, at, there);
      return path;
    }
    if (putAt(work, step, n, path)) return path;
    refused.add(name);
  }
  return undefined;
}

const MOST_NAMES = 100;

/** What an interrupted run had placed already. */
function placedBefore(work: Work, step: PuttingStep, n: number): StepResult | undefined {
  for (const candidate of [step.path, step.otherwise]) {
    if (candidate === undefined) continue;
    const folder = openIfThere(work.tree, split(decodePath(candidate)).folder);
    if (folder === undefined) continue;
    const at = place(work, candidate);
    const there = work.tree.look(at.folder, at.name);
    if (there === undefined || !isPlaced(work, step, n, { at, there })) continue;
    settle(work, step, at, there);
    return candidate === step.path ? done(step) : { step, outcome: 'done-otherwise', path: candidate };
  }
  return undefined;
}

function isPlaced(
  work: Work,
  step: PuttingStep,
  n: number,
  found: { at: Place; there: fs.BigIntStats },
): boolean {
  const source = sourceOf(work, step, n);
  const staged = fs.lstatSync(source, { bigint: true, throwIfNoEntry: false });
  const { at, there } = found;
  if (staged !== undefined && staged.ino === there.ino && staged.dev === there.dev) return true;
  if (work.transaction.placing === 'link' && !work.creating.has(n)) return false;
  if (step.do === 'symlink') {
    return there.isSymbolicLink() && work.tree.readLink(at.folder, at.name) === unescapeBytes(step.target);
  }
  return there.isFile() && finishPartial(work, step, source, found);
}

/**
 * A file that was being written under its final name: whole, or a beginning of the content, which is removed (all its
 * bytes are in the source) so that it is written again; anything else is the user's.
 */
function finishPartial(
  work: Work,
  step: Extract<Step, { do: 'place' }>,
  source: string,
  { at, there }: { at: Place; there: fs.BigIntStats },
): boolean {
  const fd = work.tree.openFile(at.folder, at.name);
  const original = fs.openSync(source, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    if (!isBeginning(fd, original)) return false;
    if (there.size === BigInt(step.content.size)) {
      fs.fsyncSync(fd);
      return true;
    }
    work.tree.removeOwn(at.folder, at.name, there.ino);
    return false;
  } finally {
    fs.closeSync(fd);
    fs.closeSync(original);
  }
}

function isBeginning(part: number, whole: number): boolean {
  const a = Buffer.allocUnsafe(1 << 16);
  const b = Buffer.allocUnsafe(1 << 16);
  for (let at = 0; ; ) {
    const read = fs.readSync(part, a, 0, a.length, at);
    if (read === 0) return true;
    const other = fs.readSync(whole, b, 0, read, at);
    if (other !== read || a.compare(b, 0, read, 0, read) !== 0) return false;
    at += read;
  }
}

/** Makes the path free as the plan expects. @returns why it cannot */
function makeWay(work: Work, step: PuttingStep, n: number): string | undefined {
  const parent = openIfThere(work.tree, split(decodePath(step.path)).folder);
  if (parent === undefined) return 'its folder is not there any more, or no folder';
  const at = place(work, step.path);
  const captured = path.join(work.folder, `c${n}`);
  const taken = work.replaying ? fs.lstatSync(captured, { bigint: true, throwIfNoEntry: false }) : undefined;
  if (taken !== undefined) return afterCapture(work, step, n, taken);
  const there = work.tree.look(at.folder, at.name);
  if (step.expect.is === 'absent') return there === undefined ? undefined : 'another file is there';
  if (there === undefined) return 'the file that was to be replaced is gone';
  if (there.isDirectory() || !isExpectedNow(work, at, there, step.expect))
    return 'the file that was to be replaced has changed';
  work.tree.capture(at.folder, at.name, captured);
  work.dirty.add(at.folder.path);
  return afterCapture(work, step, n, fs.lstatSync(captured, { bigint: true }));
}

/** A rename takes whatever is there; if that is not what was looked at a moment before, it goes back. */
function afterCapture(work: Work, step: PuttingStep, n: number, taken: fs.BigIntStats): string | undefined {
  const { expect } = step;
  if (expect.is === 'entry' && sameFile(taken, expect)) return undefined;
  putBack(work, step, n, '');
  return 'the file that was to be replaced has changed';
}

/** Takes a file or symlink into staging, and with the end of the transaction into the net. */
export function remove(work: Work, step: Extract<Step, { do: 'remove' }>, n: number): StepResult {
  const captured = path.join(work.folder, `c${n}`);
  if (fs.lstatSync(captured, { throwIfNoEntry: false }) !== undefined) return done(step);
  if (openIfThere(work.tree, split(decodePath(step.path)).folder) === undefined) return done(step);
  const at = place(work, step.path);
  const there = work.tree.look(at.folder, at.name);
  if (there === undefined) return done(step);
  if (there.isDirectory() || !isExpectedNow(work, at, there, step.expect))
    return conflict(step, 'it has changed meanwhile');
  work.tree.capture(at.folder, at.name, captured);
  work.dirty.add(at.folder.path);
  const taken = fs.lstatSync(captured, { bigint: true });
  if (sameFile(taken, step.expect)) {
    remember(work, taken);
    return done(step);
  }
  putBack(work, step, n, '');
  return conflict(step, 'it has changed meanwhile');
}

/** Gives a captured file its name again; its other name goes into the net. If the name is taken, only that. */
function putBack(work: Work, step: Step, n: number, reason: string): StepResult {
  const captured = path.join(work.folder, `c${n}`);
  const there = fs.lstatSync(captured, { throwIfNoEntry: false });
  const folder = there && openIfThere(work.tree, split(decodePath(step.path)).folder);
  if (folder !== undefined) {
    const { name } = split(decodePath(step.path));
    try {
      if (there?.isDirectory()) work.tree.putFolderBack(captured, folder, name);
      else if (work.transaction.placing === 'link') work.tree.linkInto(captured, folder, name);
      else work.tree.moveInto(captured, folder, name);
      letGoOfTaken(work, captured, { folder, name });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' && codeOf(error) !== 'ENOTEMPTY') throw error;
    }
  }
  return { step, outcome: 'failed', path: step.path, reason };
}

/** A captured file has its name in the tree again: its name in staging goes, so that it can be captured once more. */
export function letGoOfTaken(work: Work, taken: string, at: Pick<Place, 'folder' | 'name'>): void {
  const there = work.tree.look(at.folder, at.name);
  const now = fs.lstatSync(taken, { bigint: true, throwIfNoEntry: false });
  if (there === undefined || now === undefined || there.isDirectory() || there.ino !== now.ino) return;
  fs.unlinkSync(taken);
  const after = work.tree.look(at.folder, at.name);
  if (after?.ino === there.ino) work.ours.set(after.ino, after.ctimeNs);
}

/** @returns false if something is there */
function putAt(work: Work, step: PuttingStep, n: number, path: RepoPath): boolean {
  const parent = openIfThere(work.tree, split(decodePath(path)).folder);
  if (parent === undefined) return false;
  const at = place(work, path);
  try {
    link(work, step, n, at);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  const there = work.tree.look(at.folder, at.name);
  try {
    if (there !== undefined) settle(work, step, at, there);
  } catch (error) {
    // It is not to stand there with another mode; its staged name has it still.
    if (there !== undefined && !isDiskTrouble(error)) work.tree.removeOwn(at.folder, at.name, there.ino);
    throw error;
  }
  return true;
}

function link(work: Work, step: PuttingStep, n: number, at: Place): void {
  const source = sourceOf(work, step, n);
  work.dirty.add(at.folder.path);
  if (work.transaction.placing === 'link') {
    try {
      work.tree.linkInto(source, at.folder, at.name);
      return;
    } catch (error) {
      if (!NO_LINK.has(codeOf(error))) throw error;
      work.journal.creating(n);
      work.creating.add(n);
    }
  }
  if (step.do === 'symlink') work.tree.makeSymlink(unescapeBytes(step.target) ?? '', at.folder, at.name);
  else createCopy(work, step, source, at);
}

/** Where there are no links: written under its final name, which the journal knows, and hashed. */
function createCopy(work: Work, step: Extract<Step, { do: 'place' }>, source: string, at: Place): void {
  const from = fs.openSync(source, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    const to = work.tree.createFile(at.folder, at.name);
    const { ino } = fs.fstatSync(to, { bigint: true });
    try {
      if (!isContent(copyDescriptor(from, to), step.content))
        throw new BkError('damaged', 'its content changed while it was copied');
      fs.fsyncSync(to);
    } catch (error) {
      work.tree.removeOwn(at.folder, at.name, ino);
      throw error;
    } finally {
      fs.closeSync(to);
    }
  } finally {
    fs.closeSync(from);
  }
}

/** Mode and times as recorded, as far as they are not so already. */
function settle(work: Work, step: PuttingStep, at: Place, there: fs.BigIntStats): void {
  work.dirty.add(at.folder.path);
  if (step.do === 'place') setMode(work, at, there, step.mode);
  if (there.mtimeNs !== step.mtimeNs)
    work.touches.push({ path: at.path, inode: there.ino, mtimeNs: step.mtimeNs });
}
