import fs from 'node:fs';
import type { RepoPath } from '@bk/core';
import { layoutOf } from '@bk/store';
import { describe, expect, it } from 'vitest';
import { recover } from '../recover.ts';
import { safety } from '../safety.ts';
import { a, b, both, c, clock, type Machine, mergeMeanwhile, start, threeMachines } from './merge.fixture.ts';

threeMachines();

function small(tree: Machine): void {
  tree.write('docs/a', 'text a');
  tree.write('docs/b', 'text b');
  tree.write('docs/deep/c', 'text c');
  tree.write('docs/deep/d', 'text d');
  tree.write('photos/1.jpg', 'one');
  tree.write('photos/2.jpg', 'two');
  tree.write('top', 'top');
}

/** Everything of the history that a merge could change. */
function history(tree: Machine): string {
  const packs = fs.readdirSync(`${layoutOf(tree.root).history}/objects/pack`).sort();
  return [tree.git('for-each-ref'), ...packs].join('\n');
}

describe('merge', () => {
  it('what both did becomes one, by renaming, with the same head on both sides', async () => {
    await start(small, b);
    a.mv('docs', 'papers');
    a.write('new', 'new of a');
    await a.commit();
    b.write('docs/a', 'edited by b');
    b.write('docs/deep/e', 'added by b');
    fs.unlinkSync(b.at('photos/1.jpg'));
    await b.commit();
    const [first, second] = await both(a, b);
    expect(first).toMatchObject({ result: 'merged', conflicts: [], missing: [], left: [] });
    expect(first.parents).toEqual([...first.parents].sort());
    expect(first.applied).toEqual({ renamed: 0, copied: 1, updated: 1, deleted: 1 });
    expect(first.transferred.files).toBe(2);
    expect(first.changed.map(({ type, path }) => [type, path])).toEqual([
      ['modified', 'papers/a'],
      ['added', 'papers/deep/e'],
      ['deleted', 'photos/1.jpg'],
    ]);
    expect(second.applied).toEqual({ renamed: 5, copied: 1, updated: 0, deleted: 0 });
    expect(second.moved).toEqual([{ from: 'docs', to: 'papers', files: 5 }]);
    expect(a.files()).toEqual({
      new: 'new of a',
      'papers/a': 'edited by b',
      'papers/b': 'text b',
      'papers/deep/c': 'text c',
      'papers/deep/d': 'text d',
      'papers/deep/e': 'added by b',
      'photos/2.jpg': 'two',
      top: 'top',
    });
  });

  it('a conflict keeps both, on both sides under the same names', async () => {
    await start(small, b);
    a.put('top', 'top of a', 1_790_000_000);
    await a.commit();
    b.put('top', 'top of b', 1_790_000_001);
    await b.commit();
    const [first] = await both(a, b);
    const copy = 'top (conflict a 2026-09-21)';
    expect(first.conflicts).toEqual([{ path: 'top', kind: 'content', kept: [copy] }]);
    expect([a.read('top'), a.read(copy)]).toEqual(['top of b', 'top of a']);
    const records = await a.records();
    expect(records.get('top')?.conflict).toEqual(records.get(copy)?.conflict);
  });

  it('follows where only the other side did something, and does nothing where it did nothing (G37)', async () => {
    await start(small, b);
    a.write('new', 'new');
    const { commit } = await a.commit();
    expect(await a.merge(b)).toMatchObject({ result: 'up-to-date', commit });
    expect(await b.merge(a)).toMatchObject({ result: 'fast-forward', commit, applied: { copied: 1 } });
    const before = history(b);
    expect(await b.merge(a)).toMatchObject({ result: 'up-to-date', commit, applied: { copied: 0 } });
    expect(history(b)).toBe(before);
  });

  it('twice: nothing changes the second time, and a merge of merges is a fast-forward', async () => {
    await start(small, b, c);
    a.write('of a', 'a');
    await a.commit();
    b.write('of b', 'b');
    await b.commit();
    const { commit } = await a.merge(b);
    expect(await a.merge(b)).toMatchObject({ result: 'up-to-date', commit, conflicts: [] });
    expect(await c.merge(a)).toMatchObject({ result: 'fast-forward', commit, applied: { copied: 2 } });
    expect(await b.merge(c)).toMatchObject({ result: 'fast-forward', commit });
    await b.verifyAll();
  });

  it('refuses while there are changes and names them; --commit commits them first', async () => {
    await start(small, b);
    a.write('new', 'new');
    await a.commit();
    b.write('docs/a', 'mine');
    const before = await b.head();
    await expect(b.merge(a)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('docs/a'),
    });
    expect([await b.head(), b.read('docs/a'), b.has('new')]).toEqual([before, 'mine', false]);
    const result = await b.merge(a, { commit: true, message: 'mine' });
    expect(result).toMatchObject({ result: 'merged', committed: { parents: [before] } });
    expect(result.parents).toContain(result.committed?.commit);
    expect([b.read('docs/a'), b.read('new')]).toEqual(['mine', 'new']);
    await b.verifyAll();
  });

  it('a dry run touches nothing and says what would be done, also with changes that would be committed', async () => {
    await start(small, b);
    a.mv('docs', 'papers');
    a.put('top', 'top of a', 1_790_000_000);
    await a.commit();
    b.put('top', 'top of b', 1_790_000_001);
    fs.unlinkSync(b.at('photos/1.jpg'));
    await b.commit();
    await b.fetch();
    const before = [history(b), b.files()];
    const plan = await b.merge(a, { dryRun: true });
    expect(plan).toMatchObject({
      result: 'merged',
      commit: null,
      conflicts: [{ path: 'top', kind: 'content' }],
    });
    expect(plan.applied).toEqual({ renamed: 4, copied: 1, updated: 0, deleted: 0 });
    expect(plan.moved).toEqual([{ from: 'docs', to: 'papers', files: 4 }]);
    b.write('new', 'not committed');
    await expect(b.merge(a, { dryRun: true })).rejects.toMatchObject({ code: 'refused' });
    expect(await b.merge(a, { dryRun: true, commit: true })).toMatchObject({
      commit: null,
      applied: plan.applied,
      committed: { commit: null, summary: { added: 1 } },
    });
    fs.unlinkSync(b.at('new'));
    expect([history(b), b.files()]).toEqual(before);
    const done = await b.merge(a);
    expect(done).toMatchObject({ parents: plan.parents, conflicts: plan.conflicts, applied: plan.applied });
  });

  it('all remotes, one after the other; one that is away as it was known last', async () => {
    await start(small, b, c);
    for (const machine of [a, b, c]) {
      machine.write(`of ${machine.name}`, machine.name);
      await machine.commit();
    }
    await a.fetch();
    fs.renameSync(c.root, `${c.root}.away`);
    const result = await a.merge();
    fs.renameSync(`${c.root}.away`, c.root);
    expect(result).toMatchObject({ result: 'merged', applied: { copied: 1 }, missing: [{ path: 'of c' }] });
    expect(result.merged).toMatchObject([
      { name: 'b', result: 'merged', applied: { copied: 1 } },
      { name: 'c', result: 'merged', applied: { copied: 0 }, reason: expect.stringContaining('cannot') },
    ]);
    expect(result.commit).toBe(await a.head());
    expect(await a.changes()).toEqual([]);
  });

  it('contents come from whoever has them', async () => {
    await start(small, b, c);
    b.write('new', 'only b has it');
    await b.commit();
    c.write('of c', 'c');
    await c.commit();
    await c.wants(['docs']);
    await c.merge(b);
    expect(c.has('new')).toBe(false);
    a.write('of a', 'a');
    await a.commit();
    expect(await a.merge(c)).toMatchObject({ missing: [], transferred: { files: 2 } });
    expect(a.read('new')).toBe('only b has it');
  });

  it('with a revision, and with what is unknown', async () => {
    await start(small, b);
    a.write('of a', 'a');
    const { commit } = await a.commit();
    a.write('later', 'later');
    await a.commit();
    b.write('of b', 'b');
    await b.commit();
    await b.fetch();
    expect(await b.merge('a~1')).toMatchObject({
      result: 'merged',
      parents: expect.arrayContaining([commit]),
    });
    expect([b.has('of a'), b.has('later')]).toEqual([true, false]);
    await expect(b.merge('nobody')).rejects.toMatchObject({ code: 'not-found' });
    fs.renameSync(c.root, `${c.root}.away`);
    await expect(b.merge(c)).rejects.toMatchObject({ code: 'unreachable' });
    fs.renameSync(`${c.root}.away`, c.root);
    await b.merge(a);
    expect(b.has('later')).toBe(true);
  });

  it('histories that never met: only if it is named; the union (G27)', async () => {
    small(a);
    await a.commit();
    b.write('docs/a', 'text a');
    b.write('docs/b', 'other text');
    b.write('elsewhere/1.jpg', 'one');
    await b.commit();
    const before = await b.head();
    expect(await b.merge()).toMatchObject({
      result: 'up-to-date',
      merged: [
        { name: 'a', reason: expect.stringContaining('nothing in common') },
        { name: 'c', head: null },
      ],
    });
    expect(await b.head()).toBe(before);
    const [first] = await both(a, b);
    expect(first.conflicts).toMatchObject([{ path: 'docs/b', kind: 'add-add' }]);
    expect(first.applied).toMatchObject({ deleted: 0 });
    expect(Object.keys(b.files())).toHaveLength(9);
    expect((await b.records()).get('docs/a')?.was).toHaveLength(1);
  });
});

describe('merge, with care', () => {
  it('G35: refuses to empty a folder, and nothing of it is left behind', async () => {
    await start((tree) => {
      for (let n = 0; n < 30; n++) tree.write(`many/${n}`, `text ${n}`);
    }, b);
    for (let n = 0; n < 20; n++) fs.unlinkSync(a.at(`many/${n}`));
    await a.commit({ allowMassDelete: true });
    b.write('of b', 'b');
    await b.commit();
    await b.fetch();
    const before = history(b);
    await expect(b.merge(a)).rejects.toMatchObject({ code: 'refused', message: /20 of 31/ });
    expect(history(b)).toBe(before);
    expect(await b.merge(a, { allowMassDelete: true })).toMatchObject({ applied: { deleted: 20 } });
    await b.verifyAll();
  });

  it('G31, G32: what is ignored stays, file or folder, also where something is to come', async () => {
    await start((tree) => {
      small(tree);
      tree.write('.bkignore', '*.tmp\n');
    }, b);
    fs.unlinkSync(a.at('.bkignore'));
    a.write('x.tmp', 'tracked by a');
    a.write('y.tmp', 'tracked by a, too');
    a.write('docs/z.tmp/inner', 'in a folder');
    await a.commit();
    b.write('x.tmp', 'ignored by b');
    b.write('y.tmp/inside', 'ignored folder of b');
    b.write('docs/z.tmp', 'ignored file of b');
    b.write('of b', 'b');
    await b.commit();
    const result = await b.merge(a);
    expect(result).toMatchObject({ result: 'merged', conflicts: [] });
    expect(result.left.map(({ path }) => path)).toEqual(['docs/z.tmp', 'docs/z.tmp/inner', 'x.tmp', 'y.tmp']);
    expect([b.read('x.tmp'), b.read('y.tmp/inside'), b.read('docs/z.tmp')]).toEqual(['ignored by b', 'ignored folder of b', 'ignored file of b']); // biome-ignore format: long
    expect(await b.head()).toBe(result.commit);
    // What is here now is a change of what the merge has: nothing is lost, nothing was deleted.
    expect((await b.changes()).filter((change) => change.startsWith('deleted'))).toEqual([]);
  });

  it('G33: what is edited while it merges is left alone and shows as a change', async () => {
    await start(small, b);
    a.mv('docs/a', 'docs/a2');
    a.save('top', 'new top of a');
    a.write('docs/new', 'new of a');
    fs.unlinkSync(a.at('docs/b'));
    a.mv('photos', 'pictures');
    await a.commit();
    b.write('of b', 'b');
    await b.commit();
    const result = await mergeMeanwhile(b, a, () => {
      b.save('docs/a', 'mine, just now');
      b.save('docs/b', 'kept by me');
      b.write('docs/new', 'also mine');
      b.write('photos/3.jpg', 'added meanwhile');
    });
    expect(result.result).toBe('merged');
    expect(result.left.map(({ path }) => path)).toEqual(['docs/a2', 'docs/b', 'docs/new']);
    expect([b.read('docs/a'), b.read('docs/b'), b.read('docs/new')]).toEqual(['mine, just now', 'kept by me', 'also mine']); // biome-ignore format: long
    expect([b.read('top'), b.read('pictures/3.jpg')]).toEqual(['new top of a', 'added meanwhile']);
    expect(await b.head()).toBe(result.commit);
    await b.commit();
    expect(await b.changes()).toEqual([]);
    const all = Object.values(b.files());
    for (const text of ['mine, just now', 'kept by me', 'also mine', 'added meanwhile', 'new top of a'])
      expect(all).toContain(text);
  });

  it('interrupted before a file was touched: the same command does it', async () => {
    await start(small, b);
    a.mv('docs', 'papers');
    a.write('top', 'new top');
    await a.commit();
    b.write('of b', 'b');
    await b.commit();
    const before = await b.head();
    const { renameSync, linkSync } = fs;
    fs.renameSync = (from, to) => {
      if (String(to).includes('papers')) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      renameSync(from, to);
    };
    await expect(b.merge(a).finally(() => Object.assign(fs, { renameSync, linkSync }))).rejects.toMatchObject({ code: 'io' }); // biome-ignore format: long
    // The journal is finished by whoever comes next; the merge is done.
    expect(await b.merge(a)).toMatchObject({ result: 'up-to-date' });
    expect(await b.head()).not.toBe(before);
    await b.verifyAll();
    expect((await a.merge(b)).commit).toBe(await b.head());
  });

  it('a full disk: nothing was changed; the same command makes the same merge', async () => {
    await start(small, b);
    a.write('top', 'new top');
    await a.commit();
    b.write('of b', 'b');
    await b.commit();
    const before = [await b.head(), b.files()];
    const { linkSync } = fs;
    fs.linkSync = (from, to) => {
      if (!String(to).includes('objects/pack')) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      linkSync(from, to);
    };
    await expect(b.merge(a).finally(() => Object.assign(fs, { linkSync }))).rejects.toMatchObject({ code: 'no-space' }); // biome-ignore format: long
    expect([await b.head(), b.files()]).toEqual(before);
    expect(await b.changes()).toEqual([]);
    b.fsck();
    const { commit } = await b.merge(a);
    await b.verifyAll();
    expect((await a.merge(b)).commit).toBe(commit);
  });

  it('a project in which git is at work stops the whole merge, if it would be touched', async () => {
    await start((tree) => {
      small(tree);
      tree.write('app/.git/HEAD', 'ref: refs/heads/main');
      tree.write('app/src', 'source');
      tree.write('.bkignore', 'index.lock');
    }, b);
    a.mv('app', 'application');
    await a.commit();
    b.write('of b', 'b');
    await b.commit();
    b.write('app/.git/index.lock', '');
    const before = await b.head();
    await expect(b.merge(a)).rejects.toMatchObject({ code: 'refused', path: 'app' });
    expect(await b.head()).toBe(before);
    fs.unlinkSync(b.at('app/.git/index.lock'));
    expect(await b.merge(a)).toMatchObject({ result: 'merged', applied: { renamed: 2 } });
    expect(b.read('application/src')).toBe('source');
  });

  it('rule 12: what a merge deletes or replaces is in the net, held from now on', async () => {
    await start(small, b);
    b.mv('docs', 'papers');
    await b.commit();
    fs.unlinkSync(a.at('docs/a'));
    a.save('docs/b', 'replaced');
    await a.commit({ deletions: 'confirmed' });
    b.write('of b', 'b');
    await b.commit();
    clock.now += 1_000_000;
    const { result } = await b.merge(a);
    expect(result).toBe('merged');
    const rows = await b.with((repo) => repo.index.departed.all());
    // Under the path it had there, and the one it had here.
    expect(rows.map(({ path, reason, confirmed }) => [path, reason, confirmed])).toEqual([
      ['docs/a', 'deleted', true],
      ['docs/b', 'replaced', false],
      ['papers/a', 'deleted', true],
      ['papers/b', 'replaced', false],
    ]);
    for (const { arrivedSec } of rows) expect(arrivedSec).toBeGreaterThan(clock.now - 1_000);
    await b.verifyAll();
    b.write('more', 'more');
    await b.commit({ deletions: 'confirmed' });
    expect(await b.with((repo) => repo.index.departed.unreleased())).toHaveLength(4);
    await b.with((repo) =>
      recover(repo, { paths: ['papers/a' as RepoPath], to: `${b.base}/back` }, b.context),
    );
    expect(fs.readFileSync(`${b.base}/back/papers/a`, 'utf8')).toBe('text a');
    clock.now += 30 * 86_400;
    await b.with((repo) => safety(repo, { do: 'release' }, b.context));
    expect(await b.with((repo) => repo.index.departed.unreleased())).toEqual([]);
  });
});
