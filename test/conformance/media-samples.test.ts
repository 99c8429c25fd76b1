import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { expect, type TestContext, test } from 'vitest';
import { makePicture } from '../../fixtures/media/pictures.ts';
import { comparePicture, type ExiftoolTags, exiftoolTags } from '../support/exiftool.ts';
import { compareRecording, ffprobe } from '../support/ffprobe.ts';
import type { Difference } from '../support/media-agreement.ts';
import { mediaOf } from '../support/media-facts.ts';
import { completed, type Exception, type Sample, samplesIn, unexplained } from '../support/media-samples.ts';
import { needs, needsPrograms } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

/**
 * Files of real cameras, phones, encoders and taggers: BK_MEDIA_SAMPLES is a folder with the unpacked sources of
 * exiftool, jhead, libexif, goexif, taglib, mutagen, exiv2 … as Debian has them (`.ci/run` fetches the small ones).
 */
const SAMPLES = process.env['BK_MEDIA_SAMPLES'] ?? '';
const folder = temporaryFolder('bk-media-');

const PICTURES =
  /\.(?:jpe?g|jps|mpo|tiff?|btf|png|gif|webp|heic|heif|avif|cr2|cr3|crw|nef|arw|srw|pef|orf|dng|rw2|raf|mrw|iiq)$/i;
const RECORDINGS = /\.(?:mp3|flac|ogg|oga|opus|m4a|mp4|m4v|3gp|mov|wav|aiff?|mkv|avi)$/i;

type Found = Difference & { readonly name: string };

test('pictures: every field as exiftool finds it', (context) => {
  needsSamples(context, 'exiftool', 'convert', 'ffmpeg');
  const { samples, tags } = wholePictures();
  const found: Found[] = [];
  const cameras = new Set<string>();
  let compared = 0;
  for (const { name, file } of samples) {
    const said = tags.get(file) ?? {};
    const media = mediaOf(file);
    if (isNoPicture(said)) continue;
    // SPEC 2.3: what cannot be read gets only `error`; exiftool gives what it can, and mostly a warning.
    if (isDamaged(said) || (media['error'] !== undefined && isUndecodable(file))) {
      expect(media['error'], name).toBeDefined();
      continue;
    }
    const agreement = comparePicture(media, said);
    compared += agreement.compared;
    found.push(...agreement.differences.map((difference) => ({ name, ...difference })));
    if (said['EXIF:Model'] !== undefined) cameras.add(`${said['EXIF:Make']} ${said['EXIF:Model']}`);
  }
  context.annotate(
    `${samples.length} pictures, ${cameras.size} cameras, ${compared} fields, ${found.length} differ`,
  );
  expect(cameras.size).toBeGreaterThan(30);
  expect(compared).toBeGreaterThan(500);
  expect(unexplained(found, PICTURE_EXCEPTIONS)).toEqual([]);
  expect(found.length / compared).toBeLessThanOrEqual(0.005);
});

test('recordings: every field as ffprobe finds it', (context) => {
  needsSamples(context, 'ffprobe', 'ffmpeg');
  const samples = samplesIn(SAMPLES, RECORDINGS);
  const found: Found[] = [];
  let compared = 0;
  for (const { name, file } of samples) {
    const probed = probe(file);
    if (probed === undefined) continue;
    const agreement = compareRecording(mediaOf(file), probed);
    compared += agreement.compared;
    for (const difference of agreement.differences) {
      if (difference.field === 'duration' && isDecodedTo(file, difference.ours)) continue;
      found.push({ name, ...difference });
    }
  }
  context.annotate(`${samples.length} recordings, ${compared} fields, ${found.length} differ`);
  expect(compared).toBeGreaterThan(300);
  expect(unexplained(found, RECORDING_EXCEPTIONS)).toEqual([]);
});

const PICTURE_EXCEPTIONS: readonly Exception[] = [
  {
    name: /^(?:AFCP|FotoStation)\.jpg$|^CanonRaw\.crw$/,
    field: /^(?:title|description|creator|rights|keywords)$/,
    why: 'in the trailer of a maker, behind the end of the picture: docs/format.md says that these are not read',
  },
  {
    name: /^CaorVN\.jpeg$/,
    field: /^gps\.longitude$/,
    why: 'EXIF names a place and leaves its numbers out; exiftool makes 0 of that, XMP has them',
  },
  {
    name: /^exiv2-bug1229\.jpg$/,
    field: /^keywords$/,
    why: 'two XMP packets, where one is allowed: exiftool shows the last one',
  },
  {
    name: /^exiv2-bug855\.jpg$/,
    field: /^mime$/,
    why: 'a JPEG with the EXIF of a DNG; the type is by how the content begins',
  },
  {
    name: /^geodegrees_as_string\.jpg$/,
    field: /^gps\./,
    why: 'texts where numbers belong, with decimal commas: exiftool makes 52.01 of 52° 50′, we nothing',
  },
];

const RECORDING_EXCEPTIONS: readonly Exception[] = [
  {
    name: /\.mov$/,
    field: /^software$/,
    why: 'ffprobe gives the name of the codec as that of the encoder',
  },
  { name: /^mov-basic\.mov$/, field: /./, why: 'a header packed as QuickTime 3 did is `unsupported`' },
  {
    name: /^(?:Pentax|RIFF)\.avi$/,
    field: /^taken$/,
    why: 'the same time, which ffprobe writes with a blank',
  },
  {
    name: /^Opus\.opus$/,
    field: /^duration$/,
    why: 'its only page of sound holds less than a decoder has to skip',
  },
  {
    name: /^audacious-trailing-id32-apev2\.mp3$/,
    field: /^duration$/,
    why: 'the number of frames that its header states; ffprobe divides the length, with the tags behind it',
  },
  {
    name: /^apev2-lyricsv2\.mp3$/,
    field: /^(?:duration|software)$/,
    why: 'cut out of a longer one: the first frame states the length of that one, and no third frame follows it',
  },
  {
    name: /^silence-44-s\.(?:flac|mp3)$|^multiple-vc\.flac$/,
    field: /^artist$/,
    why: 'two artists, which ffprobe joins by semicolons or of which it shows one; of two comment blocks the first counts',
  },
  {
    name: /ID3v23\.wav$/,
    field: /^artist$/,
    why: 'ID3 and INFO say it in two ways; ID3 counts',
  },
  {
    name: /^mkv-basic\.mkv$/,
    field: /^software$/,
    why: 'the program that wrote the file, not the one whose tag was carried over',
  },
  { name: /64bit\.mp4$/, field: /^(?:kind|width|height)$/, why: 'tags without any track, or cut within one' },
  { name: /^zero-size-chunk\.wav$/, field: /^duration$/, why: 'its chunk of sound states no length' },
];

function needsSamples(context: TestContext, ...programs: readonly string[]): void {
  needs(context, 'samples in BK_MEDIA_SAMPLES', SAMPLES !== '' && fs.existsSync(SAMPLES));
  needsPrograms(context, ...programs);
}

/** Of those that are nothing but EXIF a whole picture is made. */
function wholePictures(): {
  readonly samples: readonly Sample[];
  readonly tags: ReadonlyMap<string, ExiftoolTags>;
} {
  const found = samplesIn(SAMPLES, PICTURES);
  const tags = exiftoolTags(found.map(({ file }) => file));
  const picture = makePicture(folder, { name: 'baseline.jpg' });
  const samples = found.map((sample, i) => {
    const said = tags.get(sample.file) ?? {};
    const isFrameless = said['File:MIMEType'] === 'image/jpeg' && said['File:EncodingProcess'] === undefined;
    const bytes = isFrameless ? completed(sample.file, picture) : undefined;
    if (bytes === undefined) return sample;
    const file = path.join(folder, `completed-${i}.jpg`);
    fs.writeFileSync(file, bytes);
    return { name: sample.name, file };
  });
  const made = samples.flatMap(({ file }) => (tags.has(file) ? [] : [file]));
  return { samples, tags: new Map([...tags, ...(made.length === 0 ? [] : exiftoolTags(made))]) };
}

/** Texts that are called like pictures. */
function isNoPicture(tags: ExiftoolTags): boolean {
  return !String(tags['File:MIMEType'] ?? '').startsWith('image/');
}

function isDamaged(tags: ExiftoolTags): boolean {
  const words = `${tags['ExifTool:Warning']} ${tags['ExifTool:Error']}`;
  return /JPEG format error|Missing JPEG SOS|Truncated|Corrupted|File is empty|File format error/i.test(
    words,
  );
}

/** A decoder misses something in it. */
function isUndecodable(file: string): boolean {
  const { stderr } = spawnSync('ffmpeg', ['-v', 'error', '-i', file, '-f', 'null', '-'], {
    encoding: 'utf8',
  });
  return stderr !== '';
}

function probe(file: string): ReturnType<typeof ffprobe> | undefined {
  try {
    return ffprobe(file);
  } catch {
    return undefined;
  }
}

/** ffprobe estimates some lengths by the bit rate; a decoder measures them. */
function isDecodedTo(file: string, seconds: unknown): boolean {
  const options = ['-v', 'error', '-i', file, '-f', 's16le', '-ac', '1', '-ar', '48000', '-'];
  const { stdout } = spawnSync('ffmpeg', options, { maxBuffer: 1 << 30 });
  return typeof seconds === 'number' && Math.abs(stdout.length / 96_000 - seconds) <= 0.05;
}
