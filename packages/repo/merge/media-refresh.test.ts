import fs from 'node:fs';
import type { Rec } from '@bk/core';
import { expect, it } from 'vitest';
import { png } from '../../../fixtures/media/png.ts';
import { amend } from '../amend.fixture.ts';
import { refreshMedia } from '../media-refresh.ts';
import { a, b, type Machine, start, threeMachines } from './merge.fixture.ts';

threeMachines();

const unread = ({ media: _media, hashes: _hashes, ...rest }: Rec): Rec => rest as Rec;

function refresh(machine: Machine) {
  return machine.with((repo) => refreshMedia(repo, machine.context));
}

/** Three pictures of which an older bk recorded nothing. */
async function older(): Promise<void> {
  await start((tree) => {
    for (const [pixel, name] of ['kept.png', 'deleted.png', 'moved.png'].entries())
      fs.writeFileSync(tree.at(name), png(pixel + 1, name));
  });
  for (const name of ['kept.png', 'deleted.png', 'moved.png']) amend(a, name, unread);
  await b.merge(a);
}

/** Each merges the other as it was, and comes to the same head. */
async function mergeBoth(): Promise<void> {
  await a.fetch();
  await b.fetch();
  const [first, second] = [await a.head(), await b.head()];
  expect((await a.merge(second)).conflicts).toEqual([]);
  expect((await b.merge(first)).conflicts).toEqual([]);
  expect(await a.head()).toBe(await b.head());
  for (const machine of [a, b]) {
    expect(await machine.changes()).toEqual([]);
    await machine.verifyIndex();
    machine.fsck();
  }
}

it('media facts that were read anew come along, and beat neither a deletion nor a move', async () => {
  await older();
  expect((await refresh(a)).changed).toHaveLength(3);
  fs.rmSync(b.at('deleted.png'));
  b.mv('moved.png', 'there.png');
  await b.commit({ deletions: 'confirmed' });
  await mergeBoth();
  const records = await b.records();
  expect([...records.keys()].sort()).toEqual(['kept.png', 'there.png']);
  for (const record of records.values()) expect(record.media).toMatchObject({ width: 16 });
});

it('read anew on both sides, they are no conflict', async () => {
  await older();
  expect((await refresh(a)).changed).toHaveLength(3);
  expect((await refresh(b)).changed).toHaveLength(3);
  await mergeBoth();
  expect(await refresh(b)).toMatchObject({ changed: [], commit: null });
});
