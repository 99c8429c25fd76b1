import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Copier, OTHER_CONTENT, type WantedFile } from './copy.ts';
import { hashBytes } from './hash.ts';
import { native } from './native.ts';

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-copy-'));
afterAll(() => fs.rmSync(dir, { recursive: true, force: true }));
let made = 0;
const fresh = (): string => path.join(dir, String(made++));

function sourceOf(bytes: Buffer): { source: string; wanted: WantedFile } {
  const source = fresh();
  fs.writeFileSync(source, bytes);
  return {
    source,
    wanted: {
      blake3: hashBytes(bytes),
      size: bytes.length,
      mode: 0o640,
      mtimeNs: 1_234_567_890_123_456_789n,
    },
  };
}

const SIZES = [0, 1, 4095, 4096, 200_000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_500_000];

test.each(SIZES)('%d bytes arrive with mode and time', (size) => {
  const { source, wanted } = sourceOf(Buffer.alloc(size, 'some bytes '));
  const target = fresh();
  expect(new Copier().copy(source, target, wanted)).toBeUndefined();
  expect(fs.readFileSync(target).equals(fs.readFileSync(source))).toBe(true);
  const stat = fs.statSync(target, { bigint: true });
  expect(Number(stat.mode & 0o7777n)).toBe(0o640);
  if (native() !== undefined) expect(stat.mtimeNs).toBe(wanted.mtimeNs);
});

test.each([10, 200_000, 3_000_000])('another content of %d bytes leaves nothing', (size) => {
  const { source, wanted } = sourceOf(Buffer.alloc(size, 'a'));
  const target = fresh();
  const copier = new Copier();
  const others = [{ blake3: hashBytes(Buffer.from('x')) }, { size: size - 1 }, { size: size + 1 }];
  for (const other of others)
    expect(copier.copy(source, target, { ...wanted, ...other })).toBe(OTHER_CONTENT);
  expect(fs.existsSync(target)).toBe(false);
});

test('what is no file is no source: nothing blocks, nothing is followed', () => {
  const { source, wanted } = sourceOf(Buffer.from('content'));
  const [link, pipe, folder] = [fresh(), fresh(), fresh()];
  fs.symlinkSync(source, link);
  spawnSync('mkfifo', [pipe]);
  fs.mkdirSync(folder);
  const target = fresh();
  for (const at of [link, pipe, folder, fresh()])
    expect(new Copier().copy(at, target, wanted)).toEqual(expect.any(String));
  expect(fs.existsSync(target)).toBe(false);
});

test('what is at the target stays', () => {
  const { source, wanted } = sourceOf(Buffer.from('content'));
  const target = fresh();
  fs.writeFileSync(target, 'mine');
  expect(() => new Copier().copy(source, target, wanted)).toThrow('EEXIST');
  expect(fs.readFileSync(target, 'utf8')).toBe('mine');
});

test.each([900_000, 5_000_000])('holes of a file of %d bytes stay holes', (size) => {
  const source = fresh();
  const fd = fs.openSync(source, 'w');
  fs.writeSync(fd, 'begin', 0);
  fs.writeSync(fd, 'middle', size / 2);
  fs.ftruncateSync(fd, size);
  fs.closeSync(fd);
  const bytes = fs.readFileSync(source);
  const target = fresh();
  const wanted = { blake3: hashBytes(bytes), size, mode: 0o644, mtimeNs: -1n };
  expect(new Copier().copy(source, target, wanted)).toBeUndefined();
  expect(fs.readFileSync(target).equals(bytes)).toBe(true);
  expect(fs.statSync(target).blocks * 512).toBeLessThan(size / 4);
});

test('a part that ends in a hole is gone on with, and stays sparse', () => {
  const bytes = Buffer.alloc(4_000_000);
  bytes.write('begin', 0);
  bytes.write('end', bytes.length - 3);
  const { wanted } = sourceOf(bytes);
  const target = fresh();
  const copier = new Copier();
  const first = copier.receive(target);
  first.append(bytes.subarray(0, 1_000_001), true);
  first.abandon();
  const part = copier.partOf(target, wanted);
  expect(part).toEqual({ bytes: 1_000_001, prefix: hashBytes(bytes.subarray(0, 1_000_001)) });
  const more = copier.receiveMore(target, 1_000_001)!;
  more.append(bytes.subarray(1_000_001), true);
  expect(more.finish(wanted)).toBe(true);
  expect(fs.readFileSync(target).equals(bytes)).toBe(true);
  expect(fs.statSync(target).blocks).toBeLessThan(100);
});

test('a part is gone on with behind what is right of it, but never in a file that has another name', () => {
  const bytes = Buffer.alloc(300_000, 'some bytes ');
  const { wanted } = sourceOf(bytes);
  const target = fresh();
  fs.writeFileSync(target, bytes.subarray(0, 100_000));
  const copier = new Copier();
  expect(copier.partOf(target, wanted)).toEqual({
    bytes: 100_000,
    prefix: hashBytes(bytes.subarray(0, 100_000)),
  });
  const more = copier.receiveMore(target, 90_000);
  more?.append(bytes.subarray(90_000));
  expect(more?.finish(wanted)).toBe(true);
  expect(fs.readFileSync(target).equals(bytes)).toBe(true);

  const shared = fresh();
  fs.writeFileSync(shared, bytes.subarray(0, 100_000));
  fs.linkSync(shared, fresh());
  expect(copier.partOf(shared, wanted)).toBeUndefined();
});
