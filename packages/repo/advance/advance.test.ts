import fs from 'node:fs';
import type { RepoPath } from '@bk/core';
import { IndexDb, layoutOf, SafetyNet } from '@bk/store';
import { hashBytes } from '@bk/worktree';
import { describe, expect, it } from 'vitest';
import { commit } from '../commit.ts';
import { absentBelow } from '../presence/absence.ts';
import { reindex } from '../reindex.ts';
import { safety } from '../safety.ts';
import type { TestTree } from '../tree.fixture.ts';
import { a, b, follow, meanwhile, same, small, twins, twoTrees } from './advance.fixture.ts';
import type { Advanced } from './advance.ts';

twoTrees();

describe('advance', () => {
  it.each<[string, (tree: TestTree) => void, Partial<Advanced['applied']>, number]>([
    ['an edit', (tree) => tree.write('docs/a', 'other'), { updated: 1 }, 1],
    ['an addition', (tree) => tree.write('new/x', 'new'), { copied: 1 }, 1],
    ['a copy', (tree) => tree.write('new/x', 'one'), { copied: 1 }, 0],
    ['a deletion', (tree) => fs.unlinkSync(tree.at('docs/a')), { deleted: 1 }, 0],
    ['a rename', (tree) => tree.mv('top', 'docs/top'), { renamed: 1 }, 0],
    ['a folder', (tree) => tree.mv('docs', 'papers'), { renamed: 4 }, 0],
    [
      'a swap',
      (tree) => {
        tree.mv('docs/a', 'x');
        tree.mv('docs/b', 'docs/a');
        tree.mv('x', 'docs/b');
      },
      { renamed: 2 },
      0,
    ],
    [
      'swapped folders',
      (tree) => {
        tree.mv('docs', 'x');
        tree.mv('photos', 'docs');
        tree.mv('x', 'photos');
      },
      { renamed: 6 },
      0,
    ],
    [
      'a folder into itself',
      (tree) => {
        tree.mv('docs', 'x');
        tree.mkdir('docs');
        tree.mv('x', 'docs/old');
      },
      { renamed: 4 },
      0,
    ],
    [
      'a moved folder with an edit, an addition and a deletion in it',
      (tree) => {
        tree.mv('docs', 'papers');
        tree.write('papers/a', 'edited');
        tree.write('papers/deep/e', 'e');
        fs.unlinkSync(tree.at('papers/deep/d'));
      },
      { renamed: 3, updated: 1, copied: 1, deleted: 1 },
      2,
    ],
    [
      'modes and times',
      (tree) => {
        fs.chmodSync(tree.at('docs/a'), 0o600);
        fs.chmodSync(tree.at('docs/deep'), 0o700);
        fs.utimesSync(tree.at('top'), 1_500_000_000, 1_500_000_000.25);
        tree.mv('photos/1.jpg', 'photos/3.jpg');
        fs.chmodSync(tree.at('photos/3.jpg'), 0o755);
      },
      { renamed: 1, updated: 3 },
      0,
    ],
    [
      'kinds',
      (tree) => {
        fs.unlinkSync(tree.at('top'));
        tree.write('top/inside', 'inside');
        fs.unlinkSync(tree.at('link'));
        tree.write('link', 'a file now');
        fs.rmSync(tree.at('photos'), { recursive: true });
        fs.symlinkSync('docs', tree.at('photos'));
        fs.rmdirSync(tree.at('empty'));
        tree.mkdir('other/empty');
      },
      { copied: 3, deleted: 4 },
      2,
    ],
  ])('%s', async (_, change, applied, files) => {
    await twins(small);
    change(a);
    await a.commit({ allowMassDelete: true });
    const result = await follow();
    expect(result).toMatchObject({ result: 'fast-forward', missing: [], conflicts: [] });
    expect(result.applied).toEqual({ renamed: 0, copied: 0, updated: 0, deleted: 0, ...applied });
    expect(result.transferred.files).toBe(files);
    await same();
    expect(await follow()).toMatchObject({ result: 'up-to-date' });
  });
});

describe('advance, with care', () => {
  it('does nothing in a dry run, and says what it would do', async () => {
    await twins(small);
    a.mv('docs', 'papers');
    a.write('top', 'new top');
    await a.commit();
    const head = await b.with((repo) => repo.head);
    const result = await follow({ dryRun: true });
    expect(result.applied).toEqual({ renamed: 4, copied: 0, updated: 1, deleted: 0 });
    expect(await b.with((repo) => repo.head)).toBe(head);
    expect(fs.existsSync(b.at('docs/a'))).toBe(true);
  });

  it('refuses while there are changes, and names them', async () => {
    await twins(small);
    a.mv('docs', 'papers');
    await a.commit();
    b.write('docs/a', 'mine');
    await expect(follow()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('docs/a'),
    });
    expect(fs.readFileSync(b.at('docs/a'), 'utf8')).toBe('mine');
  });

  it('leaves a project alone in which git is at work: nothing is done', async () => {
    const project = (tree: TestTree) => {
      small(tree);
      tree.write('work/app/.git/HEAD', 'ref: refs/heads/main');
      tree.write('work/app/src', 'source');
    };
    await twins(project);
    a.mv('work', 'projects');
    await a.commit();
    const head = await b.with((repo) => repo.head);
    b.write('work/app/.git/index.lock', '');
    await expect(follow()).rejects.toMatchObject({ code: 'refused', path: 'work/app' });
    fs.unlinkSync(b.at('work/app/.git/index.lock'));
    expect(await b.changes()).toEqual([]);
    expect(await b.with((repo) => repo.head)).toBe(head);
    await follow();
    expect(fs.readFileSync(b.at('projects/app/src'), 'utf8')).toBe('source');
    expect(await b.changes()).toEqual([]);
  });

  it('a project in which git is at work keeps nothing back that does not touch it', async () => {
    await twins((tree) => {
      small(tree);
      tree.write('.bkignore', '*.lock');
      tree.write('app/.git/HEAD', 'ref: refs/heads/main');
    });
    b.write('app/.git/index.lock', '');
    a.write('docs/a', 'edited');
    await a.commit();
    expect(await follow()).toMatchObject({ applied: { updated: 1 } });
    expect(await b.changes()).toEqual([]);
    a.write('app/.git/HEAD', 'ref: refs/heads/other');
    await a.commit();
    await expect(follow()).rejects.toMatchObject({ code: 'refused', path: 'app' });
  });

  it('refuses what is no later commit', async () => {
    await twins(small);
    a.write('top', 'a');
    await a.commit();
    b.write('top', 'b');
    await b.commit();
    await expect(follow()).rejects.toMatchObject({ code: 'refused' });
  });

  it('rule 5: refuses to empty a folder, unless that is allowed', async () => {
    await twins((tree) => {
      for (let i = 0; i < 30; i++) tree.write(`many/${i}`, `text ${i}`);
    });
    for (let i = 0; i < 20; i++) fs.unlinkSync(a.at(`many/${i}`));
    await a.commit({ allowMassDelete: true });
    await expect(follow()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('20 of 30'),
    });
    expect(fs.readdirSync(b.at('many'))).toHaveLength(30);
    expect(await follow({ allowMassDelete: true })).toMatchObject({ applied: { deleted: 20 } });
    await same();
  });

  const inNet = (...texts: string[]) => {
    const net = new SafetyNet(layoutOf(b.root));
    const read = (text: string) =>
      net.lookup(hashBytes(Buffer.from(text))).map(({ file }) => fs.readFileSync(file, 'utf8'));
    return texts.filter((text) => read(text).includes(text));
  };
  /** Days after what was done last. */
  const later = (days: number) => {
    const nowMs = b.context.nowMs() + days * 86_400_000;
    return { ...b.context, nowMs: () => nowMs };
  };

  it.each([false, true])(
    'rule 1, rule 12: what goes is in the net, and held for 30 days though it was confirmed elsewhere (index lost: %s)',
    async (lost) => {
      await twins(small);
      // The copied net names the inodes of a.
      fs.rmSync(layoutOf(b.root).safety, { recursive: true });
      await b.with((repo) => reindex(repo, b.context));
      fs.unlinkSync(a.at('docs/a'));
      a.save('docs/b', 'replaced');
      // Long ago: it counts from when it came here.
      const context = { ...a.context, nowMs: () => a.context.nowMs() - 99 * 86_400_000 };
      await a.with((repo) => commit(repo, { deletions: 'confirmed' }, context));
      await follow();
      const rows = await b.with((repo) => repo.index.departed.all());
      expect(rows.map(({ path: at, reason, confirmed }) => [at, reason, confirmed])).toEqual([
        ['docs/a', 'deleted', true],
        ['docs/b', 'replaced', false],
      ]);
      await b.verifyIndex();
      if (lost) IndexDb.discard(layoutOf(b.root).index);
      b.write('more', 'more');
      await b.commit({ deletions: 'confirmed' });
      expect(inNet('text a', 'text b')).toEqual(['text a', 'text b']);
      await b.with((repo) => safety(repo, { do: 'release' }, later(29)));
      expect(inNet('text a', 'text b')).toEqual(['text a', 'text b']);
      const { released } = await b.with((repo) => safety(repo, { do: 'release' }, later(30)));
      expect(released?.entries).toBe(2);
      expect(inNet('text a', 'text b')).toEqual([]);
    },
  );

  it('rule 12: what nobody confirmed is never let go, wherever it was deleted', async () => {
    await twins(small);
    fs.unlinkSync(a.at('docs/a'));
    await a.commit({ deletions: 'kept' });
    await follow();
    fs.unlinkSync(b.at('docs/b'));
    await b.commit({ deletions: 'kept' });
    await b.with((repo) => safety(repo, { do: 'release' }, later(999)));
    expect(inNet('text a', 'text b')).toEqual(['text a', 'text b']);
  });

  it('G30: ignored files stay where they are, and their folder with them', async () => {
    await twins((tree) => {
      small(tree);
      tree.write('.bkignore', '*.tmp\n');
    });
    b.write('docs/deep/cache.tmp', 'ignored');
    a.mv('docs', 'papers');
    await a.commit();
    expect(await follow()).toMatchObject({ conflicts: [], applied: { renamed: 4 } });
    expect(fs.readFileSync(b.at('docs/deep/cache.tmp'), 'utf8')).toBe('ignored');
    expect(fs.readdirSync(b.at('docs'))).toEqual(['deep']);
    expect(fs.readFileSync(b.at('papers/deep/c'), 'utf8')).toBe('text c');
    // A folder with nothing but ignored files is one that a commit records.
    expect(await b.changes()).toEqual(['added docs/deep']);
  });

  it('reads nothing of a folder that moved', async () => {
    await twins(small);
    await b.changes();
    a.mkdir('papers/2026');
    a.mv('docs', 'papers/2026/docs');
    await a.commit();
    await follow();
    const opened: string[] = [];
    const { openSync } = fs;
    fs.openSync = (file, ...rest) => {
      if (String(file).includes('text') || String(file).endsWith('/c')) opened.push(String(file));
      return openSync(file, ...rest);
    };
    try {
      expect(await b.changes()).toEqual([]);
    } finally {
      fs.openSync = openSync;
    }
    expect(opened).toEqual([]);
  });

  it('what changes under its hands is left alone, and shows as a change', async () => {
    await twins(small);
    a.mv('docs/a', 'docs/a2');
    a.mv('photos', 'pictures');
    a.write('top', 'new top');
    a.write('docs/new', 'new');
    fs.unlinkSync(a.at('docs/b'));
    await a.commit();
    meanwhile(() => {
      b.save('docs/a', 'mine, just now');
      b.save('docs/b', 'kept by me');
      b.write('docs/new', 'also mine');
      b.write('photos/3.jpg', 'added meanwhile');
    });
    const result = await follow();
    expect(result.conflicts.map(({ path: at }) => at)).toEqual(['docs/a2', 'docs/b', 'docs/new']);
    const read = (file: string) => fs.readFileSync(b.at(file), 'utf8');
    expect(read('docs/a')).toBe('mine, just now');
    expect(read('docs/b')).toBe('kept by me');
    expect(read('docs/new')).toBe('also mine');
    expect(read('top')).toBe('new top');
    expect(read('pictures/3.jpg')).toBe('added meanwhile');
    const changes = await b.changes();
    expect(changes).toContain('added docs/b');
    expect(changes).toContain('added pictures/3.jpg');
    expect(changes.some((change) => change.startsWith('modified docs/new'))).toBe(true);
    expect(changes.filter((change) => / top| deep/.test(change))).toEqual([]);
    expect(await b.with((repo) => repo.head)).toBe(result.commit);
  });

  it('a full disk: nothing was changed, and the same command does it afterwards', async () => {
    await twins(small);
    a.mv('docs', 'papers');
    a.write('top', 'new top');
    await a.commit();
    const before = await b.with((repo) => repo.head);
    const { linkSync } = fs;
    fs.linkSync = () => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    };
    await expect(follow().finally(() => Object.assign(fs, { linkSync }))).rejects.toMatchObject({
      code: 'no-space',
    });
    expect(await b.with((repo) => repo.head)).toBe(before);
    expect(await b.changes()).toEqual([]);
    await follow();
    await same();
  });

  it('the disk fails while names change: the next command goes on', async () => {
    await twins(small);
    a.mv('docs', 'papers');
    a.mv('top', 'bottom');
    await a.commit();
    const { renameSync } = fs;
    fs.renameSync = (from, to) => {
      if (String(to).includes('papers')) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      renameSync(from, to);
    };
    await expect(follow().finally(() => Object.assign(fs, { renameSync }))).rejects.toMatchObject({
      code: 'io',
    });
    expect(await follow()).toMatchObject({ result: 'up-to-date' });
    await same();
  });

  it('a content that cannot be had is missing, and the rest is done', async () => {
    await twins(small);
    a.write('top', 'edited');
    a.write('new', 'new');
    a.mv('docs', 'papers');
    await a.commit();
    const result = await follow({ from: [] });
    expect(result.missing.map(({ path: at }) => at)).toEqual(['new', 'top']);
    expect(result.applied).toEqual({ renamed: 4, copied: 0, updated: 0, deleted: 0 });
    expect(await b.changes()).toEqual([]);
    expect(await b.with((repo) => [...absentBelow(repo, '' as RepoPath)])).toEqual(['new', 'top']);
    expect(fs.existsSync(b.at('top'))).toBe(false);
    expect(new SafetyNet(layoutOf(b.root)).lookup(hashBytes(Buffer.from('top')))).not.toEqual([]);
  });

  it('an empty repository gets everything', async () => {
    small(a);
    await a.commit();
    const result = await follow();
    expect(result).toMatchObject({ result: 'fast-forward', missing: [], applied: { copied: 8 } });
    await same();
  });

  it('names that no text can spell', async () => {
    await twins((tree) => tree.write('caf\xe9/na\xefve', 'latin'));
    a.mv('caf\xe9', 'th\xe9');
    a.write('th\xe9/\xe8', 'more');
    await a.commit();
    await follow();
    await same();
  });
});
