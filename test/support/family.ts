import fs from 'node:fs';
import path from 'node:path';
import { replaceAtomically } from '../../fixtures/small-tree.ts';
import { bk, repository } from './bk.ts';
import { git } from './history.ts';
import { fastFolder } from './temporary.ts';
import { acquaint } from './two.ts';

/** One collection in three places, all equal; each knows the others by the names of their folders. */
export interface Family {
  readonly laptop: string;
  readonly desktop: string;
  readonly old: string;
}

export interface FamilyOptions {
  /** Folders in which they are made; absent: new ones. */
  readonly points?: readonly string[];
  /** What the old disk wants; absent: everything. */
  readonly subset?: readonly string[];
}

export function family(grow: (root: string) => void, { points, subset = [] }: FamilyOptions = {}): Family {
  const base = points ?? Array.from({ length: 3 }, () => fastFolder('bk-family-'));
  const [laptop, desktop, old] = ['laptop', 'desktop', 'old'].map((name, i) =>
    path.join(base[i] ?? '', name),
  ) as [string, string, string];
  grow(laptop);
  repository(laptop);
  for (const other of [desktop, old]) {
    const wanted = other === old ? subset.flatMap((pattern) => ['--subset', pattern]) : [];
    bk(['-C', laptop, 'clone', ...wanted, other]);
    bk(['-C', other, 'remote', 'remove', 'origin']);
    bk(['-C', other, 'remote', 'add', 'laptop', laptop]);
  }
  acquaint(desktop, old);
  return { laptop, desktop, old };
}

export function write(root: string, file: string, text: string, timeSec?: number): void {
  const at = path.join(root, file);
  fs.mkdirSync(path.dirname(at), { recursive: true });
  replaceAtomically(at, text);
  if (timeSec !== undefined) fs.utimesSync(at, timeSec, timeSec);
}

export function read(root: string, file: string): string {
  return fs.readFileSync(path.join(root, file), 'utf8');
}

export function has(root: string, file: string): boolean {
  return fs.lstatSync(path.join(root, file), { throwIfNoEntry: false }) !== undefined;
}

export function move(root: string, from: string, to: string): void {
  fs.mkdirSync(path.dirname(path.join(root, to)), { recursive: true });
  fs.renameSync(path.join(root, from), path.join(root, to));
}

export function remove(root: string, file: string): void {
  fs.rmSync(path.join(root, file), { recursive: true });
}

export function commit(root: string, ...options: string[]): string {
  const { commit: made } = bk(['-C', root, 'commit', '-m', `of ${path.basename(root)}`, ...options]);
  return made ?? '';
}

/** Both learn of each other's head before either merges it: two people who merge at the same time. */
export function meet(one: string, other: string): void {
  for (const root of [one, other]) bk(['-C', root, 'fetch']);
}

/** What another repository's head was when this one heard of it last. */
export function knownHead(root: string, name: string): string {
  return git(root, ['rev-parse', `refs/remotes/${name}/main`])
    .toString()
    .trim();
}
