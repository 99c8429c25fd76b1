import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { hasOwnRecord, KIND, PROTECTION, type RepoPath, ROOT, STAT, STAT_WIDTH } from '@bk/core';
import { IndexDb } from '@bk/store';
import { describe, expect, test } from 'vitest';
import { hashAt, idAt, recordAt } from '../observe/draft.ts';
import { file, folder, idOf, newPast, own } from '../past.fixture.ts';
import { TestTree, verifyIndex } from '../tree.fixture.ts';
import { rebuildIndex } from './rebuild.ts';

const at = (text: string) => text as RepoPath;

describe('an index made from the history', () => {
  test('names everything and vouches for nothing', () => {
    using past = newPast();
    past.commit({
      a: file(1),
      'd/%FFx': file(2),
      [own('d')]: folder(3, '0700'),
      'd/e/z': file(4, 'z', { linked: idOf(4) }),
    });
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-rebuild-'));
    const index = IndexDb.open(path.join(dir, 'index.sqlite'));
    try {
      rebuildIndex({ index, history: past.repo.history, head: past.repo.head });
      expect([index.head, index.files, index.paths().sort()]).toEqual([past.repo.head, 3, ['', 'd', 'd/e']]);
      const known = index.known(at('d'))!;
      expect(known.listing.names).toEqual(['.', 'e', '\xffx']);
      expect([...known.listing.kinds]).toEqual([KIND.dir, KIND.dir, KIND.file]);
      expect([hasOwnRecord(known), known.listing.modes[0], idAt(known, 0), idAt(known, 2)]).toEqual([
        true,
        0o700,
        idOf(3),
        idOf(2),
      ]);
      expect([hashAt(known, 2), recordAt(known, 2)]).toEqual([
        file(2).blake3,
        past.git('rev-parse', 'main:d/%FFx').trim(),
      ]);
      expect(
        [STAT.inode, STAT.ctime, STAT.birth].map((column) => known.listing.stats[2 * STAT_WIDTH + column]),
      ).toEqual([0n, 0n, 0n]);
    } finally {
      index.close();
      fs.rmSync(dir, { recursive: true });
    }
  });

  test('of a part of the tree, with no word of what is here: all of it may be away, nothing was deleted', () => {
    using past = newPast();
    past.commit({ a: file(1), 'd/x': file(2) });
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-rebuild-'));
    const index = IndexDb.open(path.join(dir, 'index.sqlite'));
    try {
      rebuildIndex({ index, history: past.repo.history, head: past.repo.head, limited: true });
      const flags = [ROOT, at('d')].map((folder) => [...index.known(folder)!.protections].slice(1));
      expect(flags.flat()).toEqual([PROTECTION.absent, PROTECTION.absent, PROTECTION.absent]);
    } finally {
      index.close();
      fs.rmSync(dir, { recursive: true });
    }
  });

  test('keeps what was known of the rest, drops what is gone, and says what left in between', async () => {
    using tree = new TestTree();
    for (const name of ['a', 'd/x', 'd/y', 'gone/z']) tree.write(name, `content of ${name}`);
    await tree.commit();
    await tree.commit();
    const old = fs.readFileSync(path.join(tree.root, '.bk/index.sqlite'));
    tree.write('d/x', 'edited');
    fs.rmSync(tree.at('gone').toString(), { recursive: true });
    await tree.commit();
    const copy = path.join(tree.base, 'old.sqlite');
    fs.writeFileSync(copy, old);
    await tree.with((repo) => {
      const index = IndexDb.open(copy);
      try {
        const observedNs = index.known(at('d'))!.observedNs;
        const { history, head, config } = repo;
        rebuildIndex({ index, history, head, repository: config.id });
        verifyIndex(
          {
            ...repo,
            layout: repo.layout,
            config: repo.config,
            index,
            history: repo.history,
            head: repo.head,
          } as unknown as typeof repo,
          tree.base,
        );
        const known = index.known(at('d'))!;
        expect(known.observedNs).toBe(observedNs);
        expect(
          known.listing.names.map((name, k) => [
            name,
            known.listing.stats[k * STAT_WIDTH + STAT.ctime] !== 0n,
          ]),
        ).toEqual([
          ['.', false],
          ['x', false],
          ['y', true],
        ]);
        expect(index.departed.all().map(({ path: from, reason }) => `${reason} ${from}`)).toEqual([
          'replaced d/x',
          'deleted gone/z',
        ]);
      } finally {
        index.close();
      }
    });
  });
});
