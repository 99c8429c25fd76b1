import fs from 'node:fs';
import type { ContentHash, Holder, RepoPath } from '@bk/core';
import { hashBytes } from '@bk/worktree';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { copies } from '../copies.ts';
import type { Repository } from '../repository.ts';
import { TestTree } from '../tree.fixture.ts';
import { type WhereResult, where } from '../where.ts';
import { idOf, SEEN, tell } from './holdings.fixture.ts';
import { holdersOf, placesOf, type Sought } from './holdings.ts';

const hash = (text: string): ContentHash => hashBytes(Buffer.from(text));
const context = { nowMs: () => Date.UTC(2026, 9, 2) };

let tree: TestTree;
beforeEach(async () => {
  tree = new TestTree();
  tree.write('a.txt', 'alpha');
  tree.write('pictures/1.jpg', 'one');
  tree.write('pictures/2.jpg', 'two');
  tree.write('pictures/deep/3.jpg', 'three');
  tree.write('pictures-old/1.jpg', 'one');
  tree.write('music/song.ogg', 'la');
  tree.write('music/empty', '');
  await tree.commit();
});
afterEach(() => tree[Symbol.dispose]());

/** `name:path` of all holders of a text's content. */
function holders(repo: Repository, text: string, sought?: Sought): string[] {
  const found = holdersOf(repo, sought ?? new Set([hash(text)]), context).get(hash(text)) ?? [];
  return found.map(({ name, path }: Holder) => `${name}:${path}`);
}

describe('holders', () => {
  test('of this repository alone: what is committed and here', () =>
    tree.with((repo) => {
      const own = repo.config.name;
      expect(holders(repo, 'one')).toEqual([`${own}:pictures/1.jpg`, `${own}:pictures-old/1.jpg`]);
      expect(holders(repo, 'nothing')).toEqual([]);
      expect(holdersOf(repo, new Set())).toEqual(new Map());
      const [first] = holdersOf(repo, new Set([hash('two')]), context).get(hash('two')) ?? [];
      expect(first?.seen).toBe('2026-10-02T00:00:00.000000000Z');
      expect(first?.verified).toBeUndefined();
    }));

  test.each([
    ['deleted', (at: string) => fs.rmSync(at)],
    ['edited', (at: string) => fs.writeFileSync(at, 'TWO')],
    [
      'replaced by a link to the same content',
      (at: string) => {
        fs.renameSync(at, `${at}.x`);
        fs.symlinkSync(`${at}.x`, at);
      },
    ],
    [
      'replaced by a folder',
      (at: string) => {
        fs.rmSync(at);
        fs.mkdirSync(at);
      },
    ],
  ])('a file that was %s does not count', (_, change) =>
    tree.with((repo) => {
      change(`${tree.root}/pictures/2.jpg`);
      expect(holders(repo, 'two')).toEqual([]);
    }),
  );

  test('a file in a folder that is a link now does not count', () =>
    tree.with((repo) => {
      fs.renameSync(`${tree.root}/pictures`, `${tree.base}/elsewhere`);
      fs.symlinkSync(`${tree.base}/elsewhere`, `${tree.root}/pictures`);
      expect(holders(repo, 'two')).toEqual([]);
    }));

  test('a file that was only touched is read, and counts; what is not committed does not', () =>
    tree.with((repo) => {
      fs.utimesSync(`${tree.root}/pictures/2.jpg`, 1, 1);
      fs.writeFileSync(`${tree.root}/new.txt`, 'new');
      expect(holders(repo, 'two')).toHaveLength(1);
      expect(holders(repo, 'new')).toEqual([]);
    }));

  test('rot that leaves the times as they are is for verify to find', () =>
    tree.with((repo) => {
      fs.chmodSync(`${tree.root}/pictures/2.jpg`, 0o600);
      expect(holders(repo, 'two')).toHaveLength(1);
    }));

  test('elsewhere: the whole head, a part, other files, other places', () =>
    tree.with((repo) => {
      tell(repo, { digit: 'a', name: 'whole', volume: 'v-a' });
      tell(repo, { digit: 'b', name: 'part', volume: 'v-b', holds: (path) => path.startsWith('pictures/') });
      tell(repo, {
        ...{ digit: 'c', name: 'other', volume: 'v-c', holds: () => false, verified: SEEN },
        others: [
          { path: 'x/y/moved.jpg', blake3: hash('two'), size: 3 },
          { path: 'a.txt', blake3: hash('other alpha'), size: 11 },
          { path: 'music/song.ogg/was-a-folder', blake3: hash('three'), size: 5 },
        ],
      });
      fs.rmSync(`${tree.root}/pictures`, { recursive: true });
      const own = repo.config.name;
      for (const sought of [undefined, 'all'] as const) {
        expect(holders(repo, 'two', sought)).toEqual([
          'whole:pictures/2.jpg',
          'part:pictures/2.jpg',
          'other:x/y/moved.jpg',
        ]);
        expect(holders(repo, 'one', sought)).toEqual([
          `${own}:pictures-old/1.jpg`,
          'whole:pictures/1.jpg',
          'whole:pictures-old/1.jpg',
          'part:pictures/1.jpg',
        ]);
        expect(holders(repo, 'alpha', sought)).toEqual([`${own}:a.txt`, 'whole:a.txt']);
        expect(holders(repo, 'other alpha', sought)).toEqual(['other:a.txt']);
        expect(holders(repo, 'three', sought)).toEqual([
          'whole:pictures/deep/3.jpg',
          'part:pictures/deep/3.jpg',
          'other:music/song.ogg/was-a-folder',
        ]);
      }
      const places = placesOf(repo, 'all', context);
      expect(places(hash('one')).map(({ name }) => name)).toEqual([own, 'whole', 'part']);
      expect(places(hash('nothing'))).toEqual([]);
      const [only] = holdersOf(repo, new Set([hash('other alpha')])).get(hash('other alpha')) ?? [];
      expect(only).toEqual({
        ...{ repository: idOf('c'), name: 'other', volume: 'v-c', path: 'a.txt', seen: SEEN, verified: SEEN },
      });
    }));

  test('a repository that holds nothing, and one of an empty head', async () => {
    const empty = new TestTree();
    await empty.with((repo) => {
      tell(repo, { digit: 'a', name: 'bare', volume: 'v' });
      tell(repo, {
        digit: 'b',
        name: 'full',
        volume: 'w',
        others: [{ path: 'f', blake3: hash('f'), size: 1 }],
      });
      expect(holders(repo, 'f')).toEqual(['full:f']);
    });
    empty[Symbol.dispose]();
  });

  test('with a new index, which vouches for nothing, files are read', async () => {
    await tree.with((repo) => {
      repo.beginWriting();
      repo.reindex();
      repo.endWriting();
      expect(holders(repo, 'two')).toHaveLength(1);
      fs.writeFileSync(`${tree.root}/pictures/2.jpg`, 'TWO');
      expect(holders(repo, 'two')).toEqual([]);
    });
  });
});

describe('where', () => {
  const told = ({ files }: WhereResult) =>
    files.map(
      ({ path, present, departed, copies }) =>
        `${path}${present ? '' : ' !'}${departed ? ' gone' : ''}: ${copies.map(({ name, path: at }) => (at === path ? name : `${name}=${at}`)).join(' ')}`,
    );

  test('a file, a folder, everything', () =>
    tree.with((repo) => {
      tell(repo, {
        digit: 'a',
        name: 'disk',
        volume: 'v-a',
        holds: (path) => path.startsWith('pictures-old'),
      });
      const own = repo.config.name;
      const at = (...paths: string[]) => told(where(repo, { paths: paths as RepoPath[] }, context));
      expect(at('pictures/1.jpg')).toEqual([`pictures/1.jpg: ${own} disk=pictures-old/1.jpg`]);
      expect(at('pictures')).toEqual([
        `pictures/1.jpg: ${own} disk=pictures-old/1.jpg`,
        `pictures/2.jpg: ${own}`,
        `pictures/deep/3.jpg: ${own}`,
      ]);
      fs.rmSync(`${tree.root}/pictures/2.jpg`);
      expect(at('pictures/2.jpg', 'a.txt', 'a.txt')).toEqual([`a.txt: ${own}`, 'pictures/2.jpg !: ']);
      expect(at()).toHaveLength(7);
      expect(at('music/empty')).toEqual([`music/empty: ${own}`]);
      const [one] = where(repo, { paths: ['pictures/1.jpg' as RepoPath] }, context).files;
      expect(one?.copies[0]).toMatchObject({ more: 1, verified: null });
      expect(() => at('nothing')).toThrow(/no commit here/);
    }));

  test('a content, and what left the head', async () => {
    await tree.with((repo) => {
      tell(repo, { digit: 'a', name: 'disk', volume: 'v-a' });
    });
    fs.rmSync(`${tree.root}/pictures`, { recursive: true });
    await tree.commit({ deletions: 'confirmed' } as never);
    await tree.with((repo) => {
      const own = repo.config.name;
      expect(told(where(repo, { paths: ['pictures/deep' as RepoPath] }, context))).toEqual([
        'pictures/deep/3.jpg ! gone: disk',
      ]);
      expect(told(where(repo, { content: hash('one') }, context))).toEqual([
        `pictures-old/1.jpg: ${own} disk`,
        'pictures/1.jpg ! gone: disk',
      ]);
      expect(() => where(repo, { content: hash('never') }, context)).toThrow(/no repository has/);
      expect(() => where(repo, { content: 'abc' }, context)).toThrow(/not a content's hash/);
    });
  });
});

describe('copies', () => {
  test('are counted by volume', () =>
    tree.with((repo) => {
      const under = (min?: number, ...paths: string[]) =>
        copies(repo, { paths: paths as RepoPath[], ...(min !== undefined && { min }) }, context).under.map(
          ({ path, copies }) => `${path} ${copies}`,
        );
      expect(under(1)).toEqual([]);
      expect(under()).toHaveLength(6);
      tell(repo, { digit: 'a', name: 'disk', volume: 'v' });
      expect(under()).toEqual([]);
      tell(repo, { digit: 'b', name: 'same disk', volume: 'v' });
      expect(under(3)).toHaveLength(6);
      tell(repo, { digit: 'c', name: 'third', volume: 'w', holds: (path) => !path.startsWith('music') });
      expect(under(3)).toEqual(['music/song.ogg 2']);
      fs.rmSync(`${tree.root}/pictures`, { recursive: true });
      expect(under(3)).toEqual(['music/song.ogg 2', 'pictures/2.jpg 2', 'pictures/deep/3.jpg 2']);
      expect(under(3, 'pictures/deep', 'pictures', 'a.txt')).toHaveLength(2);
      expect(under(3, 'a.txt')).toEqual([]);
      expect(() => under(3, 'nothing')).toThrow(/no such file/);
      const { summary } = copies(repo, { min: 3 }, context);
      expect(summary).toEqual({ files: 7, bytes: 21, under: { files: 3, bytes: 10 }, lost: 0, min: 3 });
    }));
});
