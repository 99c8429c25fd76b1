import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { PROJECT } from './bk.ts';
import { temporaryFolder } from './temporary.ts';

/** One wrong statement in one source file. `was` must be there exactly once: if the program changes, so must the bug. */
export interface WrongStatement {
  /** Below `packages/`. */
  readonly file: string;
  readonly was: string;
  readonly is: string;
}

/** Most bugs are one statement; where two looks guard each other, both must be blind. */
export interface SeededBug {
  readonly name: string;
  readonly wrong: readonly WrongStatement[];
}

/** A copy of the program without any. */
export const NONE: SeededBug = { name: 'none', wrong: [] };

const built = new Map<SeededBug, string>();

export function programWith(bug: SeededBug): string {
  const program = built.get(bug) ?? programBuiltWith(bug);
  built.set(bug, program);
  return program;
}

/**
 * Builds a copy of the whole program with that bug in it.
 * @returns its bin/bk
 */
function programBuiltWith(bug: SeededBug): string {
  const copy = temporaryFolder('bk-seeded-');
  for (const name of ['packages', 'scripts', 'bin', 'package.json', 'tsconfig.json']) {
    fs.cpSync(path.join(PROJECT, name), path.join(copy, name), { recursive: true });
  }
  linkModules(copy);
  for (const { file, was, is } of bug.wrong) {
    const source = path.join(copy, 'packages', file);
    const text = fs.readFileSync(source, 'utf8');
    const times = text.split(was).length - 1;
    if (times !== 1)
      throw new Error(`seeded bug "${bug.name}": ${file} has the statement ${times} times: ${was}`);
    fs.writeFileSync(
      source,
      text.replace(was, () => is),
    );
  }
  const done = spawnSync(process.execPath, [path.join(copy, 'scripts/build.ts')], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`seeded bug "${bug.name}" does not build: ${done.stderr}`);
  return path.join(copy, 'bin/bk');
}

/** Everything as installed, but the workspaces, which are the copy's own. */
function linkModules(copy: string): void {
  const modules = path.join(copy, 'node_modules');
  fs.mkdirSync(path.join(modules, '@bk'), { recursive: true });
  for (const name of fs.readdirSync(path.join(PROJECT, 'node_modules'))) {
    if (name !== '@bk' && name !== 'bk')
      fs.symlinkSync(path.join(PROJECT, 'node_modules', name), path.join(modules, name));
  }
  for (const name of fs.readdirSync(path.join(copy, 'packages'))) {
    fs.symlinkSync(path.join(copy, 'packages', name), path.join(modules, '@bk', name));
  }
}

/** Of the bugs one in three for `npm test`, another one for each file; BK_SWEEP=all: every one. */
export function someOf<T>(bugs: readonly T[], first: number): readonly T[] {
  return process.env['BK_SWEEP'] === 'all' ? bugs : bugs.filter((_, i) => i % 3 === first);
}
