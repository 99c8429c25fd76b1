import fs from 'node:fs';
import type { ContentHash, Rec } from '@bk/core';
import { expect, test } from 'vitest';
import { png } from '../../fixtures/media/png.ts';
import { amend } from './amend.fixture.ts';
import { type MediaRefreshResult, refreshMedia } from './media-refresh.ts';
import { committed, drop } from './partial.fixture.ts';
import { TestTree } from './tree.fixture.ts';

const OTHER = 'ab'.repeat(32) as ContentHash;

function refresh(tree: TestTree): Promise<MediaRefreshResult> {
  return tree.with((repo) => refreshMedia(repo, tree.context));
}

/** Pictures and a text, committed; the records as an older bk made them, which read less. */
async function older(change: (rec: Rec) => Rec, ...files: readonly string[]): Promise<TestTree> {
  const tree = new TestTree();
  fs.mkdirSync(tree.at('photos'));
  for (const [pixel, name] of ['photos/a.png', 'photos/b.png', 'photos/c.png'].entries())
    fs.writeFileSync(tree.at(name), png(pixel + 1, name));
  tree.write('letter', 'no picture');
  await tree.commit();
  for (const file of files) amend(tree, file, change);
  return tree;
}

const unread = ({ media: _media, hashes: _hashes, ...rest }: Rec): Rec => rest as Rec;

test('what an older bk did not read is recorded, by a commit of its own', async () => {
  using tree = await older(unread, 'photos/a.png', 'photos/b.png');
  const before = await tree.records();
  const done = await refresh(tree);
  expect(done).toMatchObject({ read: 3, unreadable: [] });
  expect(done.changed.map(({ path }) => path)).toEqual(['photos/a.png', 'photos/b.png']);
  expect(committed(tree)).toEqual(['M photos/a.png', 'M photos/b.png']);
  expect(tree.git('log', '-1', '--format=%s', 'main')).toBe('Read media facts anew: 2 files\n');
  expect((await tree.records()).get('photos/a.png')).toEqual({
    ...before.get('photos/a.png'),
    media: { kind: 'image', mime: 'image/png', width: 16, height: 16, title: 'photos/a.png' },
    hashes: { payload: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  expect(await tree.changes()).toEqual([]);
  await tree.verifyIndex();
  tree.fsck();
  expect(await refresh(tree)).toEqual({ read: 3, changed: [], commit: null, unreadable: [] });
});

test('what an older bk read wrongly goes; what others know of the content stays', async () => {
  const wrong = (rec: Rec): Rec => ({
    ...rec,
    media: { kind: 'audio', title: 'Noise' },
    hashes: { payload: OTHER, sha256: OTHER },
    attrs: { title: 'mine' },
  });
  using tree = await older(wrong, 'photos/a.png', 'letter');
  expect((await refresh(tree)).changed.map(({ path }) => path)).toEqual(['letter', 'photos/a.png']);
  const records = await tree.records();
  expect(records.get('letter')).toMatchObject({ hashes: { sha256: OTHER }, attrs: { title: 'mine' } });
  expect(records.get('letter')).not.toHaveProperty('media');
  expect(records.get('letter')?.hashes).not.toHaveProperty('payload');
  expect(records.get('photos/a.png')).toMatchObject({
    media: { kind: 'image' },
    hashes: { sha256: OTHER },
    attrs: { title: 'mine' },
  });
});

test('of what is not here, or is another content by now, nothing is said', async () => {
  using tree = await older(unread, 'photos/a.png', 'photos/b.png', 'photos/c.png');
  await drop(tree, 'photos/a.png');
  // As long as before, so that only its hash tells.
  fs.writeFileSync(tree.at('photos/b.png'), png(9, 'photos/b.png'));
  const done = await refresh(tree);
  expect(done.changed.map(({ path }) => path)).toEqual(['photos/c.png']);
  expect(done.unreadable).toEqual([]);
  expect((await tree.records()).get('photos/b.png')).not.toHaveProperty('media');
  expect(await tree.changes()).toHaveLength(1);
});
