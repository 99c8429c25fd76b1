import fs from 'node:fs';
import path from 'node:path';
import { decodePath, type FsName, type FsPath, type Step, type StepResult } from '@bk/core';
import { isDiskTrouble, split } from './stage.ts';
import type { Folder } from './treefs.ts';
import { codeOf, conflict, done, isFolder, openIfThere, remember, setMode, type Work } from './work.ts';

/**
 * Moves a folder that the system does not rename (overlays, limits of links) by what is in it: the folder is made anew,
 * every file gets its name in it by a link before it leaves the old one by way of staging (`t<n>`), so that it has a
 * name at every moment, nothing is overwritten, and a replay sees what is left to do. Needs links. The journal says
 * that the step is done like this (`creating`), so that a replay goes on in a folder that stands there already.
 */
export function moveApart(work: Work, step: Extract<Step, { do: 'move' }>): StepResult {
  const [from, to] = [decodePath(step.from), decodePath(step.path)];
  const old = lookAt(work, from);
  // A replay: all of it had moved.
  if (old === undefined && lookAt(work, to)?.isDirectory()) return done(step);
  if (old === undefined || !isFolder(work, old, step.expect.inode)) return conflict(step, 'it is gone');
  const problems: unknown[] = [];
  moveContents(work, { from, to, problems }, old);
  const refused = problems.find((problem) => typeof problem !== 'string');
  if (refused !== undefined) throw refused;
  return problems.length === 0 ? done(step) : conflict(step, String(problems[0]));
}

interface Moving {
  readonly from: FsPath;
  readonly to: FsPath;
  /** Why something stays: words, or the system's error. */
  readonly problems: unknown[];
}

function moveContents(work: Work, { from, to, problems }: Moving, old: fs.BigIntStats): void {
  const attempt = (action: () => string | undefined): void => {
    try {
      const problem = action();
      if (problem !== undefined) problems.push(problem);
    } catch (error) {
      if (isDiskTrouble(error)) throw error;
      problems.push(error);
    }
  };
  const made = makeBeside(work, to);
  if (made === undefined) {
    problems.push('something else is in its place');
    return;
  }
  work.remade.set(old.ino, made.ino);
  const linked: FsName[] = [];
  for (const name of work.tree.names(work.tree.openFolder(from))) {
    const inner = lookAt(work, below(from, name));
    if (inner === undefined) continue;
    if (inner.isDirectory())
      attempt(() => moveFolder(work, { from: below(from, name), to: below(to, name), problems }, inner));
    else
      attempt(() => {
        const problem = linkTo(work, { from, to, name }, inner);
        if (problem === undefined) linked.push(name);
        return problem;
      });
  }
  work.tree.sync(work.tree.openFolder(to));
  for (const name of linked) attempt(() => takeAway(work, from, to, name));
  attempt(() => finish(work, from, to, old));
}

function moveFolder(work: Work, moving: Moving, old: fs.BigIntStats): undefined {
  const { from, to } = moving;
  if (lookAt(work, to) === undefined) {
    const target = place(work, to);
    const source = place(work, from);
    try {
      work.tree.moveFolder(source, target);
      return;
    } catch (error) {
      if (isDiskTrouble(error)) throw error;
    }
  }
  moveContents(work, moving, old);
}

function linkTo(
  work: Work,
  { from, to, name }: { readonly from: FsPath; readonly to: FsPath; readonly name: FsName },
  file: fs.BigIntStats,
): string | undefined {
  const [source, target] = [work.tree.openFolder(from), work.tree.openFolder(to)];
  try {
    work.tree.linkAcross({ folder: source, name }, { folder: target, name });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  return work.tree.look(target, name)?.ino === file.ino ? undefined : 'something else is in its place';
}

/** The name that was left; if it is another file's by now, that one keeps it. */
function takeAway(work: Work, from: FsPath, to: FsPath, name: FsName): string | undefined {
  const taken = freeName(work);
  const [source, target] = [work.tree.openFolder(from), work.tree.openFolder(to)];
  const file = work.tree.look(target, name);
  work.tree.capture(source, name, taken);
  const left = fs.lstatSync(taken, { bigint: true });
  const now = work.tree.look(target, name);
  if (now !== undefined) remember(work, now);
  if (left.ino === file?.ino) return undefined;
  work.tree.linkInto(taken, source, name);
  return 'it has changed meanwhile';
}

/** The old folder goes if nothing is left in it; the new one gets its mode. One that was made for nothing goes. */
function finish(work: Work, from: FsPath, to: FsPath, old: fs.BigIntStats): string | undefined {
  const target = place(work, to);
  const made = work.tree.look(target.folder, target.name);
  if (made !== undefined) setMode(work, target, made, Number(old.mode & 0o7777n));
  for (const folder of [from, to]) work.dirty.add(split(folder).folder).add(folder);
  const source = place(work, from);
  const left = work.tree.names(work.tree.openFolder(from)).length > 0;
  if (!left) {
    work.tree.removeFolder(source.folder, source.name);
    work.tree.forgetBelow(from);
    return undefined;
  }
  if (work.tree.names(work.tree.openFolder(to)).length === 0) {
    const again = place(work, to);
    work.tree.removeFolder(again.folder, again.name);
  }
  return 'something in it could not be moved';
}

/** The folder to move into, made if it is not there. */
function makeBeside(work: Work, to: FsPath): fs.BigIntStats | undefined {
  const { folder, name } = place(work, to);
  const there = work.tree.look(folder, name);
  if (there === undefined) work.tree.makeFolder(folder, name, 0o700);
  const now = work.tree.look(folder, name);
  return now?.isDirectory() === true ? now : undefined;
}

function place(
  work: Work,
  whole: FsPath,
): { readonly path: FsPath; readonly folder: Folder; readonly name: FsName } {
  const { folder, name } = split(whole);
  return { path: whole, folder: work.tree.openFolder(folder), name };
}

function lookAt(work: Work, whole: FsPath): fs.BigIntStats | undefined {
  const { folder, name } = split(whole);
  const parent = openIfThere(work.tree, folder);
  return parent === undefined ? undefined : work.tree.look(parent, name);
}

function freeName(work: Work): string {
  for (let n = work.apart; ; n++) {
    const file = path.join(work.folder, `t${n}`);
    if (fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined) continue;
    work.apart = n + 1;
    return file;
  }
}

function below(folder: FsPath, name: FsName): FsPath {
  return `${folder}/${name}` as FsPath;
}
