import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { BkError, type GitId } from '@bk/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyDelta } from './delta.ts';
import { type History, newHistory } from './history.fixture.ts';
import { HistoryReader } from './reader.ts';
import { walkTree } from './tree-walk.ts';

/** A history of two commits whose blobs are deltas if `gc`; with what is in it. */
function sample(gc: boolean): { history: History; head: GitId; contents: string[]; packs: string } {
  const history = newHistory();
  const files = (n: number) =>
    Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`f${i % 3}/${i}`, `${'lorem ipsum '.repeat(40)}${i} ${n}`]),
    );
  const first = history.commit(files(1), { main: true });
  const head = history.commit(files(2), { parents: [first], main: true });
  if (gc) history.git('gc', '-q', '--prune=now');
  return { history, head, contents: Object.values(files(2)), packs: path.join(history.dir, 'objects/pack') };
}

/** Reads everything there is below a commit. */
function readAll(dir: string, head: GitId): string[] {
  const reader = new HistoryReader(dir);
  try {
    return [...walkTree(reader, reader.readCommit(head).tree)].map(({ id }) => reader.readBlobText(id));
  } finally {
    reader.close();
  }
}

describe('a damaged history', () => {
  test.each([
    ['stored', false, '.pack'],
    ['stored', false, '.idx'],
    ['with deltas', true, '.pack'],
    ['with deltas', true, '.idx'],
  ])('%s: any flipped bits in a %s%s give right contents or a "damaged" error', (_what, gc, suffix) => {
    const { history, head, contents, packs } = sample(gc);
    using _ = history;
    const originals = fs.readdirSync(packs).filter((name) => name.endsWith(suffix));
    fc.assert(
      fc.property(
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (which, where, bits, cut) => {
          const file = path.join(packs, originals[which % originals.length]!);
          const whole = fs.readFileSync(file);
          const broken = Buffer.from(whole);
          const at = where % whole.length;
          broken[at]! ^= bits;
          fs.rmSync(file);
          fs.writeFileSync(file, cut ? whole.subarray(0, at) : broken);
          try {
            expect(new Set(readAll(history.dir, head))).toEqual(new Set(contents));
          } catch (error) {
            if (!(error instanceof BkError)) throw error;
            expect(error).toMatchObject({
              code: 'damaged',
              message: expect.stringMatching(/object|index of/),
            });
          } finally {
            fs.writeFileSync(file, whole);
          }
        },
      ),
      { numRuns: 150 },
    );
    expect(readAll(history.dir, head)).toHaveLength(20);
  });

  test('the message names the object and the pack', () => {
    const { history, head, packs } = sample(true);
    using _ = history;
    const pack = fs.readdirSync(packs).find((name) => name.endsWith('.pack'))!;
    fs.truncateSync(path.join(packs, pack), 60);
    expect(() => readAll(history.dir, head)).toThrow(
      expect.objectContaining({
        code: 'damaged',
        message: expect.stringContaining(pack.slice(0, -5)),
        path: path.join(packs, pack),
      }),
    );
    expect(() => readAll(history.dir, head)).toThrow(head);
    const reader = new HistoryReader(history.dir);
    expect(() => reader.readTree(head)).toThrow(/damaged/);
    expect(() => reader.readBlob('1'.repeat(40) as GitId)).toThrow(/1111 is missing/);
    reader.close();
  });

  test('another good copy is used', () => {
    const { history, head, packs } = sample(false);
    using _ = history;
    for (const name of fs.readdirSync(packs).filter((file) => file.endsWith('.pack'))) {
      const file = path.join(packs, name);
      fs.copyFileSync(file, path.join(history.staging, name));
    }
    const before = new Set(fs.readdirSync(packs));
    history.git('repack', '-aq');
    const repacked = fs.readdirSync(packs).find((name) => !before.has(name) && name.endsWith('.pack'))!;
    fs.chmodSync(path.join(packs, repacked), 0o644);
    fs.truncateSync(path.join(packs, repacked), 40);
    expect(readAll(history.dir, head)).toHaveLength(20);
  });

  test('a history without its packs folder is damaged, not empty', () => {
    using history = newHistory();
    const reader = new HistoryReader(history.dir);
    fs.rmSync(path.join(history.dir, 'objects'), { recursive: true });
    const damaged = expect.objectContaining({ code: 'damaged' });
    expect(() => reader.has('1'.repeat(40) as GitId)).toThrow(damaged);
    expect(() => new HistoryReader(history.dir)).toThrow(damaged);
  });

  test('a torn loose object', () => {
    using history = newHistory();
    const folder = path.join(history.dir, 'objects/aa');
    fs.mkdirSync(folder);
    const id = `aa${'0'.repeat(38)}` as GitId;
    const file = path.join(folder, id.slice(2));
    const reader = new HistoryReader(history.dir);
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('x'),
      zlib.deflateSync('blob 5\0xx'),
      zlib.deflateSync('blob 2\0xx'),
    ]) {
      fs.writeFileSync(file, bytes);
      expect(() => reader.readBlob(id)).toThrow(
        expect.objectContaining({ code: 'damaged', message: expect.stringContaining(id) }),
      );
    }
    reader.close();
  });

  test('claims of size are not believed', () => {
    using history = newHistory();
    let id = '' as GitId;
    const pack = history.pack((writer) => {
      id = writer.addBlob('x'.repeat(20));
    });
    const file = path.join(history.dir, 'objects/pack', `${pack}.pack`);
    const bytes = fs.readFileSync(file);
    for (const header of ['bfffffffff7f', 'bfffff0f', 'ffffffffffffffffffffffffffffffffffff']) {
      const broken = Buffer.from(bytes);
      broken.write(header, 12, 'hex');
      fs.rmSync(file);
      fs.writeFileSync(file, broken);
      const reader = new HistoryReader(history.dir);
      const before = process.memoryUsage().arrayBuffers;
      expect(() => reader.readBlob(id)).toThrow(expect.objectContaining({ code: 'damaged' }));
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
      reader.close();
    }
  });
});

describe('applyDelta', () => {
  const base = Buffer.from('0123456789');

  test.each([
    ['insert', [10, 2, 2, 65, 66], 'AB'],
    ['copy', [10, 3, 0x91, 4, 3], '456'],
    ['both', [10, 4, 1, 65, 0x90, 3], 'A012'],
  ])('%s', (_name, delta, result) => {
    expect(applyDelta(base, Buffer.from(delta)).toString()).toBe(result);
  });

  test.each([
    ['other base', [9, 2, 2, 65, 66]],
    ['reserved', [10, 1, 0]],
    ['too short', [10, 3, 2, 65, 66]],
    ['too long', [10, 1, 2, 65, 66]],
    ['copy outside', [10, 3, 0x91, 9, 3]],
    ['cut off', [10, 3, 3, 65]],
    ['cut in a number', [10, 3, 0x91]],
    ['huge', [10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['empty', []],
  ])('%s is damaged', (_name, delta) => {
    expect(() => applyDelta(base, Buffer.from(delta))).toThrow(expect.objectContaining({ code: 'damaged' }));
  });

  test('any bytes give a result or an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          applyDelta(base, Buffer.from([10, ...bytes]));
        } catch (error) {
          expect(error).toMatchObject({ code: 'damaged' });
        }
      }),
      { numRuns: 2000 },
    );
  });
});
