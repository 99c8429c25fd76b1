import fs from 'node:fs';
import path from 'node:path';
import { formatRecord } from '@bk/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Forge, idDelta, nameOf, number, packOf, sealed } from './forge.ts';
import { FORGED_PACKS } from './forged-packs.ts';
import { FORGED_TREES } from './forged-trees.ts';
import {
  about,
  deep,
  expectRefused,
  FILE,
  FOLDER,
  git,
  here,
  LINK,
  leftovers,
  MAIN,
  PRESENCE,
  reader,
  rec,
  receive,
} from './hostile-history.ts';

describe('a forged history', () => {
  test('is a list long enough', () => {
    const all = [...FORGED_TREES, ...FORGED_PACKS];
    expect(all.length).toBeGreaterThanOrEqual(40);
    expect(new Set(all.map(([, what]) => what)).size).toBe(all.length);
  });

  test.each(FORGED_PACKS)(
    '%s: %s is refused, and nothing of it stays',
    async (_mirrors, _what, make, told) => {
      await expectRefused(make, told);
    },
  );
});

describe('a right history', () => {
  test('enters whole: new and old objects, deltas of both kinds, a presence', async () => {
    const forge = new Forge();
    const base = formatRecord(forge.rec());
    const first = forge.add('blob', base);
    const changed = rec({ size: 9 });
    const link = forge.add('blob', LINK);
    const dir = forge.add('blob', rec({ type: 'dir', blake3: undefined, size: undefined, mtime: undefined }));
    const delta = Buffer.concat([number(base.length), number(changed.length), ...inserts(changed)]);
    forge.entries.push(idDelta(first, delta));
    const second = nameOf('blob', Buffer.from(changed));
    const tree = forge.tree(
      [FILE, '%2Egit', link],
      [FILE, '.bkdir', dir],
      [FILE, 'b.x', first],
      [FOLDER, 'b', here.tree],
      [FILE, 'ä', second],
      [FILE, 'ö', here.record],
    );
    const tip = forge.commit(tree, [here.commit]);
    const there = forge.commit(
      forge.tree([FOLDER, 'present', tree], [FILE, 'repository.json', about(forge)]),
      [here.presence],
    );
    // `about` is here already, and comes again: that is no harm.
    const done = await receive({
      pack: packOf(forge.entries),
      tips: [
        { name: MAIN, id: tip },
        { name: PRESENCE, id: there },
      ],
    });
    expect(done.objects).toBe(forge.entries.length);
    git('update-ref', MAIN, tip);
    git('update-ref', PRESENCE, there);
    expect(git('fsck', '--strict', '--no-dangling')).toBe('');
    expect(git('verify-pack', path.join(here.dir, 'objects/pack', `${done.pack}.idx`))).toBe('');
    expect(reader.readTree(tree)).toHaveLength(6);
    expect(leftovers().staged).toEqual([]);
    const again = await receive({
      pack: packOf(forge.entries),
      tips: [
        { name: MAIN, id: tip },
        { name: PRESENCE, id: there },
      ],
    });
    expect(again.pack).toBe(done.pack);
    expect(await receive({ pack: packOf([]), tips: [{ name: MAIN, id: tip }] })).toEqual({ objects: 0 });
  });

  test('folders 2,000 deep and chains of 200 deltas are taken', async () => {
    const sent = deep(2_000)();
    await receive(sent);
    expect(reader.readCommit(sent.tips[0]!.id).tree).toMatch(/^[0-9a-f]{40}$/);
  });

  test('any change of its bytes, with a right checksum or not, is refused or harmless', async () => {
    const forge = new Forge();
    const tree = forge.tree(
      [FILE, 'a', forge.record()],
      [FOLDER, 'b', forge.tree([FILE, 'c', forge.record()])],
    );
    const tip = forge.commit(tree, [here.commit]);
    const whole = packOf(forge.entries);
    const known = fs.readdirSync(path.join(here.dir, 'objects/pack')).length;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, bits, seal) => {
          const broken = Buffer.from(whole);
          broken[at]! ^= bits;
          const pack = seal ? sealed(broken.subarray(0, -20)) : broken;
          const error: unknown = await receive({ pack, tips: [{ name: MAIN, id: tip }] }).then(
            () => undefined,
            (reason: unknown) => reason,
          );
          if (error !== undefined) expect(error).toMatchObject({ code: 'refused' });
          else expect(pack.subarray(12, -20).equals(whole.subarray(12, -20)) || reader.has(tip)).toBe(true);
          expect(fs.readdirSync(here.staging)).toEqual([]);
        },
      ),
      { numRuns: 1_000 },
    );
    expect(fs.readdirSync(path.join(here.dir, 'objects/pack')).length - known).toBeLessThanOrEqual(40);
    expect(git('fsck', '--strict', '--no-dangling')).toBe('');
  });
});

function inserts(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 100) {
    const part = bytes.subarray(at, at + 100);
    parts.push(Buffer.from([part.length]), part);
  }
  return parts;
}
