import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { addRow, type Bench, bk, bkJson, expectClean, type Group, seconds } from './bench.ts';
import { CommandFailed, type Finished } from './command.ts';
import { settle } from './space.ts';

const NAME = 'first commit with media facts, 1,000 photos of 12 MP';
const PHOTOS = { count: 1_000, bytes: 4_500_000 };

/** First commit of photos against one of the same bytes that do not begin as photos, of which nothing more is read. */
export const photos: Group = { names: [NAME], run: measure };

export function photoBytes(quick: boolean): number {
  return (quick ? 100 : PHOTOS.count) * PHOTOS.bytes;
}

function measure(bench: Bench): void {
  const count = bench.options.quick ? 100 : PHOTOS.count;
  const folder = bench.space.fresh(photoBytes(bench.options.quick) * 1.05 + 2 ** 29, 20_000);
  const names = makePhotos(folder.path, count);
  const runs = { bk: [] as Finished[], peer: [] as Finished[] };
  const one = (kind: 'bk' | 'peer'): void => {
    begin(folder.path, names, kind === 'bk' ? 0xff : 0xfe);
    settle(folder.path);
    const done = bk(bench, folder.path, ['init'], ['commit', '-m', 'First']);
    runs[kind].push(done);
    bench.say(`${NAME}: ${kind === 'bk' ? 'photos' : 'no photos'} ${done.seconds.toFixed(2)} s`);
    expectMedia(bench, folder.path, names, kind === 'bk');
    fs.rmSync(path.join(folder.path, '.bk'), { recursive: true });
  };
  for (let i = 0; i < bench.options.runs; i++) {
    one('bk');
    one('peer');
  }
  folder.release();
  addRow(bench, {
    name: NAME,
    unit: 's',
    bk: seconds(runs.bk),
    peer: { name: 'the same bytes, not begun as photos', values: seconds(runs.peer) },
    limits: { issue: { times: 1.6 } },
    ...(count === PHOTOS.count ? {} : { note: `here ${count}` }),
  });
}

/** @throws CommandFailed unless the first and the last photo have facts, or have none */
function expectMedia(bench: Bench, dir: string, names: readonly string[], wanted: boolean): void {
  expectClean(bench, dir);
  for (const name of [names[0], names.at(-1)]) {
    const { record } = bkJson(bench, dir, 'show', `HEAD:${name}`) as { record: Record<string, unknown> };
    if (('media' in record && 'hashes' in record) !== wanted)
      throw new CommandFailed([bench.bk, 'show', `${name}`], `media facts: ${JSON.stringify(record)}`);
  }
}

function begin(root: string, names: readonly string[], first: number): void {
  for (const name of names) {
    const fd = fs.openSync(path.join(root, name), 'r+');
    fs.writeSync(fd, Uint8Array.of(first), 0, 1, 0);
    fs.closeSync(fd);
  }
}

/** What a camera writes, all different: the segments of a baseline JPEG with EXIF, then noise in place of coded pixels. */
function makePhotos(root: string, count: number): readonly string[] {
  const stream = crypto.createCipheriv('aes-128-ctr', Buffer.alloc(16, 2), Buffer.alloc(16));
  const noise = Buffer.alloc(PHOTOS.bytes);
  const head = photoHead();
  return Array.from({ length: count }, (_, n) => {
    const photo = stream.update(noise);
    // Coded data has no marker in it: after 0xff stands 0.
    for (let at = photo.indexOf(0xff); at >= 0 && at + 1 < photo.length; at = photo.indexOf(0xff, at + 2))
      photo[at + 1] = 0;
    head.copy(photo);
    photo.set([0xff, 0xd9], photo.length - 2);
    const name = `IMG_${String(n).padStart(4, '0')}.jpg`;
    fs.writeFileSync(path.join(root, name), photo);
    return name;
  });
}

function photoHead(): Buffer {
  const segment = (marker: number, body: Buffer): Buffer => {
    const head = Buffer.from([0xff, marker, 0, 0]);
    head.writeUInt16BE(body.length + 2, 2);
    return Buffer.concat([head, body]);
  };
  const frame = Buffer.from([8, 0x0b, 0xb8, 0x0f, 0xa0, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
  const scan = Buffer.from([3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]);
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xe1, Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), exif()])),
    segment(0xdb, Buffer.alloc(130, 1)),
    segment(0xc0, frame),
    segment(0xc4, Buffer.alloc(416, 1)),
    segment(0xda, scan),
  ]);
}

/** Maker, model and time in one directory, and a preview of 20 KB behind them. */
function exif(): Buffer {
  const texts: readonly [number, string][] = [
    [0x10f, 'BENCHMARK\0'],
    [0x110, 'Camera 12\0'],
    [0x132, '2024:05:06 07:08:09\0'],
  ];
  const table = Buffer.alloc(2 + 12 * texts.length + 4);
  table.writeUInt16LE(texts.length);
  const data: Buffer[] = [];
  let at = 8 + table.length;
  texts.forEach(([tag, text], i) => {
    table.writeUInt16LE(tag, 2 + 12 * i);
    table.writeUInt16LE(2, 4 + 12 * i);
    table.writeUInt32LE(text.length, 6 + 12 * i);
    table.writeUInt32LE(at, 10 + 12 * i);
    data.push(Buffer.from(text, 'latin1'));
    at += text.length;
  });
  return Buffer.concat([Buffer.from('II*\0\x08\0\0\0', 'latin1'), table, ...data, Buffer.alloc(20_000, 7)]);
}
