import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { makePicture, PHOTO_TAGS, PICTURES, tag } from '../../fixtures/media/pictures.ts';
import { MOVIES, makeRecordings, SOUNDS, WRAPPED } from '../../fixtures/media/recordings.ts';
import { randomFrom } from '../../fixtures/random.ts';
import { damaged, outcomeOf, readWithin } from '../support/media-damage.ts';
import { once } from '../support/media-facts.ts';
import { filesBelow } from '../support/media-samples.ts';
import { needs, needsPrograms } from '../support/programs.ts';
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

/** By hand there are many inputs. */
const PATIENCE_MS = 3_600_000;
/** Larger samples would take the time of many others. */
const LARGEST = 400_000;

test(
  'real samples, those that were made to break readers too, damaged',
  (context) => {
    const folder = process.env['BK_MEDIA_SAMPLES'] ?? '';
    needs(context, 'samples in BK_MEDIA_SAMPLES', folder !== '' && fs.existsSync(folder));
    const random = randomFrom(SEED);
    const files = filesBelow(folder, MEDIA).filter((file) => {
      const { size } = fs.statSync(file);
      return size > 64 && size <= LARGEST;
    });
    const wholes = files.map((file) => fs.readFileSync(file));
    const outcomes = new Map<string, number>();
    const slowest = { ms: 0, where: '' };
    for (let run = 0; run < RUNS * 20; run++) {
      const chosen = random.below(files.length);
      const where = `${path.basename(files[chosen] as string)}, seed ${SEED}, run ${run}`;
      const bytes = damaged(wholes[chosen] as Buffer, random);
      const start = performance.now();
      const reading = readWithin(bytes);
      const ms = performance.now() - start;
      if (ms > slowest.ms) Object.assign(slowest, { ms, where });
      const outcome = outcomeOf(reading, bytes.length, where);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    const memory = Math.round(process.resourceUsage().maxRSS / 1024);
    context.annotate(
      `${files.length} samples, ${RUNS * 20} inputs, ${JSON.stringify([...outcomes])}, slowest ${slowest.ms.toFixed(1)} ms (${slowest.where}), ${memory} MiB at most`,
    );
    expect([...outcomes.keys()].sort()).toEqual([
      'facts',
      'malformed',
      'nothing',
      'truncated',
      'unsupported',
    ]);
  },
  PATIENCE_MS,
);

const MEDIA =
  /\.(?:jpe?g|jps|mpo|tiff?|btf|png|gif|webp|hei[cf]|avif|cr[23w]|nef|arw|orf|dng|rw2|raf|mrw|iiq|mp3|flac|og[ga]|opus|m4[av]|mp4|mov|wav|aiff?|mkv|avi)$/i;

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
