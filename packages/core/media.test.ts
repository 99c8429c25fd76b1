import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatJson, parseJson } from './json.ts';
import { MEDIA_LIMITS, type MediaFacts, normalizeMedia, parseTaken } from './media.ts';
import { utf8Bytes } from './name.ts';

test.each([
  ['2019:08:24 12:01:02', '2019-08-24T12:01:02'],
  ['2019:08:24 12:01:02.05', '2019-08-24T12:01:02.05'],
  ['2019-08-24T12:01:02+0200', '2019-08-24T12:01:02+02:00'],
  ['2019-08-24T12:01:02.500-03:30', '2019-08-24T12:01:02.500-03:30'],
  ['2019-08-24T12:01Z', '2019-08-24T12:01:00Z'],
  ['2020:02:29 00:00:00', '2020-02-29T00:00:00'],
  ['2019:02:29 00:00:00', undefined],
  ['2019:13:01 00:00:00', undefined],
  ['2019:01:01 24:00:00', undefined],
  ['0000:00:00 00:00:00', undefined],
  ['    :  :     :  :  ', undefined],
  ['2019-08-24', undefined],
  ['2019', undefined],
])('the time %j is %j', (text, expected) => {
  expect(parseTaken(text)).toBe(expected);
});

test('numbers are rounded, and what cannot be is left out', () => {
  expect(
    normalizeMedia({
      kind: 'image',
      width: 0,
      height: 3000,
      duration: 1.23456,
      orientation: 9,
      gps: { latitude: 47.123456789, longitude: -180.5, altitude: -0.04 },
      exposure: { fNumber: 2.8000001, iso: Number.NaN, time: '1/125' },
      rating: 6,
      video: { rotation: 90, frameRate: 30000 / 1001 },
      audio: {},
    }),
  ).toEqual({
    kind: 'image',
    height: 3000,
    duration: 1.235,
    gps: { latitude: 47.1234568, altitude: 0 },
    exposure: { fNumber: 2.8, time: '1/125' },
    video: { rotation: 90, frameRate: 29.97 },
  });
});

test('text is NFC without NUL, and a list has nothing twice', () => {
  expect(
    normalizeMedia({
      title: ' Cafe\u0301\0\0 ',
      keywords: ['a', '', 'a\0', 'b', '\ud800'],
      album: '\0',
      artist: [],
    }),
  ).toEqual({ title: 'Café', keywords: ['a', 'b', '\ufffd'] });
});

test('a text is cut at a character, and what has no room in all is left out', () => {
  const long = '😀'.repeat(2000);
  const media = normalizeMedia({
    title: long,
    keywords: Array.from({ length: 40 }, (_, i) => `${i}${'k'.repeat(999)}`),
  });
  expect(Array.from(media['title'] as string)).toHaveLength(MEDIA_LIMITS.characters);
  expect(media['keywords']).toHaveLength(12);
});

test('with an error there is only the error', () => {
  expect(normalizeMedia({ kind: 'image', width: 3, error: 'truncated' })).toEqual({ error: 'truncated' });
});

test('whatever texts a file has, the record can hold them within the limits, and again the same', () => {
  const words = fc.string({ unit: 'binary', maxLength: 3000 });
  const facts = fc.record(
    { title: words, description: words, album: words, keywords: fc.array(words), artist: fc.array(words) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(facts, (found: MediaFacts) => {
      const media = normalizeMedia(found);
      const texts = Object.values(media).flat() as string[];
      expect(texts.every((text) => Array.from(text).length <= MEDIA_LIMITS.characters)).toBe(true);
      expect(utf8Bytes(texts.join('')).length).toBeLessThanOrEqual(MEDIA_LIMITS.bytes);
      expect(parseJson(formatJson(media))).toEqual(media);
      expect(normalizeMedia(media as MediaFacts)).toEqual(media);
    }),
  );
});
