import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { makePicture, OTHER_TAGS, PHOTO_TAGS, PICTURES, PIXELS, tag } from '../../fixtures/media/pictures.ts';
import { comparePicture, exiftoolTags } from '../support/exiftool.ts';
import { mediaOf, once, payloadOf } from '../support/media-facts.ts';
import { needsPrograms } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder('bk-media-');

/** What exiftool does to the pictures, one after the other: each is one run over all of them. */
const REWRITINGS = [PHOTO_TAGS, OTHER_TAGS, ['-EXIF:all=', '-XMP:all=', '-IPTC:all=']];

/** Every picture as the encoder left it, then after each rewriting; in `other` with other pixels. */
const made = once(() => {
  const stages = ['plain', ...REWRITINGS.map((_, i) => `rewritten-${i}`), 'other'].map((name) =>
    path.join(folder, name),
  );
  for (const stage of stages) fs.mkdirSync(stage);
  const [plain, ...rewritten] = stages as [string, ...string[]];
  for (const format of PICTURES) {
    makePicture(plain, format);
    makePicture(rewritten.at(-1) as string, format, 2);
  }
  REWRITINGS.forEach((tags, i) => {
    fs.cpSync(stages[i] as string, stages[i + 1] as string, { recursive: true });
    tag(stages[i + 1] as string, tags);
  });
  const tagged = stages[1] as string;
  return { stages, tagged, tags: exiftoolTags(PICTURES.map(({ name }) => path.join(tagged, name))) };
});

describe.each(PICTURES)('$name', ({ name }) => {
  const isGif = name.endsWith('.gif');

  test('its facts are those that exiftool finds', (context) => {
    needsPrograms(context, 'convert', 'heif-enc', 'exiftool');
    const file = path.join(made().tagged, name);
    const { compared, differences } = comparePicture(mediaOf(file), made().tags.get(file) ?? {});
    expect(differences).toEqual([]);
    // GIF holds XMP only.
    expect(compared).toBeGreaterThanOrEqual(isGif ? 8 : 24);
    expect(mediaOf(file)).toMatchObject({ kind: 'image', ...PIXELS, title: 'Ein Fest für Zoë', rating: 4 });
  });

  test('its payload stays through every rewriting of tags, and changes with the pixels', (context) => {
    needsPrograms(context, 'convert', 'heif-enc', 'exiftool');
    const files = made().stages.map((stage) => path.join(stage, name));
    const bytes = files.map((file) => fs.readFileSync(file, 'base64'));
    expect(bytes.slice(1).filter((one, i) => one === bytes[i])).toEqual([]);
    const payloads = files.map(payloadOf);
    if (isGif) return expect(new Set(payloads)).toEqual(new Set([undefined]));
    expect(payloads[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(payloads.slice(0, -1)).size).toBe(1);
    expect(payloads.at(-1)).not.toBe(payloads[0]);
  });
});

test('IPTC and what Windows writes are read where there is no XMP', (context) => {
  needsPrograms(context, 'convert', 'exiftool');
  const file = makePicture(folder, { name: 'iptc.jpg' });
  tag(file, [
    '-IPTC:ObjectName=Überschrift',
    '-IPTC:By-line=Anna',
    '-IPTC:By-line=Ben',
    '-IPTC:Keywords=a',
    '-IPTC:Keywords=b',
  ]);
  tag(file, [
    '-IPTC:CopyrightNotice=me',
    '-EXIF:ImageDescription=from EXIF',
    '-EXIF:XPKeywords=x;y',
    '-EXIF:XPTitle=T',
  ]);
  expect(comparePicture(mediaOf(file), tagsOf(file)).differences).toEqual([]);
  expect(mediaOf(file)).toMatchObject({
    title: 'Überschrift',
    creator: ['Anna', 'Ben'],
    keywords: ['a', 'b'],
    rights: 'me',
    description: 'from EXIF',
  });
});

test('a fraction and an offset that the file does not state are not invented', (context) => {
  needsPrograms(context, 'convert', 'exiftool');
  const file = makePicture(folder, { name: 'local-time.jpg' });
  tag(file, [
    '-EXIF:DateTimeOriginal=2019:08:24 12:01:02',
    '-XMP-exif:DateTimeOriginal=2001:01:01 00:00:00Z',
  ]);
  expect(mediaOf(file)['taken']).toBe('2019-08-24T12:01:02');
  tag(file, ['-EXIF:DateTimeOriginal=']);
  expect(mediaOf(file)['taken']).toBe('2001-01-01T00:00:00Z');
});

test('time zone and locale change nothing', (context) => {
  needsPrograms(context, 'convert', 'exiftool');
  const file = makePicture(folder, { name: 'zone.jpg' });
  tag(file, PHOTO_TAGS);
  const expected = mediaOf(file);
  const { TZ, LC_ALL } = process.env;
  try {
    for (const zone of ['Asia/Kolkata', 'America/St_Johns', 'UTC']) {
      process.env['TZ'] = zone;
      process.env['LC_ALL'] = 'tr_TR.UTF-8';
      expect(mediaOf(file)).toEqual(expected);
    }
  } finally {
    for (const [name, value] of Object.entries({ TZ, LC_ALL })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});

function tagsOf(file: string): Parameters<typeof comparePicture>[1] {
  return exiftoolTags([file]).get(file) ?? {};
}
