import type { ContentHash, RepoPath } from '@bk/core';
import { type Config, withRemote } from '@bk/store';
import { hashBytes } from '@bk/worktree';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { copies } from '../copies.ts';
import { idOf, tell } from '../holdings/holdings.fixture.ts';
import { holdersOf, lostHoldersOf, placesOf } from '../holdings/holdings.ts';
import { remote } from '../remote.ts';
import type { Repository } from '../repository.ts';
import { doomedOf } from '../safety/give-up.ts';
import { TestTree } from '../tree.fixture.ts';
import { where } from '../where.ts';
import { lostFrom, lostSince } from './lost.ts';

const NOW_MS = Date.UTC(2026, 9, 2);
const NOW = '2026-10-02T00:00:00.000000000Z';
const BEFORE = '2026-10-01T23:59:59.999000000Z';
const LATER = '2026-10-02T00:00:00.001000000Z';
const context = { nowMs: () => NOW_MS };
const hash = (text: string): ContentHash => hashBytes(Buffer.from(text));

describe('a mark', () => {
  const marked = { config: { lost: { [idOf('a')]: NOW } } as unknown as Config };

  test.each([
    ['that never verified', undefined, NOW],
    ['verified before', BEFORE, NOW],
    ['verified in the very moment', NOW, NOW],
    ['verified since', LATER, undefined],
  ])('holds for a repository %s', (_what, verified, since) => {
    expect(lostSince(marked, idOf('a'), verified === undefined ? {} : { verified })).toBe(since);
  });

  test('is of one repository, and no name of every object', () => {
    expect(lostSince(marked, idOf('b'), undefined)).toBeUndefined();
    expect(lostSince(marked, 'constructor', undefined)).toBeUndefined();
    expect(lostSince(marked, idOf('a'), undefined)).toBe(NOW);
  });

  test('is later than what was verified there, whatever clock it had', () => {
    expect(lostFrom(undefined, context)).toBe(NOW);
    expect(lostFrom({ verified: BEFORE }, context)).toBe(NOW);
    expect(lostFrom({ verified: LATER }, context)).toBe(LATER);
  });
});

describe('a repository that was given up', () => {
  let tree: TestTree;
  beforeEach(async () => {
    tree = new TestTree();
    tree.write('a.txt', 'alpha');
    tree.write('b.txt', 'beta');
    await tree.commit();
  });
  afterEach(() => tree[Symbol.dispose]());

  const giveUp = (repo: Repository, name: string) =>
    remote(repo, { do: 'remove', name, lost: true }, { ...tree.context, ...context });

  test('holds nothing any more, wherever copies are counted', () =>
    tree.with(async (repo) => {
      tell(repo, { digit: 'a', name: 'disk', volume: 'v', verified: BEFORE });
      tell(repo, { digit: 'b', name: 'other', volume: 'w', holds: (path) => path === 'a.txt' });
      const own = repo.config.name;
      const names = (text: string) => placesOf(repo, 'all', context)(hash(text)).map(({ name }) => name);
      expect([names('alpha'), names('beta')]).toEqual([
        [own, 'disk', 'other'],
        [own, 'disk'],
      ]);
      expect(copies(repo, { min: 2 }, context).under).toEqual([]);
      expect(lostHoldersOf(repo, 'all')).toEqual(new Map());

      const { remotes } = await giveUp(repo, 'disk');
      expect(remotes).toEqual([
        { name: 'disk', address: null, id: idOf('a'), lastSeen: null, lost: true, lostSince: NOW },
      ]);
      expect([names('alpha'), names('beta')]).toEqual([[own, 'other'], [own]]);
      expect(holdersOf(repo, 'all', context).get(hash('beta'))).toHaveLength(1);
      expect(copies(repo, { min: 2 }, context).under).toEqual([{ path: 'b.txt', copies: 1 }]);
      const [file] = where(repo, { paths: ['b.txt' as RepoPath] }, context).files;
      expect(file?.copies.map(({ name }) => name)).toEqual([own]);
      expect(file?.lost).toMatchObject([
        { repository: idOf('a'), name: 'disk', volume: 'v', path: 'b.txt', lost: true, lostSince: NOW },
      ]);
      expect(where(repo, { content: hash('alpha') }, context).files).toMatchObject([
        { path: 'a.txt', copies: [{ name: own }, { name: 'other' }], lost: [{ name: 'disk' }] },
      ]);
    }));

  test('that says that it verified since counts again, and can be given up again', () =>
    tree.with(async (repo) => {
      tell(repo, { digit: 'a', name: 'back', volume: 'v', verified: LATER });
      repo.beginWriting();
      repo.reconfigure((config) => ({ ...config, lost: { [idOf('a')]: NOW } }));
      expect(where(repo, { paths: ['a.txt' as RepoPath] }, context).files[0]).toMatchObject({
        copies: [{}, { name: 'back' }],
      });
      const [again] = (await giveUp(repo, 'back')).remotes;
      expect(again).toMatchObject({ lost: true, lostSince: LATER });
      expect(repo.config.lost).toEqual({ [idOf('a')]: LATER });
      repo.endWriting();
    }));

  test('keeps the time of the first mark, and its refs and remote go', () =>
    tree.with(async (repo) => {
      tell(repo, { digit: 'a', name: 'disk', volume: 'v' });
      tell(repo, { digit: 'b', name: 'on the same', volume: 'v' });
      repo.beginWriting();
      repo.reconfigure((config) => withRemote(config, 'backup', { address: '/x', id: idOf('a') }));
      const [gone] = (await giveUp(repo, 'disk')).remotes;
      expect(gone).toMatchObject({
        ...{ name: 'backup', address: '/x', id: idOf('a'), lostSince: NOW },
        sameVolume: [{ id: idOf('b'), name: 'on the same' }],
      });
      expect(repo.config.remotes).toBeUndefined();
      const late = { ...tree.context, nowMs: () => NOW_MS + 1 };
      for (const name of ['disk', idOf('a'), idOf('a').toUpperCase()])
        expect((await remote(repo, { do: 'remove', name, lost: true }, late)).remotes).toMatchObject([
          { id: idOf('a'), lostSince: NOW },
        ]);
      expect(await remote(repo, { do: 'list' }, late)).toEqual({
        remotes: [],
        lost: [{ id: idOf('a'), name: 'disk', lost: true, lostSince: NOW }],
      });
      repo.endWriting();
    }));

  test('must be known, one, another, and reached once', () =>
    tree.with((repo) => {
      tell(repo, { digit: 'a', name: 'twin', volume: 'v' });
      tell(repo, { digit: 'b', name: 'twin', volume: 'w' });
      repo.beginWriting();
      repo.reconfigure((config) => withRemote(config, 'never', { address: '/x' }));
      const code = (text: string) => {
        try {
          return doomedOf(repo, text).id;
        } catch (error) {
          return (error as { code: string }).code;
        }
      };
      expect(['twin', 'nobody', idOf('c'), 'never', repo.config.id, repo.config.name].map(code)).toEqual([
        ...['usage', 'usage', 'usage', 'refused', 'refused', 'refused'],
      ]);
      expect(code(idOf('b'))).toBe(idOf('b'));
      expect(repo.config.lost).toBeUndefined();
      repo.endWriting();
    }));
});
