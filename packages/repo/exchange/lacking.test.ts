import fs from 'node:fs';
import type { GitId } from '@bk/core';
import type { WantedPart } from '@bk/remote';
import { describe, expect, test } from 'vitest';
import { TestTree } from '../tree.fixture.ts';
import { commonCommit, lackingAt } from './lacking.ts';

const EVERYTHING: WantedPart = { include: [], exclude: [] };

/** A folder whose commits are made step by step; answers which paths lack their contents elsewhere. */
class Told extends TestTree {
  readonly commits: GitId[] = [];

  async next(edit: () => void): Promise<GitId> {
    edit();
    const { commit } = await this.commit({ deletions: 'kept', allowMassDelete: true });
    this.commits.push(commit!);
    return commit!;
  }

  /** @param present the commit whose tree is held there */
  lacking(common: GitId | undefined, present: GitId | undefined, subset = EVERYTHING): Promise<string[]> {
    return this.with((repo) => {
      const held = present === undefined ? undefined : repo.history.readCommit(present).tree;
      return lackingAt(repo, repo.head!, { common, present: held, subset }).map(({ path }) => path);
    });
  }
}

async function grown(): Promise<Told> {
  const tree = new Told();
  await tree.next(() => {
    tree.write('Pictures/a.jpg', 'a');
    tree.write('Pictures/b.jpg', 'b');
    tree.write('Docs/letter', 'dear');
    tree.write('Docs/empty', '');
    fs.symlinkSync('letter', tree.at('Docs/link'));
  });
  return tree;
}

describe('what another repository lacks', () => {
  test('all contents if it has nothing; what the history holds needs no sending', async () => {
    using tree = await grown();
    expect(await tree.lacking(undefined, undefined)).toEqual([
      'Docs/letter',
      'Pictures/a.jpg',
      'Pictures/b.jpg',
    ]);
    expect(await tree.lacking(tree.commits[0], tree.commits[0])).toEqual([]);
  });

  test('nothing for what only moved, was copied or touched', async () => {
    using tree = await grown();
    const [base] = tree.commits;
    await tree.next(() => {
      tree.mv('Pictures', 'Photos');
      tree.write('Docs/copy of a.jpg', 'a');
      tree.write('Docs/copy of letter', 'dear');
      fs.utimesSync(tree.at('Docs/letter'), 1, 1);
    });
    expect(await tree.lacking(base, base)).toEqual([]);
  });

  test('new and edited contents, each once', async () => {
    using tree = await grown();
    const [base] = tree.commits;
    await tree.next(() => {
      tree.save('Docs/letter', 'dear aunt');
      tree.write('Docs/new', 'new');
      tree.write('Docs/new again', 'new');
      tree.mv('Pictures/a.jpg', 'Pictures/c.jpg');
    });
    expect(await tree.lacking(base, base)).toEqual(['Docs/letter', 'Docs/new']);
    expect(await tree.lacking(base, base, { include: ['Pictures'], exclude: [] })).toEqual([]);
    expect(await tree.lacking(base, base, { include: [], exclude: ['*/new'] })).toEqual([
      'Docs/letter',
      'Docs/new again',
    ]);
  });

  test('what comes into its subset is sent, what it let go of is not', async () => {
    using tree = new Told();
    const first = await tree.next(() => tree.write('Pictures/a.jpg', 'a'));
    const base = await tree.next(() => tree.write('Docs/letter', 'dear'));
    await tree.next(() => {
      tree.mv('Docs/letter', 'Docs/old letter');
      tree.write('Pictures/letter', 'dear');
    });
    expect(await tree.lacking(base, first, { include: ['Pictures'], exclude: [] })).toEqual([
      'Pictures/letter',
    ]);
    // Wanted there and not held: it was dropped.
    expect(await tree.lacking(base, first)).toEqual([]);
    await tree.next(() => tree.mv('Docs/old letter', 'Pictures/moved letter'));
    expect(await tree.lacking(base, first, { include: ['Pictures/moved*'], exclude: [] })).toEqual([
      'Pictures/moved letter',
    ]);
  });
});

test('the newest common commit', async () => {
  using tree = await grown();
  const second = await tree.next(() => tree.write('x', 'x'));
  await tree.with((repo) => {
    const [first] = tree.commits;
    expect(commonCommit(repo.history, second, first!)).toBe(first);
    expect(commonCommit(repo.history, first!, second)).toBe(first);
    expect(commonCommit(repo.history, second, second)).toBe(second);
  });
});
