import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { RepoPath } from '@bk/core';
import { layoutOf } from '@bk/store';
import { afterEach, describe, expect, it } from 'vitest';
import { absentBelow } from '../presence/absence.ts';
import { calls, killedDuring } from '../safety/transaction.fixture.ts';
import { a, b, exchange, follow, same, small, twins, twoTrees } from './advance.fixture.ts';

twoTrees();

const restore: (() => void)[] = [];
afterEach(() => {
  allow();
});

/** The system refuses a call for reasons of its own; `times`: so often. */
function refusing(name: string, code: string, when: (given: unknown[]) => boolean, times = Infinity): void {
  const original = calls[name]!;
  let left = times;
  calls[name] = (...given) => {
    if (left <= 0 || !when(given)) return original(...given);
    left--;
    throw Object.assign(new Error(code), { code });
  };
  restore.push(() => {
    calls[name] = original;
  });
}

function allow(): void {
  for (const each of restore.splice(0)) each();
}

/** Of a link it is the new name that counts. */
function inTree(name: string): (given: unknown[]) => boolean {
  return (given) => {
    const at = String(given[name === 'linkSync' ? 1 : 0]);
    return /^\/proc\/self\/fd\//.test(at);
  };
}

const isFolder = ([from]: unknown[]): boolean =>
  fs.lstatSync(from as string, { throwIfNoEntry: false })?.isDirectory() === true;

async function away(): Promise<void> {
  await twins(small);
  a.mv('docs', 'papers');
  await a.commit();
}

describe('advance, where the system refuses', () => {
  it.each(['EXDEV', 'EACCES', 'EMLINK', 'EPERM'])('folders cannot be renamed: %s', async (code) => {
    await away();
    refusing('renameSync', code, isFolder);
    expect(await follow()).toMatchObject({ conflicts: [], missing: [], applied: { renamed: 4 } });
    await same();
  });

  it.each<[string, string, number]>([
    ['a folder', 'renameSync', 1],
    ['a file', 'linkSync', 2],
    ['a new folder', 'mkdirSync', 1],
    ['a mode', 'chmodSync', 1],
  ])('%s, for a moment: it is tried again', async (_, name, times) => {
    await twins(small);
    a.mv('docs', 'papers');
    a.mkdir('pictures');
    a.mv('photos/1.jpg', 'pictures/one.jpg');
    a.write('top', 'edited');
    fs.chmodSync(a.at('papers/a'), 0o755);
    a.write('new/run', 'new');
    fs.chmodSync(a.at('new/run'), 0o755);
    await a.commit();
    refusing(name, 'EACCES', inTree(name), times);
    expect(await follow()).toMatchObject({ conflicts: [], missing: [] });
    await same();
  });

  it('a folder for good: what is in it is no move back, and its objects stay what they are', async () => {
    await away();
    a.write('other', 'so that something can be done');
    await a.commit();
    refusing('renameSync', 'EACCES', inTree('renameSync'));
    refusing('linkSync', 'EACCES', ([, to]) => !String(to).includes('.bk') && !String(to).endsWith('other'));
    const { conflicts } = await follow();
    expect(conflicts).toEqual([{ path: 'papers', reason: 'permission denied' }]);
    allow();
    expect(await b.changes()).toEqual(
      ['docs/a', 'docs/b', 'docs/deep/c', 'docs/deep/d'].map((path) => `added ${path}`),
    );
    expect(await b.with((repo) => [...absentBelow(repo, '' as RepoPath)])).toHaveLength(4);
    expect(await b.with((repo) => [...absentBelow(repo, 'papers' as RepoPath)])).toHaveLength(4);
    await b.commit();
    expect(b.git('ls-tree', '-r', '--name-only', 'main')).toContain('papers/deep/c');
  });

  it('everything: the head stays where it is, and the same command does it later', async () => {
    await away();
    const head = await b.with((repo) => repo.head);
    refusing('renameSync', 'EACCES', inTree('renameSync'));
    refusing('linkSync', 'EACCES', inTree('linkSync'));
    await expect(follow()).rejects.toMatchObject({ code: 'io', path: 'papers' });
    allow();
    expect(await b.with((repo) => repo.head)).toBe(head);
    expect(await b.changes()).toEqual([]);
    expect(fs.existsSync(b.at('papers'))).toBe(false);
    await follow();
    await same();
  });

  it('a folder, and is killed meanwhile: the next command has the old state or the new one', async () => {
    await away();
    exchange();
    const image = `${b.root}.image`;
    execFileSync('cp', ['-a', b.root, image]);
    let points = 0;
    for (let n = 1, killed = true; killed && n < 300; n += 7) {
      fs.rmSync(b.root, { recursive: true });
      execFileSync('cp', ['-a', image, b.root]);
      refusing('renameSync', 'EXDEV', isFolder);
      ({ killed } = await killedDuring(n, follow));
      allow();
      execFileSync('find', [path.join(layoutOf(b.root).history, 'refs'), '-name', '*.lock', '-delete']);
      await b.with((repo) => repo.beginWriting());
      expect({ n, changes: await b.changes() }).toEqual({ n, changes: [] });
      await follow();
      await same(`killed before call ${n}`);
      points++;
    }
    fs.rmSync(image, { recursive: true });
    expect(points).toBeGreaterThan(10);
  }, 120_000);
});
