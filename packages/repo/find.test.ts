import fs from 'node:fs';
import path from 'node:path';
import { type ContentHash, matchesQuery, parseQuery, type Rec, type RepoPath } from '@bk/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { givenArbitrary, queryArbitrary } from '../core/query/query.fixture.ts';
import { amend } from './amend.fixture.ts';
import { type FindOptions, find } from './find.ts';
import { tell } from './holdings/holdings.fixture.ts';
import { TestTree } from './tree.fixture.ts';

async function found(tree: TestTree, query: string, options: Partial<FindOptions> = {}): Promise<string[]> {
  const { files } = await tree.with((repo) => find(repo, { query, ...options }, tree.context));
  return files.map(
    ({ path, present, deletedIn }) => `${path}${present ? '' : ' away'}${deletedIn ? ' left' : ''}`,
  );
}

async function photos(): Promise<TestTree> {
  const tree = new TestTree();
  tree.write('Pictures/2019/kids.raf', 'raw kids');
  tree.write('Pictures/2019/sea.jpg', 'sea');
  tree.write('letters/sea.txt', 'sea');
  await tree.commit();
  return tree;
}

test('what the head has is found by its record, and found again as the head moves on', async () => {
  using tree = await photos();
  expect(await found(tree, '2019')).toEqual(['Pictures/2019/kids.raf', 'Pictures/2019/sea.jpg']);
  expect(await found(tree, 'type:image -ext:raf')).toEqual(['Pictures/2019/sea.jpg']);
  amend(tree, 'letters/sea.txt', (rec) => ({ ...rec, attrs: { tags: ['to keep'], place: 'Rome' } }));
  expect(await found(tree, 'tag:keep attr.place:rome')).toEqual(['letters/sea.txt']);
  expect(await found(tree, 'is:duplicate')).toEqual(['Pictures/2019/sea.jpg', 'letters/sea.txt']);
  tree.write('letters/sea.txt', 'the sea');
  await tree.commit();
  expect(await found(tree, 'is:duplicate')).toEqual([]);
});

test('with media, what was read from the content comes along', async () => {
  using tree = await photos();
  const media = { kind: 'image', taken: '2019-08-24T12:01:02', camera: { model: 'X30' } };
  const payload = 'ab'.repeat(32) as ContentHash;
  amend(tree, 'Pictures/2019/kids.raf', (rec) => ({ ...rec, media, hashes: { payload } }));
  const query = 'camera:X30 taken:2019-08';
  const ask = (more: Partial<FindOptions>) =>
    tree.with((repo) => find(repo, { query, ...more }, tree.context));
  expect((await ask({ media: true })).files).toMatchObject([
    { path: 'Pictures/2019/kids.raf', media, payload },
  ]);
  expect((await ask({})).files[0]).not.toHaveProperty('media');
});

test('the same picture with other tags is one group, whatever else was asked', async () => {
  using tree = await photos();
  const [payload, other] = ['ab', 'cd'].map((two) => two.repeat(32) as ContentHash);
  for (const at of ['Pictures/2019/kids.raf', 'Pictures/2019/sea.jpg'])
    amend(tree, at, (rec) => ({ ...rec, hashes: { payload: payload as ContentHash } }));
  amend(tree, 'letters/sea.txt', (rec) => ({ ...rec, hashes: { payload: other as ContentHash } }));
  const ask = (query: string) => tree.with((repo) => find(repo, { query }, tree.context));
  const { files, groups } = await ask('duplicates:payload');
  expect(files.map(({ path, group }) => [path, group])).toEqual([
    ['Pictures/2019/kids.raf', payload],
    ['Pictures/2019/sea.jpg', payload],
  ]);
  expect(groups).toEqual([{ group: payload, files: 2, size: 8, saved: 3 }]);
  expect((await ask('duplicates:payload ext:jpg')).groups).toEqual([
    { group: payload, files: 1, size: 3, saved: 0 },
  ]);
  expect(await ask('sea')).not.toHaveProperty('groups');
});

test('what was deleted is found if that is asked, and every earlier version with the whole history', async () => {
  using tree = await photos();
  tree.save('Pictures/2019/sea.jpg', 'the sea');
  await tree.commit();
  tree.mv('letters/sea.txt', 'sea.txt');
  fs.rmSync(tree.at('Pictures/2019/kids.raf'));
  const { commit } = await tree.commit({ deletions: 'confirmed' });
  expect(await found(tree, 'kids')).toEqual([]);
  expect(await found(tree, 'is:deleted')).toEqual(['Pictures/2019/kids.raf away left']);
  expect(await found(tree, 'kids is:deleted ext:jpg')).toEqual([]);
  expect(await found(tree, 'sea', { allHistory: true })).toEqual([
    'Pictures/2019/sea.jpg',
    'Pictures/2019/sea.jpg left', // the letter has that content still
    'letters/sea.txt left',
    'sea.txt',
  ]);
  const { files } = await tree.with((repo) => find(repo, { query: 'is:deleted' }, tree.context));
  expect(files[0]).toMatchObject({ deletedIn: commit, type: 'file', size: 8 });
});

test('copies, places and presence are what `where` knows', async () => {
  using tree = await photos();
  await tree.with((repo) => {
    tell(repo, { digit: '2', name: 'disk2', volume: 'V2', holds: (at) => at.startsWith('Pictures') });
    tell(repo, { digit: '3', name: 'Disk Three', volume: 'V3', holds: (at) => at.endsWith('.raf') });
  });
  expect(await found(tree, 'copies:3')).toEqual(['Pictures/2019/kids.raf']);
  expect(await found(tree, 'copies:<3 on:disk2')).toEqual(['Pictures/2019/sea.jpg', 'letters/sea.txt']);
  expect(await found(tree, 'not:on:"disk three" on:here')).toEqual([
    'Pictures/2019/sea.jpg',
    'letters/sea.txt',
  ]);
  fs.rmSync(tree.at('Pictures/2019/kids.raf'));
  expect(await found(tree, 'is:absent')).toEqual(['Pictures/2019/kids.raf away']);
  expect(await found(tree, 'copies:2 raf')).toEqual(['Pictures/2019/kids.raf away']);
  expect(await found(tree, 'is:present 2019')).toEqual(['Pictures/2019/sea.jpg']);
  await expect(found(tree, 'on:dsik2')).rejects.toMatchObject({
    code: 'usage',
    hint: 'did you mean on:disk2?',
  });
});

test('before the first commit nothing is found, and what is no query is refused', async () => {
  using tree = new TestTree();
  expect(await found(tree, '*')).toEqual([]);
  await expect(found(tree, 'siez:1')).rejects.toMatchObject({
    code: 'usage',
    hint: expect.stringContaining('size:'),
  });
});

test.each([
  ['is no database', (file: string) => fs.writeFileSync(file, 'x'.repeat(5_000))],
  ['has a spoilt page', (file: string) => {
    const bytes = fs.readFileSync(file);
    bytes.fill(0xff, 4_096, 3 * 4_096);
    fs.writeFileSync(file, bytes);
  }],
  ['is gone', (file: string) => fs.rmSync(file)],
])('if the file of the tables %s, it is made anew', async (_what, spoil) => {
  using tree = await photos();
  await found(tree, '*');
  spoil(path.join(tree.root, '.bk/search.sqlite'));
  expect(await found(tree, '*')).toHaveLength(3);
  expect(await found(tree, 'sea')).toHaveLength(2);
}); // biome-ignore format: a row a case

test.skipIf(process.getuid?.() === 0)(
  'where nothing can be written the question is answered all the same',
  async () => {
    using tree = await photos();
    fs.chmodSync(path.join(tree.root, '.bk'), 0o500);
    expect(await found(tree, 'sea')).toHaveLength(2);
    expect(fs.existsSync(path.join(tree.root, '.bk/search.sqlite'))).toBe(false);
  },
);

test('whatever is asked, what is found is what the query means', async () => {
  using tree = new TestTree();
  const paths = [
    'a.jpg',
    'Pictures/kids.RAF',
    'Pictures/Köln 2019/IMG_12.jpg',
    'Music/kids/été.flac',
    'new york',
  ];
  for (const at of paths) tree.write(Buffer.from(at).toString('latin1'), at.slice(0, 5));
  await tree.commit();
  const records = fc.array(givenArbitrary, { minLength: 5, maxLength: 5 });
  for (const [i, given] of fc.sample(records, { numRuns: 1, seed: 42 })[0]!.entries())
    amend(
      tree,
      paths[i]!,
      (rec): Rec => ({
        ...rec,
        ...(given.media && { media: given.media }),
        ...(given.attrs && { attrs: given.attrs }),
      }),
    );
  fs.rmSync(tree.at('a.jpg'));
  const held = (at: string): boolean => at.startsWith('Pictures');
  await tree.with((repo) => tell(repo, { digit: '2', name: 'disk', volume: 'V2', holds: held }));
  await tree.with((repo) => tell(repo, { digit: '3', name: 'nowhere', volume: 'V3', holds: () => false }));
  const all = await tree.records();
  await fc.assert(
    fc.asyncProperty(queryArbitrary, async (text) => {
      const query = parseQuery(text, {
        ms: tree.context.nowMs(),
        offsetMinutes: (ms) => -new Date(ms).getTimezoneOffset(),
      });
      const meant = [...all].filter(([at, record]) => {
        const { id, blake3, size } = record as Required<Rec>;
        const facts = {
          path: at as RepoPath,
          type: 'file' as const,
          id,
          blake3,
          size,
          record,
          deleted: false,
        };
        return matchesQuery(query, facts, {
          isPresent: ({ path }) => path !== 'a.jpg',
          copies: ({ path }) => (path === 'a.jpg' ? 0 : held(path) ? 2 : 1),
          isOn: (name, { path }) => name === 'disk' && held(path),
          isDuplicate: (of, file) =>
            of === 'exact' &&
            [...all].some(([other, one]) => other !== file.path && one.blake3 === file.blake3),
        });
      });
      const { files } = await tree.with((repo) => find(repo, { query: text }, tree.context));
      expect({ text, paths: files.map(({ path }) => path as string).sort() }).toEqual({
        text,
        paths: meant.map(([at]) => at).sort(),
      });
    }),
    { numRuns: 150 },
  );
});
