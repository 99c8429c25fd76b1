import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { smallTree } from '../../fixtures/small-tree.ts';
import { type Answer, bk, repository, run } from './bk.ts';
import { fastFolder, temporaryFolder } from './temporary.ts';

/** Two repositories that know each other, on two file systems where there is memory beside the disk. */
export interface Two {
  /** With a small tree, committed. */
  readonly here: string;
  /** Empty, nothing committed. */
  readonly there: string;
}

/** `here` knows the other as `there`, and the other way round. */
export function two(): Two {
  const here = path.join(temporaryFolder('bk-here-'), 'here');
  const there = path.join(fastFolder('bk-there-'), 'there');
  smallTree(here);
  repository(here);
  fs.mkdirSync(there);
  bk(['init', there]);
  acquaint(here, there);
  return { here, there };
}

/** Each becomes a remote of the other, by the name of its folder. */
export function acquaint(one: string, other: string): void {
  bk(['-C', one, 'remote', 'add', path.basename(other), other]);
  bk(['-C', other, 'remote', 'add', path.basename(one), one]);
}

/** `there` holds what `here` does, at the same commit. */
export function twoEqual(): Two {
  const both = two();
  bk(['-C', both.here, 'push', 'there']);
  return both;
}

/** What rsync would still have to do, folder times aside; nothing if both hold the same. */
export function rsyncDifferences(from: string, to: string, options: readonly string[] = []): string[] {
  const args = ['-aHnic', '--delete', '--omit-dir-times', '--exclude=/.bk', ...options, `${from}/`, `${to}/`];
  const done = spawnSync('rsync', args, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`rsync: exit ${done.status}: ${done.stderr}`);
  return done.stdout.split('\n').filter((line) => line !== '');
}

export function id(root: string): string {
  return (JSON.parse(fs.readFileSync(path.join(root, '.bk/config.json'), 'utf8')) as { id: string }).id;
}

/** One remote's part of an answer. */
export function of(answer: Answer, name = 'there'): Readonly<Record<string, unknown>> {
  const found = (answer['remotes'] as { name: string }[]).find((one) => one.name === name);
  if (found === undefined) throw new Error(`nothing about ${name} in ${JSON.stringify(answer)}`);
  return found as unknown as Readonly<Record<string, unknown>>;
}

export function codeOf(root: string, args: readonly string[]): number {
  return run(['-C', root, ...args]).code;
}
