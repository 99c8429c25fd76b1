import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { type MediaFacts, normalizeMedia } from '@bk/core';
import { describe, expect, test } from 'vitest';
import { makePicture, PHOTO_TAGS, PICTURES, tag } from '../../fixtures/media/pictures.ts';
import { MOVIES, makeRecordings, SOUNDS, WRAPPED } from '../../fixtures/media/recordings.ts';
import { type Random, randomFrom } from '../../fixtures/random.ts';
import { type MediaReading, readMedia } from '../../packages/worktree/media/read.ts';
import { bytesSource } from '../../packages/worktree/media/window.ts';
import { once } from '../support/media-facts.ts';
import { needsPrograms } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** For each file; BK_FUZZ_RUNS by hand. */
const RUNS = Number(process.env['BK_FUZZ_RUNS'] ?? 100);
const SEED = Number(process.env['BK_FUZZ_SEED'] ?? 1);

const folder = temporaryFolder('bk-media-');
const PICTURE_NAMES = [
  'baseline.jpg',
  'progressive.jpg',
  'plain.png',
  'tiles.tif',
  'alpha.webp',
  'still.gif',
  'photo.heic',
];
const RECORDING_NAMES = [
  ...[
    'h264-aac.mp4',
    'fragments.mp4',
    'prores-pcm.mov',
    'alac.m4a',
    'variable-v1.mp3',
    'constant.mp3',
    'plain.flac',
  ],
  ...['vorbis.ogg', 'flac.oga', 'pcm16.wav', 'pcm16.aiff', 'h264-flac.mkv', 'mpeg4-mp3.avi'],
];

describe.each([...PICTURE_NAMES, ...RECORDING_NAMES])('%s, damaged', (name) => {
  test('always answers, within bounds', (context) => {
    needsPrograms(context, 'convert', 'heif-enc', 'exiftool', 'ffmpeg');
    const whole = sample(name);
    const random = randomFrom(SEED);
    const outcomes = new Set<string>();
    const answers = new Set<string>();
    for (let run = 0; run < RUNS; run++) {
      const bytes = damaged(whole, random);
      const reading = readWithin(bytes);
      answers.add(JSON.stringify(reading?.media));
      outcomes.add(outcomeOf(reading, bytes.length, `${name}, seed ${SEED}, run ${run}`));
    }
    // Damage that never shows would mean that nothing is looked at.
    expect(answers.size).toBeGreaterThan(2);
    expect(outcomes.has('facts')).toBe(true);
  });

  test('cut off anywhere, it gives facts that are there or says that it is cut', (context) => {
    needsPrograms(context, 'convert', 'heif-enc', 'exiftool', 'ffmpeg');
    const whole = sample(name);
    const step = Math.max(1, Math.floor(whole.length / RUNS));
    for (let length = 0; length < whole.length; length += step) {
      const outcome = outcomeOf(readWithin(whole.subarray(0, length)), length, `${name}, ${length} bytes`);
      expect(['facts', 'nothing', 'truncated', 'malformed']).toContain(outcome);
      if (SEQUENTIAL.test(name) && length > 100) expect(outcome, `${length} bytes`).toBe('truncated');
    }
  });
});

/** Formats whose pixels must be walked to their end. */
const SEQUENTIAL = /\.(?:jpg|png|webp|gif)$/;

const samples = once((): ReadonlyMap<string, Buffer> => {
  const pictures = PICTURES.filter(({ name }) => PICTURE_NAMES.includes(name)).map((format) =>
    makePicture(folder, format),
  );
  tag(folder, PHOTO_TAGS);
  const formats = [...MOVIES, ...SOUNDS, ...WRAPPED].filter(({ name }) => RECORDING_NAMES.includes(name));
  makeRecordings(folder, formats);
  const recordings = RECORDING_NAMES.map((name) => path.join(folder, name));
  return new Map([...pictures, ...recordings].map((file) => [path.basename(file), fs.readFileSync(file)]));
});

function sample(name: string): Buffer {
  const found = samples().get(name);
  if (found === undefined) throw new Error(`no sample ${name}`);
  return found;
}

/** How often a reader may come to a source of so many bytes; a loop that does not get on would come for ever. */
function readWithin(bytes: Buffer): MediaReading | undefined {
  const source = bytesSource(bytes);
  let reads = 0;
  return readMedia({
    size: source.size,
    read: (offset, length) => {
      if (offset + length > bytes.length) throw new Error('reads past the end');
      if (++reads > 1000 + bytes.length) throw new Error('reads without end');
      return source.read(offset, length);
    },
  });
}

/** What every answer must be, whatever the bytes. */
function outcomeOf(reading: MediaReading | undefined, size: number, where: string): string {
  if (reading === undefined) return 'nothing';
  const { media, payload } = reading;
  expect(normalizeMedia(media as MediaFacts), where).toEqual(media);
  const spans = payload?.flat() ?? [];
  expect(
    spans.filter(({ offset, length }) => !(offset >= 0 && length > 0 && offset + length <= size)),
    where,
  ).toEqual([]);
  if (media['error'] === undefined) return 'facts';
  expect(Object.keys(media), where).toEqual(['error']);
  expect(payload, where).toBeUndefined();
  return media['error'] as string;
}

/** Most damage goes to the first and the last part, where formats keep what they are made of. */
function damaged(whole: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(whole);
  const near = Math.min(bytes.length, 2000);
  const where = (): number =>
    random.pick([0, bytes.length - near, random.below(bytes.length - near + 1)]) + random.below(near);
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = where();
    const kind = random.below(5);
    if (kind === 0) bytes[at] = random.below(256);
    else if (kind === 1) bytes.fill(random.pick([0, 0xff, 0x7f]), at, at + 4);
    else if (kind === 2) bytes.writeUInt32BE(random.below(1 << 16), Math.min(at, bytes.length - 4));
    else if (kind === 3) bytes.copyWithin(at, where(), where());
    else bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  }
  return random.below(4) === 0 ? bytes.subarray(0, where()) : bytes;
}
