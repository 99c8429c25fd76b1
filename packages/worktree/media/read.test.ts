import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { hashBytes } from '../hash.ts';
import { hashPayload } from './payload.ts';
import { readMedia } from './read.ts';
import { descriptorSource } from './source.ts';
import { bytesSource } from './window.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-media-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** A picture of 3 x 2 pixels in one scan, whose coded data is `..`. */
const HEAD = Buffer.from('ffd8', 'hex');
const FRAME = Buffer.from('ffc0000b080002000301011100', 'hex');
const SCAN = Buffer.from('ffda0008010100003f002e2eff00ffd9', 'hex');
const COMMENT = Buffer.from('fffe0004abcd', 'hex');
const JPEG = Buffer.concat([HEAD, FRAME, SCAN]);

const STARTS: readonly Buffer[] = [
  ...[
    'ffd8ffe000104a46',
    '89504e470d0a1a0a0000000d49484452',
    '49492a0008000000',
    '4d4d002a00000008',
    '49492b00080000001000000000000000',
  ],
  ...[
    '474946383961',
    '000000186674797068656963',
    '000000186674797069736f6d',
    '000000186674797063727820',
    '49443303000000000000',
    'fffb9064',
  ],
  ...[
    '664c6143000000',
    '4f67675300020000',
    '1a45dfa3',
    '464f524d0000000041494646',
    '004d524d',
    '49491a0000004845415043434452',
  ],
].map((hex) => Buffer.from(hex, 'hex'));
const RIFFS = ['WEBP', 'WAVE', 'AVI '].map((kind) => Buffer.from(`RIFF\xff\xff\0\0${kind}`, 'latin1'));
const FUJI = Buffer.from('FUJIFILMCCD-RAW 0201', 'latin1');

describe('what is no media', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('Dear aunt,\n')],
    ['text in UTF-16', Buffer.from('\ufeffDear aunt, how are you? ÿÿÿ', 'utf16le')],
    ['0xff over and over', Buffer.alloc(5000, 0xff)],
    ['a text about tracks', Buffer.from('the wide road')],
    ['a zip', Buffer.from('504b0304140000000800', 'hex')],
    ['a script', Buffer.from('#!/bin/sh\nexit 0\n')],
  ])('%s has no facts and no error', (_, bytes) => {
    expect(readMedia(bytesSource(bytes))).toBeUndefined();
  });
});

test('a JPEG by hand: what it is, and all but its comment is its payload', () => {
  const commented = Buffer.concat([HEAD, COMMENT, FRAME, SCAN, Buffer.from('trailer ffd9')]);
  const source = bytesSource(commented);
  const reading = readMedia(source);
  expect(reading?.media).toEqual({ kind: 'image', mime: 'image/jpeg', width: 3, height: 2 });
  expect(hashPayload(source, reading?.payload ?? [])).toBe(hashBytes(JPEG));
});

test.each([
  ['the end', JPEG.length - 1],
  ['the coded data', JPEG.length - 4],
  ['a segment', 10],
  ['the first marker', 3],
])('cut off in %s it has only the error', (_, length) => {
  expect(readMedia(bytesSource(JPEG.subarray(0, length)))).toEqual({ media: { error: 'truncated' } });
});

test('each format is known by its first bytes, which alone are no file', () => {
  const others = [
    '00000008776964650000',
    '00000014706e6f74',
    '000000006d6f6f76',
    '000000016d646174',
    '4949524f',
    '49495253',
    '4d4d4f52',
  ];
  const starts = [
    ...STARTS,
    ...RIFFS,
    FUJI,
    ...others.map((hex) => Buffer.from(hex, 'hex')),
    Buffer.from('RF64\0\0\0\0WAVE'),
  ];
  const frame = Buffer.from('fffb9064', 'hex');
  for (const start of starts) {
    const reading = readMedia(bytesSource(start));
    // Sound is believed only if more of it follows.
    if (start.equals(frame)) expect(reading).toBeUndefined();
    else
      expect([start.toString('latin1'), reading?.media['error']]).toEqual([
        start.toString('latin1'),
        expect.stringMatching(/^(?:truncated|malformed)$/),
      ]);
  }
});

test('sound without any sound has no payload, so that two of them are not taken for one', () => {
  const format = Buffer.from('fmt \x10\0\0\0\x01\0\x02\0\x44\xac\0\0\x10\xb1\x02\0\x04\0\x10\0', 'latin1');
  const wave = (data: string): Buffer =>
    Buffer.concat([Buffer.from('RIFF\xff\0\0\0WAVE', 'latin1'), format, Buffer.from(data, 'latin1')]);
  const empty = readMedia(bytesSource(wave('data\0\0\0\0')));
  expect(empty?.media['audio']).toMatchObject({ codec: 'pcm_s16le', sampleRate: 44_100 });
  expect(empty?.payload).toBeUndefined();
  expect(readMedia(bytesSource(wave('data\x04\0\0\0abcd')))?.payload).toHaveLength(1);
});

test('whatever follows the first bytes of a format, there is an answer', () => {
  const rest = fc.uint8Array({ maxLength: 3000 });
  fc.assert(
    fc.property(fc.constantFrom(...STARTS, ...RIFFS, FUJI), rest, (start, bytes) => {
      const file = Buffer.concat([start, bytes]);
      const reading = readMedia(bytesSource(file));
      if (reading?.media['error'] !== undefined) expect(Object.keys(reading)).toEqual(['media']);
    }),
    { numRuns: 2000 },
  );
});

test('a file that cannot be read is not called malformed: what its source throws comes through', () => {
  const failing = (after: number) => {
    let left = after;
    return {
      size: 1 << 20,
      read: (offset: number, length: number) => {
        if (left-- <= 0) throw new Error('EIO');
        return Buffer.concat([JPEG.subarray(0, -2), Buffer.alloc(1 << 20)]).subarray(offset, offset + length);
      },
    };
  };
  for (const after of [0, 1]) expect(() => readMedia(failing(after))).toThrow('EIO');
});

test('an open file gives what its bytes in memory give', () => {
  const file = path.join(folder, 'name without extension');
  fs.writeFileSync(file, JPEG);
  const fd = fs.openSync(file, 'r');
  try {
    const source = descriptorSource(fd, JPEG.length);
    const reading = readMedia(source);
    expect(reading).toEqual(readMedia(bytesSource(JPEG)));
    expect(hashPayload(source, reading?.payload ?? [])).toBe(hashBytes(JPEG));
  } finally {
    fs.closeSync(fd);
  }
});
