import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { type AttributeWords, parseAttributeEdit } from '@bk/core';
import { layoutOf } from '@bk/store';
import { describe, expect, test } from 'vitest';
import { at, committed, drop, loseIndex, present } from './partial.fixture.ts';
import { show } from './show.ts';
import { type TagResult, tag } from './tag.ts';
import { TestTree } from './tree.fixture.ts';

const SEA: AttributeWords = { add: ['sea'] };

function say(
  tree: TestTree,
  paths: string[],
  words: AttributeWords,
  more: { recursive?: boolean; dryRun?: boolean } = {},
): Promise<TagResult> {
  const edit = parseAttributeEdit(words);
  return tree.with((repo) => tag(repo, { paths: paths.map(at), edit, ...more }, tree.context));
}

async function attrs(tree: TestTree): Promise<Record<string, unknown>> {
  const records = [...(await tree.records())].filter(([, record]) => record.attrs !== undefined);
  return Object.fromEntries(records.map(([path, record]) => [path, record.attrs]));
}

async function grown(): Promise<TestTree> {
  const tree = new TestTree();
  for (const file of ['a', 'photos/1', 'photos/2', 'photos/old/3']) tree.write(file, `content of ${file}`);
  tree.mkdir('empty');
  await tree.commit();
  return tree;
}

describe('tag', () => {
  test('is a commit of its own that changes one record, and is told', async () => {
    using tree = await grown();
    const before = (await tree.records()).get('photos/1')!;
    const done = await say(tree, ['photos/1'], { ...SEA, set: ['rating=4'] });
    const told = { tags: ['sea'], rating: 4 };
    expect(done.changed).toEqual([{ path: 'photos/1', id: before.id, attrs: told }]);
    expect(committed(tree)).toEqual(['M photos/1']);
    expect((await tree.records()).get('photos/1')).toEqual({ ...before, attrs: told });
    expect(tree.git('log', '-1', '--format=%s', 'main')).toBe('Tag photos/1\n');
    expect(tree.git('rev-parse', 'main').trim()).toBe(done.commit);
    expect(await tree.changes()).toEqual([]);
    await tree.verifyIndex();
    tree.fsck();
    expect(await say(tree, ['photos/1'], {})).toEqual({
      ...{ changed: [], commit: null, files: [{ path: 'photos/1', id: before.id, attrs: told }] },
    });
  });

  test('that changes nothing, or only looks, makes no commit', async () => {
    using tree = await grown();
    await say(tree, ['a'], SEA);
    const head = tree.git('rev-parse', 'main');
    expect(await say(tree, ['a'], SEA)).toEqual({ changed: [], commit: null });
    expect(await say(tree, ['empty', 'photos'], { remove: ['sea'] })).toEqual({ changed: [], commit: null });
    const looked = await say(tree, ['a', 'photos/2'], { add: ['x'] }, { dryRun: true });
    expect(looked.changed.map(({ path }) => path)).toEqual(['a', 'photos/2']);
    expect(looked.commit).toBe(null);
    expect(tree.git('rev-parse', 'main')).toBe(head);
  });

  test('means a folder itself, or the files in it', async () => {
    using tree = await grown();
    await say(tree, ['photos'], SEA);
    expect(await attrs(tree)).toEqual({ 'photos/.bkdir': { tags: ['sea'] } });
    const shown = () => tree.with((repo) => show(repo, { rev: 'HEAD' }, tree.context));
    expect(await shown()).toMatchObject({
      changes: [{ type: 'metadata', path: 'photos', fields: ['attrs'] }],
    });
    expect(await tree.changes()).toEqual([]);
    await tree.verifyIndex();
    await say(tree, ['photos', 'photos/1'], { add: ['x'] }, { recursive: true });
    expect(Object.keys(await attrs(tree)).sort()).toEqual([
      ...['photos/.bkdir', 'photos/1', 'photos/2', 'photos/old/3'],
    ]);
    // Without attributes a plain folder needs no record.
    await say(tree, ['photos'], { remove: ['sea'] });
    expect(committed(tree)).toEqual(['D photos/.bkdir']);
    expect(await shown()).toMatchObject({
      changes: [{ type: 'metadata', path: 'photos', fields: ['attrs'] }],
    });
    // An empty one does, and the root may have one.
    await say(tree, ['empty', ''], SEA);
    await say(tree, ['empty'], { remove: ['sea'] });
    expect(Object.keys(await attrs(tree))).toContain('.bkdir');
    expect((await tree.records()).has('empty/.bkdir')).toBe(true);
    expect(await tree.changes()).toEqual([]);
    await tree.verifyIndex();
    tree.fsck();
  });

  test('leaves changes that are not committed as they are', async () => {
    using tree = await grown();
    tree.save('a', 'edited');
    fs.rmSync(tree.at('photos/2'));
    tree.mv('photos/old', 'photos/new');
    tree.write('fresh', 'fresh');
    const before = await tree.changes();
    await say(tree, ['a', 'photos/1', 'photos/2', 'photos/old/3', 'photos'], SEA);
    expect(committed(tree)).toEqual(['M a', 'A photos/.bkdir', 'M photos/1', 'M photos/2', 'M photos/old/3']);
    expect(await tree.changes()).toEqual(before);
    await expect(say(tree, ['photos/old'], SEA)).rejects.toThrow(/photos\/old is not there any more/);
    await expect(say(tree, ['fresh'], SEA)).rejects.toThrow(/no fresh/);
    await expect(say(tree, ['a', 'nothing'], { add: ['y'] })).rejects.toThrow(/no nothing/);
    await tree.commit({ deletions: 'kept' });
    expect(await attrs(tree)).toEqual({
      a: { tags: ['sea'] },
      'photos/1': { tags: ['sea'] },
      'photos/.bkdir': { tags: ['sea'] },
      'photos/new/3': { tags: ['sea'] },
    });
    await tree.verifyIndex();
  });

  test('stays with a file that is edited, moved, moved and edited, replaced, and put back', async () => {
    using tree = await grown();
    await say(tree, ['a', 'photos/1', 'photos/2', 'photos/old/3', 'photos'], {
      ...SEA,
      set: ['people=Anna'],
    });
    tree.save('a', 'saved by an editor');
    tree.mv('photos/1', 'moved');
    fs.appendFileSync(tree.at('photos/2'), ' and more');
    tree.mv('photos/2', 'moved and edited');
    fs.writeFileSync(tree.at('photos/old/3'), 'written in place');
    await tree.commit();
    const all = { people: ['Anna'], tags: ['sea'] };
    const names = ['a', 'moved', 'moved and edited', 'photos/old/3'];
    expect(await attrs(tree)).toEqual(
      Object.fromEntries([...names, 'photos/.bkdir'].map((name) => [name, all])),
    );
    tree.mv('photos', 'pictures');
    await tree.commit();
    expect(committed(tree)).toEqual([
      ...['D photos/.bkdir', 'D photos/old/3', 'A pictures/.bkdir', 'A pictures/old/3'],
    ]);
    execFileSync('mv', [tree.at('moved').toString(), `${tree.base}/aside`]);
    await tree.commit({ deletions: 'kept' });
    execFileSync('mv', [`${tree.base}/aside`, tree.at('back').toString()]);
    await tree.commit();
    expect((await attrs(tree))['back']).toEqual(all);
    await tree.verifyIndex();
  });

  test('stays with a folder that is swapped with another, or copied and removed', async () => {
    using tree = await grown();
    for (const file of ['other/x', 'other/y']) tree.write(file, `content of ${file}`);
    await tree.commit();
    await say(tree, ['photos', 'photos/old'], SEA);
    const id = (await tree.records()).get('photos/.bkdir')!.id;
    tree.mv('photos', 'aside');
    tree.mv('other', 'photos');
    tree.mv('aside', 'other');
    await tree.commit();
    expect(Object.keys(await attrs(tree))).toEqual(['other/.bkdir', 'other/old/.bkdir']);
    // As a move across file systems does it: other inodes.
    execFileSync('cp', ['-a', tree.at('other').toString(), tree.at('copied').toString()]);
    fs.rmSync(tree.at('other'), { recursive: true });
    await tree.commit();
    expect(Object.keys(await attrs(tree))).toEqual(['copied/.bkdir', 'copied/old/.bkdir']);
    expect((await tree.records()).get('copied/.bkdir')!.id).toBe(id);
    expect(await tree.changes()).toEqual([]);
    await tree.verifyIndex();
    tree.fsck();
  });

  test('goes for what is not here, which stays so', async () => {
    using tree = await grown();
    await drop(tree, 'photos/1', 'photos/old');
    await say(tree, ['photos/1', 'photos/old', 'photos/old/3', 'a'], SEA);
    expect(Object.keys(await attrs(tree))).toEqual(['a', 'photos/1', 'photos/old/.bkdir', 'photos/old/3']);
    expect(present(tree)).toEqual(['a', 'empty/.bkdir', 'photos/2']);
    expect(await tree.changes()).toEqual([]);
    await tree.verifyIndex();
    loseIndex(tree);
    expect(await tree.changes()).toEqual([]);
    await say(tree, ['photos/old'], { remove: ['sea'] });
    expect(present(tree)).toEqual(['a', 'empty/.bkdir', 'photos/2']);
    expect(await tree.changes()).toEqual([]);
    await tree.verifyIndex();
  });

  test('killed between head and index: the next command mends it', async () => {
    using tree = await grown();
    const { index } = layoutOf(tree.root);
    fs.copyFileSync(index, `${tree.base}/index`);
    await say(tree, ['a', 'photos'], SEA);
    for (const more of ['-wal', '-shm']) fs.rmSync(`${index}${more}`, { force: true });
    fs.copyFileSync(`${tree.base}/index`, index);
    expect(await tree.changes()).toEqual([]);
    await tree.verifyIndex();
    await tree.commit();
    expect(Object.keys(await attrs(tree))).toEqual(['a', 'photos/.bkdir']);
  });
});
