import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { tag } from '../../fixtures/media/pictures.ts';
import {
  ffmpeg,
  MOVIES,
  makeRecordings,
  OTHER_MUSIC_TAGS,
  retag,
  SOUNDS,
  WRAPPED,
} from '../../fixtures/media/recordings.ts';
import { run } from '../../fixtures/media/run.ts';
import { compareRecording, ffprobe } from '../support/ffprobe.ts';
import { mediaOf, once, payloadOf } from '../support/media-facts.ts';
import { needsPrograms } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder('bk-media-');
const FORMATS = [...MOVIES, ...SOUNDS, ...WRAPPED];
const at = (...names: readonly string[]): string => path.join(folder, ...names);

/** Recordings; in `other` with other sound and pictures, in `again` the first ones with other tags. */
const made = once(() => {
  makeRecordings(folder, FORMATS);
  retag(
    [...MOVIES, ...SOUNDS].map(({ name }) => at(name)),
    at('again'),
    OTHER_MUSIC_TAGS,
  );
});

describe.each(FORMATS)('$name', (format) => {
  const { name } = format;

  test('its facts are those that ffprobe finds', (context) => {
    needsPrograms(context, 'ffmpeg', 'ffprobe');
    made();
    const { compared, differences } = compareRecording(mediaOf(at(name)), ffprobe(at(name)));
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThanOrEqual(11);
    expect(mediaOf(at(name))).toMatchObject({ title: 'Töne & Takte', date: '2019', year: 2019 });
  });

  test('its payload stays when the file is written anew with other tags, and changes with the sound', (context) => {
    needsPrograms(context, 'ffmpeg');
    made();
    const payload = payloadOf(at(name));
    if (WRAPPED.includes(format)) return expect(payload).toBeUndefined();
    expect(payload).toMatch(/^[0-9a-f]{64}$/);
    expect(mediaOf(at('again', name))['title']).toBe(OTHER_MUSIC_TAGS['title']);
    expect(payloadOf(at('again', name))).toBe(payload);
    expect(payloadOf(at('other', name))).not.toBe(payload);
  });
});

/** What people tag with: each writes into the file that it is given. */
const TAGGERS: readonly (readonly [name: string, program: string, write: (file: string) => void])[] = [
  [
    'variable.mp3',
    'id3v2',
    (file) => run('id3v2', '-a', 'Somebody', '-t', 'Other', '-g', '17', '-T', '4/9', file),
  ],
  ['constant.mp3', 'id3v2', (file) => run('id3v2', '-D', file)],
  ['plain.flac', 'metaflac', (file) => run('metaflac', '--remove-tag=TITLE', '--set-tag=TITLE=Other', file)],
  ['vorbis.ogg', 'vorbiscomment', (file) => run('vorbiscomment', '-w', '-t', 'TITLE=Other', file)],
  ...['h264-aac.mp4', 'fast-start.mp4', 'hevc.mov', 'prores-pcm.mov', 'alac.m4a'].map(
    (name) =>
      [name, 'exiftool', (file: string) => tag(file, ['-XMP-dc:Title=Other', '-Keys:Model=X30'])] as const,
  ),
];

test.for(TAGGERS)('%s: what %s writes leaves the payload', ([name, program, write], context) => {
  needsPrograms(context, 'ffmpeg', program);
  made();
  const file = at(`tagged-${name}`);
  fs.copyFileSync(at(name), file);
  const before = mediaOf(file);
  const payload = payloadOf(file);
  write(file);
  expect(mediaOf(file)).not.toEqual(before);
  expect(payloadOf(file)).toBe(payload);
});

test('a film of a phone: turned, with the time and the place of the shot', (context) => {
  needsPrograms(context, 'ffmpeg', 'ffprobe', 'exiftool');
  made();
  const plain = at('hevc.mov');
  for (const degrees of [90, 180, 270]) {
    const file = at(`turned-${degrees}.mov`);
    ffmpeg('-i', plain, '-c', 'copy', '-metadata:s:v:0', `rotate=${degrees}`, file);
    // This option of ffmpeg's counts against the clock.
    expect(mediaOf(file)['video']).toMatchObject({ rotation: 360 - degrees });
    expect(compareRecording(mediaOf(file), ffprobe(file)).differences).toEqual([]);
    expect(payloadOf(file)).toBe(payloadOf(plain));
  }
  const file = at('turned-90.mov');
  tag(file, ['-Keys:CreationDate=2019:08:24 12:01:02+02:00', '-Keys:Make=Apple', '-Keys:Model=iPhone 7']);
  tag(file, ['-Keys:GPSCoordinates=47.3769, 8.5417, 408.25', '-QuickTime:CreateDate=2019:08:24 10:01:03']);
  expect(mediaOf(file)).toMatchObject({
    taken: '2019-08-24T12:01:02+02:00',
    camera: { make: 'Apple', model: 'iPhone 7' },
    gps: { latitude: 47.3769, longitude: 8.5417, altitude: 408.3 },
  });
  tag(file, ['-Keys:CreationDate=']);
  expect(mediaOf(file)['taken']).toBe('2019-08-24T10:01:03Z');
});
