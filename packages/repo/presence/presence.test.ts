import fs from 'node:fs';
import {
  EVERYTHING,
  formatRepositoryFacts,
  type GitId,
  parseSubset,
  presenceRef,
  subsetHash,
} from '@bk/core';
import { layoutOf, listRefs, PackWriter, readRef, updateRef } from '@bk/store';
import { describe, expect, test } from 'vitest';
import { check } from '../check.ts';
import { drop, loseIndex, present } from '../partial.fixture.ts';
import { TestTree } from '../tree.fixture.ts';
import { ownPresence, type Presence, presences, publishPresence } from './presence.ts';

const OTHER = '01890000-0000-7000-8000-000000000001';

async function made(): Promise<TestTree> {
  const tree = new TestTree();
  for (let i = 0; i < 30; i++) tree.write(`d${i % 3}/f${i}`, `content ${i}`);
  await tree.commit();
  return tree;
}

function own(tree: TestTree): Promise<Presence> {
  return tree.with((repo) => ownPresence(repo)!);
}

/** Objects that there are. */
function objects(tree: TestTree): string[] {
  return tree.git('cat-file', '--batch-check', '--batch-all-objects').trim().split('\n').sort();
}

/** The presence of another repository, as a fetch brings it. */
async function foreign(tree: TestTree, text: string): Promise<void> {
  await tree.with((repo) => {
    const { layout, history, head } = repo;
    const writer = new PackWriter(layout.history, layout.staging, { reader: history });
    const { tree: present, author, committer } = history.readCommit(head as GitId);
    const root = writer.addTree([
      { name: 'repository.json' as never, kind: 'blob', id: writer.addBlob(text) },
      { name: 'present' as never, kind: 'tree', id: present },
    ]);
    const commit = writer.addCommit({ tree: root, parents: [], author, committer, message: 'x\n' });
    writer.finish();
    updateRef(layout.history, presenceRef(OTHER), undefined, commit);
  });
}

describe('the own presence', () => {
  test('of a whole repository shares the head’s tree: a commit, a tree and a text', async () => {
    using tree = await made();
    const { facts, present: tip } = await own(tree);
    expect(tip).toBe(tree.git('rev-parse', 'main^{tree}').trim());
    expect(facts).toMatchObject({ v: 1, name: 'root', kind: 'folder', whole: true });
    expect(facts.subset).toEqual({ ...EVERYTHING, hash: subsetHash(EVERYTHING) });
    const before = objects(tree);
    tree.write('d0/f0', 'other');
    await tree.commit();
    const kinds = objects(tree)
      .filter((line) => !before.includes(line))
      .map((line) => line.split(' ')[1]);
    expect(kinds.sort()).toEqual(['blob', 'blob', 'commit', 'commit', 'tree', 'tree', 'tree']);
    expect(fs.readdirSync(`${layoutOf(tree.root).history}/objects/pack`).length).toBe(4);
    tree.fsck();
  });

  test('is a line that git log shows', async () => {
    using tree = await made();
    tree.write('d0/f0', 'other');
    await tree.commit();
    const { facts } = await own(tree);
    const told = tree.git(
      'log',
      '--format=%s|%P|%(trailers:key=Bk-Repository,valueonly)',
      presenceRef(facts.id),
    );
    const lines = told.split('\n').filter((line) => line !== '');
    expect(lines.map((line) => line.split('|')[0])).toEqual(['presence of root', 'presence of root']);
    expect(lines[0]).toContain(`${facts.id} root`);
    expect(lines[1]!.split('|')[1]).toBe('');
  });

  test('says nothing if nothing is new', async () => {
    using tree = await made();
    const before = objects(tree);
    expect((await tree.commit()).commit).toBe(null);
    await tree.with((repo) => {
      repo.beginWriting();
      expect(publishPresence(repo, tree.context)).toBe(undefined);
    });
    expect(objects(tree)).toEqual(before);
  });

  test('comes with the next commit, also if that has nothing else to say', async () => {
    using tree = await made();
    const { facts } = await own(tree);
    tree.git('update-ref', '-d', presenceRef(facts.id));
    expect(await tree.changes()).toEqual([]);
    expect(await tree.commit()).toMatchObject({ commit: null, changes: [] });
    expect((await own(tree)).facts.whole).toBe(true);
    tree.fsck();
  });

  test('not from a dry run', async () => {
    using tree = new TestTree();
    tree.write('a', 'a');
    await tree.commit({ dryRun: true });
    expect(tree.git('for-each-ref')).toBe('');
  });

  test('in part shares all trees but those in which something is absent, and those above', async () => {
    using tree = await made();
    tree.write('deep/er/x', 'x');
    tree.write('deep/er/y', 'y');
    await tree.commit();
    const before = objects(tree);
    await drop(tree, 'deep/er/x', 'd1');
    const trees = objects(tree).filter((line) => !before.includes(line) && line.includes(' tree '));
    expect(trees.length).toBe(4); // deep/er, deep, the root and the one with repository.json
    const { facts } = await own(tree);
    expect(facts.whole).toBe(undefined);
    expect(tree.git('rev-parse', `${presenceRef(facts.id)}:present/d0`)).toBe(
      tree.git('rev-parse', 'main:d0'),
    );
    expect(present(tree)).not.toContain('deep/er/x');
    tree.fsck();
  });

  test('has the subset that is set, unless that was changed by hand (P07)', async () => {
    using tree = await made();
    const subset = parseSubset(['d0'], []);
    const set = (hash: string) =>
      tree.with((repo) => {
        repo.beginWriting();
        repo.reconfigure((config) => ({ ...config, subset: { ...subset, hash } }));
        publishPresence(repo, tree.context);
      });
    await set(subsetHash(subset));
    expect((await own(tree)).facts.subset).toEqual({ ...subset, hash: subsetHash(subset) });
    await set('0'.repeat(64));
    expect((await own(tree)).facts.subset).toEqual({ ...subset, hash: subsetHash(subset) });
  });

  test('that cannot be read is begun anew; without an index, nothing is concluded', async () => {
    using tree = await made();
    const { facts } = await own(tree);
    tree.git('update-ref', presenceRef(facts.id), 'main');
    await tree.with((repo) =>
      expect(check(repo, {}, tree.context).problems.map(({ kind }) => kind)).toContain('presence'),
    );
    const index = fs.readFileSync(layoutOf(tree.root).index);
    loseIndex(tree);
    await expect(tree.status()).rejects.toMatchObject({ code: 'damaged' });
    fs.writeFileSync(layoutOf(tree.root).index, index);
  });
});

describe('presences', () => {
  const FACTS = {
    v: 1,
    ...{ id: OTHER, name: 'disk', volume: 'v', kind: 'folder', time: '2026-10-01T12:00:00.000000000Z' },
    subset: { ...EVERYTHING, hash: subsetHash(EVERYTHING) },
  } as const;

  test('of all known repositories, without those that cannot be read', async () => {
    using tree = await made();
    await foreign(tree, formatRepositoryFacts(FACTS));
    await tree.with((repo) => {
      expect(presences(repo).map(({ facts }) => facts.name)).toEqual(['disk', 'root']);
      expect(listRefs(repo.layout.history, 'refs/bk/').length).toBe(2);
    });
  });

  test.each(['{}\n', formatRepositoryFacts({ ...FACTS, id: '01890000-0000-7000-8000-000000000002' })])(
    'one that says %j is left out, and reported',
    async (text) => {
      using tree = await made();
      await foreign(tree, text);
      await tree.with((repo) => {
        expect(presences(repo).map(({ facts }) => facts.name)).toEqual(['root']);
        expect(check(repo, {}, tree.context).problems.map(({ kind }) => kind)).toEqual(['presence']);
      });
    },
  );

  test('an own one that contradicts the index is a problem that reindex mends', async () => {
    using tree = await made();
    await drop(tree, 'd1');
    await tree.with((repo) => {
      repo.beginWriting();
      const known = repo.index.known('d0' as never)!;
      known.protections[1] = 4;
      repo.index.write({ put: [['d0' as never, known]] });
      const told = check(repo, {}, tree.context).problems.map(({ kind, remedy }) => [kind, remedy]);
      expect(told).toEqual([['presence', 'bk reindex']]);
      repo.reindex();
      publishPresence(repo, tree.context);
      expect(check(repo, {}, tree.context).problems).toEqual([]);
      expect(readRef(repo.layout.history, presenceRef(repo.config.id))).toBe(repo.index.presence);
    });
    expect(await tree.changes()).toEqual([]);
  });
});
