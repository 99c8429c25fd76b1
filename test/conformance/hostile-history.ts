import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BkError, formatRecord, type GitId } from '@bk/core';
import { HistoryReader, initHistory, type PackLimits, receivePack, type Tip } from '@bk/store';
import { afterEach, beforeEach, expect } from 'vitest';
import { fastFolder } from '../support/temporary.ts';
import { Forge, factsOf, packOf } from './forge.ts';

export const FILE = '100644';
export const FOLDER = '40000';
export const MAIN = 'refs/heads/main';
export const OTHER = '0190a1b2-c3d4-7e5f-8a6b-999999999999';
export const PRESENCE = `refs/bk/repositories/${OTHER}`;
export const NOWHERE = '1'.repeat(40) as GitId;

/** What is sent, and for which refs. */
export interface Sent {
  readonly pack: Buffer;
  readonly tips: readonly Tip[];
  readonly limits?: Partial<PackLimits>;
}

export interface Here {
  readonly dir: string;
  readonly staging: string;
  /** A commit, a tree, a record and a presence that are here already. */
  readonly commit: GitId;
  readonly tree: GitId;
  readonly record: GitId;
  readonly presence: GitId;
  readonly presenceTree: GitId;
}

/** What each test begins with; made anew before it. */
export let here: Here;
export let reader: HistoryReader;

beforeEach(async () => {
  const base = fastFolder('bk-hostile-');
  const layout = { history: path.join(base, 'history'), staging: path.join(base, 'staging') };
  fs.mkdirSync(layout.staging);
  initHistory(layout.history);
  reader = new HistoryReader(layout.history);
  const forge = new Forge();
  const record = forge.record();
  const tree = forge.tree([FILE, 'a', record], [FOLDER, 'b', forge.tree([FILE, 'c', forge.record()])]);
  const commit = forge.commit(tree);
  const presenceTree = forge.tree([FOLDER, 'present', tree], [FILE, 'repository.json', about(forge)]);
  const presence = forge.commit(presenceTree);
  await receivePack(
    chunks(packOf(forge.entries)),
    [
      { name: MAIN, id: commit },
      { name: PRESENCE, id: presence },
    ],
    {
      layout,
      reader,
    },
  );
  here = { dir: layout.history, staging: layout.staging, commit, tree, record, presence, presenceTree };
});

afterEach(() => reader.close());

export function about(forge: Forge, id = OTHER): GitId {
  return forge.add('blob', factsOf(id));
}

async function* chunks(bytes: Buffer, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function receive({ pack, tips, limits }: Sent) {
  const layout = { history: here.dir, staging: here.staging };
  return receivePack(chunks(pack), tips, { layout, reader, ...(limits && { limits }) });
}

export function git(...args: string[]): string {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' };
  return execFileSync('git', ['--git-dir', here.dir, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export function main(forge: Forge, tip: GitId): Sent {
  return { pack: packOf(forge.entries), tips: [{ name: MAIN, id: tip }] };
}

/** A commit of the tree that `make` makes. */
export function treeOf(make: (forge: Forge) => GitId): () => Sent {
  return () => {
    const forge = new Forge();
    return main(forge, forge.commit(make(forge)));
  };
}

export function deep(levels: number): () => Sent {
  return treeOf((forge) => {
    let tree = forge.tree([FILE, 'f', forge.record()]);
    for (let i = 0; i < levels; i++) tree = forge.tree([FOLDER, 'd', tree]);
    return tree;
  });
}

export function rec(more: object): string {
  return formatRecord({ ...new Forge().rec(), ...more });
}

export const RECORD = rec({});
export const LINK = rec({ type: 'symlink', size: 4, target: '/tmp' });

export function leftovers(): { packs: string[]; staged: string[] } {
  return {
    packs: fs.readdirSync(path.join(here.dir, 'objects/pack')).sort(),
    staged: fs.readdirSync(here.staging),
  };
}

/** What is forged: what it mirrors, how it is made, and what the person is told. */
export type Forged = readonly [mirrors: string, what: string, make: () => Sent, told: RegExp];

/** What is sent is refused with these words, and nothing of it stays. */
export async function expectRefused(make: () => Sent, told: RegExp): Promise<void> {
  const before = leftovers();
  const sent = make();
  const start = performance.now();
  const error: unknown = await receive(sent).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BkError);
  expect(error).toMatchObject({
    code: 'refused',
    message: expect.stringMatching(/^cannot take the history that was sent: /),
  });
  expect((error as BkError).message).toMatch(told);
  expect(performance.now() - start).toBeLessThan(10_000);
  expect(leftovers()).toEqual(before);
  expect(git('fsck', '--strict', '--no-dangling')).toBe('');
}
