import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { a, b, type Machine, threeMachines } from './merge.fixture.ts';

threeMachines();

/** The same photos on two disks under other folder names, each with some of its own. */
async function strangers(): Promise<void> {
  for (let n = 0; n < 8; n++) a.write(`Pictures/2014/p${n}.jpg`, `photo ${n}`);
  a.write('Pictures/2014/only a.jpg', 'only a');
  a.write('notes', 'notes of a');
  await a.commit();
  for (let n = 0; n < 8; n++) b.write(`Fotos_alt/IMG_${n}.jpg`, `photo ${n}`);
  b.write('Fotos_alt/only b.jpg', 'only b');
  b.write('Musik/song', 'song');
  await b.commit();
  await a.fetch();
  await b.fetch();
}

const PHOTOS = Array.from({ length: 8 }, (_, n) => n);

function names(machine: Machine): string[] {
  return Object.keys(machine.files());
}

describe('histories that meet for the first time', () => {
  it('says which folders correspond; nothing is moved or deleted', async () => {
    await strangers();
    const before = { ...a.files(), ...b.files() };
    const result = await a.merge(b);
    expect(result.correspondences).toEqual([
      { theirs: 'Fotos_alt', ours: 'Pictures/2014', files: 9, equal: 8, unique: 1, share: 8 / 9 },
    ]);
    expect(result).toMatchObject({ result: 'merged', conflicts: [], applied: { renamed: 0, deleted: 0 } });
    expect(a.files()).toEqual(before);
    expect(await b.merge(a)).toMatchObject({ result: 'fast-forward' });
    expect(result.layout).toBe(undefined);
  });

  it('ours: an ordinary commit in their name, then the merge; their files are renamed, ours stay', async () => {
    await strangers();
    const theirs = await b.head();
    const result = await a.merge(b, { layout: 'ours' });
    expect(result).toMatchObject({
      result: 'merged',
      conflicts: [],
      layout: { side: 'theirs', moved: 9, unified: 8 },
      applied: { renamed: 0, copied: 2, deleted: 0 },
    });
    const made = result.layout!.commit;
    expect(result.parents).toContain(made);
    expect(a.git('log', '-1', '--format=%P', made).trim()).toBe(theirs);
    expect(a.git('log', '-1', '--format=%B', made)).toMatch(/Bk-Repository: [-0-9a-f]{36} b\n/);
    const expected = ['Musik/song', 'Pictures/2014/only a.jpg', 'Pictures/2014/only b.jpg', ...PHOTOS.map((n) => `Pictures/2014/p${n}.jpg`), 'notes']; // biome-ignore format: long
    expect(names(a)).toEqual(expected);
    await a.verifyAll();
    const follows = await b.merge(a);
    expect(follows).toMatchObject({ result: 'fast-forward', applied: { renamed: 9, deleted: 0 }, transferred: { files: 2 } }); // biome-ignore format: long
    expect(names(b)).toEqual(expected);
    await b.verifyAll();
    expect(await a.merge(b, { layout: 'ours' })).toMatchObject({ result: 'up-to-date' });
  });

  it('theirs: we get their layout', async () => {
    await strangers();
    const ours = await a.head();
    const result = await a.merge(b, { layout: 'theirs' });
    expect(result).toMatchObject({
      result: 'merged',
      layout: { side: 'ours' },
      applied: { renamed: 9, deleted: 0 },
    });
    expect(a.git('log', '-1', '--format=%P', result.layout!.commit).trim()).toBe(ours);
    expect(names(a)).toEqual([...PHOTOS.map((n) => `Fotos_alt/IMG_${n}.jpg`), 'Fotos_alt/only a.jpg', 'Fotos_alt/only b.jpg', 'Musik/song', 'notes']); // biome-ignore format: long
    await a.verifyAll();
    expect(await b.merge(a)).toMatchObject({ result: 'fast-forward', applied: { renamed: 0, copied: 2 } });
  });

  it('what became one with an equal file is not touched, nor read again', async () => {
    for (let n = 0; n < 30; n++) {
      b.put(`d/p${n}.jpg`, `photo ${n}`, 1_790_000_000);
      a.put(`d/p${n}.jpg`, `photo ${n}`, 1_790_000_000);
    }
    await a.commit();
    await b.commit();
    const inodes = () => fs.readdirSync(b.at('d')).map((name) => fs.statSync(b.at(`d/${name}`)).ino);
    await b.changes();
    const before = inodes();
    expect(await b.merge(a)).toMatchObject({ applied: { renamed: 0, copied: 0, updated: 0, deleted: 0 } });
    expect(inodes()).toEqual(before);
    expect((await b.records()).get('d/p0.jpg')?.was).toHaveLength(1);
    const opened: string[] = [];
    const { openSync } = fs;
    fs.openSync = (file, ...rest) => {
      if (String(file).includes('.jpg')) opened.push(String(file));
      return openSync(file, ...rest);
    };
    try {
      expect(await b.changes()).toEqual([]);
    } finally {
      fs.openSync = openSync;
    }
    expect(opened).toEqual([]);
    await b.verifyAll();
    await a.merge(b);
    await a.verifyAll();
  });

  it('a dry run touches nothing; histories that have met have no layout to choose', async () => {
    await strangers();
    const before = [await a.head(), a.files(), fs.readdirSync(`${a.root}/.bk/history/objects/pack`)];
    const plan = await a.merge(b, { layout: 'theirs', dryRun: true });
    expect(plan).toMatchObject({ commit: null, applied: { renamed: 9 }, layout: { side: 'ours' } });
    expect([await a.head(), a.files(), fs.readdirSync(`${a.root}/.bk/history/objects/pack`)]).toEqual(before);
    await a.merge(b);
    await b.merge(a);
    a.write('new', 'new');
    await a.commit();
    b.write('other', 'other');
    await b.commit();
    await expect(a.merge(b, { layout: 'ours' })).rejects.toMatchObject({ code: 'usage' });
  });

  it('refused for changes: neither the commit nor the merge is made', async () => {
    await strangers();
    a.write('notes', 'edited');
    const before = [await a.head(), fs.readdirSync(`${a.root}/.bk/history/objects/pack`)];
    await expect(a.merge(b, { layout: 'ours' })).rejects.toMatchObject({ code: 'refused' });
    expect([await a.head(), fs.readdirSync(`${a.root}/.bk/history/objects/pack`)]).toEqual(before);
  });
});
