import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { GitId } from '@bk/core';
import { hostPeer } from '@bk/remote';
import { layoutOf, listRefs } from '@bk/store';
import { afterEach, beforeEach, expect } from 'vitest';
import { repositoryHost } from '../peers/host.ts';
import type { OpenRemote } from '../peers/peers.ts';
import { openRepository } from '../repository.ts';
import { TestTree } from '../tree.fixture.ts';
import { type Advanced, type AdvanceOptions, advance } from './advance.ts';

export let a: TestTree;
export let b: TestTree;
/** What a person does between the look at the folder and the first step. */
let whileFetching: () => void;

export function meanwhile(work: () => void): void {
  whileFetching = work;
}

/** Two repositories of one history and the same files. */
export async function twins(make: (tree: TestTree) => void): Promise<void> {
  make(a);
  await a.commit();
  fs.rmSync(b.root, { recursive: true, force: true });
  execFileSync('cp', ['-a', a.root, b.root]);
  await b.with((repo) => repo.beginWriting());
  expect(await b.changes()).toEqual([]);
}

/** For the top of a test file. */
export function twoTrees(): void {
  beforeEach(() => {
    a = new TestTree();
    b = new TestTree();
    whileFetching = () => {};
  });
  afterEach(() => {
    a[Symbol.dispose]();
    b[Symbol.dispose]();
  });
}

/** Gives b the history of a, no files. @returns a's head */
export function exchange(): GitId {
  b.git('fetch', '-q', layoutOf(a.root).history, '+refs/heads/main:refs/remotes/a/main');
  return listRefs(layoutOf(b.root).history, 'refs/remotes/a/').map(([, id]) => id)[0]!;
}

export async function follow(options: Partial<AdvanceOptions> = {}): Promise<Advanced> {
  const to = exchange();
  const there = openRepository(a.root);
  const host = hostPeer(repositoryHost(there, { nowMs: () => a.context.nowMs() }));
  const peer: typeof host = Object.assign(Object.create(host) as typeof host, {
    readContents: (...asked: Parameters<typeof host.readContents>) => {
      whileFetching();
      return host.readContents(...asked);
    },
    facts: () => host.facts(),
    close: () => host.close(),
  });
  const from: OpenRemote[] = [{ remote: { name: 'a', address: a.root }, peer, facts: await peer.facts() }];
  try {
    return await b.with((repo) => advance(repo, to, { from, ...options }, b.context));
  } finally {
    await peer.close();
    there.close();
  }
}

/** The folders are the same for rsync, and bk has nothing to say about either. */
export async function same(label = ''): Promise<void> {
  const options = [
    '-aHn',
    '--delete',
    '--itemize-changes',
    '--exclude=/.bk',
    '--modify-window=-1',
    '--omit-dir-times',
  ];
  expect(execFileSync('rsync', [...options, `${a.root}/`, `${b.root}/`], { encoding: 'utf8' })).toBe('');
  expect(await b.changes()).toEqual([]);
  await b.verify();
  const left = ['staging', 'journal'].flatMap((name) => {
    const folder = path.join(b.root, '.bk', name);
    return fs.existsSync(folder) ? (fs.readdirSync(folder, { recursive: true }) as string[]) : [];
  });
  expect({ label, left }).toEqual({ label, left: [] });
}

export function small(tree: TestTree): void {
  tree.write('docs/a', 'text a');
  tree.write('docs/b', 'text b');
  tree.write('docs/deep/c', 'text c');
  tree.write('docs/deep/d', 'text d');
  tree.write('photos/1.jpg', 'one');
  tree.write('photos/2.jpg', 'two');
  tree.write('top', 'top');
  tree.mkdir('empty');
  fs.symlinkSync('docs/a', tree.at('link'));
}
