import { describe, expect, test } from 'vitest';
import { aacConfig } from './aac.ts';
import { exposureTime } from './exif.ts';
import { genresOf } from './genres.ts';
import { readId3 } from './id3.ts';
import { iso6709 } from './quicktime-tags.ts';
import { numbered, plainText, yearOf } from './text.ts';
import { vorbisComments } from './vorbis-comment.ts';
import { windowOn } from './window.ts';
import { xmpBlock } from './xmp.ts';

test.each([
  [1 / 125, '1/125'],
  [0.25, '1/4'],
  [0.3, '0.3'],
  [30, '30'],
  [2.5, '2.5'],
  [0, undefined],
  [Number.POSITIVE_INFINITY, undefined],
])('an exposure of %d s is written %s', (seconds, text) => {
  expect(exposureTime(seconds)).toBe(text);
});

test.each([
  ['3/12', { number: 3, total: 12 }],
  ['03', { number: 3 }],
  ['/9', { total: 9 }],
  ['0/0', undefined],
  ['A1', undefined],
])('the track %j is %j', (text, expected) => {
  expect(numbered(text)).toEqual(expected);
});

test.each([
  ['2019', 2019],
  ['2019-08-24', 2019],
  ['24.08.2019', 2019],
  ['20190824', undefined],
  ['', undefined],
])('the year of %j is %j', (date, year) => {
  expect(yearOf(date)).toBe(year);
});

test.each([
  ['17', ['Rock']],
  ['(17)', ['Rock']],
  ['(17)(8)Own', ['Rock', 'Jazz', 'Own']],
  ['(RX)', ['Remix']],
  ['((odd)', ['(odd)']],
  ['Krautrock', ['Krautrock']],
  ['999', ['999']],
])("ID3's genre %j is %j", (text, genres) => {
  expect(genresOf(text)).toEqual(genres);
});

test.each([
  ['+47.3769+008.5417+408.250/', { latitude: 47.3769, longitude: 8.5417, altitude: 408.25 }],
  ['-33.8568+151.2153/', { latitude: -33.8568, longitude: 151.2153, altitude: undefined }],
  [
    '+4722.614-00832.502/',
    { latitude: 47 + 22.614 / 60, longitude: -(8 + 32.502 / 60), altitude: undefined },
  ],
  ['nowhere', {}],
])('the place %j', (text, place) => {
  expect(iso6709(text)).toEqual(place);
});

test('text that is no UTF-8 is as Windows writes it', () => {
  expect(plainText(Buffer.from('Grüße', 'utf8'))).toBe('Grüße');
  expect(plainText(Buffer.from([0x47, 0x72, 0xfc, 0xdf, 0x65, 0x80]))).toBe('Grüße€');
});

test.each([
  ['1210', { sampleRate: 44_100, channels: 2 }],
  ['2b920800', { sampleRate: 44_100, channels: 2 }],
  ['eb098800', { sampleRate: 48_000, channels: 2 }],
  ['139056e5a0', { sampleRate: 44_100, channels: 2 }],
  ['138856e5a54800', { sampleRate: 44_100, channels: 1 }],
  ['138856e5a54880', { sampleRate: 44_100, channels: 2 }],
  ['138856e400', { sampleRate: 22_050, channels: 1 }],
])("AAC's configuration %s", (hex, expected) => {
  expect(aacConfig(Buffer.from(hex, 'hex'))).toEqual(expected);
});

describe('ID3', () => {
  /** A tag with one frame. */
  function tag(major: number, name: string, body: Buffer, flags = 0): Buffer {
    return tagOf(major, frame(major, name, body, flags));
  }
  function frame(major: number, name: string, body: Buffer, flags = 0): Buffer {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return major === 2
      ? Buffer.concat([Buffer.from(name), length.subarray(1), body])
      : Buffer.concat([Buffer.from(name), length, Buffer.from([0, flags]), body]);
  }
  function tagOf(major: number, ...frames: readonly Buffer[]): Buffer {
    const body = Buffer.concat(frames);
    return Buffer.concat([Buffer.from('ID3'), Buffer.from([major, 0, 0, 0, 0, 0, body.length]), body]);
  }
  const facts = (bytes: Buffer) => readId3(windowOn(bytes))?.facts;

  test.each([
    [2, 'TT2', '\0Song', 'Song'],
    [3, 'TIT2', '\x01\xff\xfeS\0\xf6\0n\0', 'Sön'],
    [3, 'TIT2', '\x01\xfe\xff\0S\0\xf6\0n', 'Sön'],
    [4, 'TIT2', '\x02\0S\0\xf6\0n', 'Sön'],
    [4, 'TIT2', '\x03S\xc3\xb6n\0Other', 'Sön'],
    [3, 'TIT2', '\0S\xf6n', 'Sön'],
  ])('version %d, %s %j', (major, name, body, title) => {
    expect(facts(tag(major, name, Buffer.from(body, 'latin1')))?.title).toBe(title);
  });

  test('several values of version 4', () => {
    expect(facts(tag(4, 'TPE1', Buffer.from('\x03A\0B')))?.artist).toEqual(['A', 'B']);
  });

  test.each([
    [2, 'TYE', 'TDA', '0304', '2010-04-03'],
    [3, 'TYER', 'TDAT', '3112', '2010-12-31'],
    [3, 'TYER', 'TDAT', '0013', '2010'],
    [3, 'TYER', 'TDAT', 'soon', '2010'],
  ])('version %d, year in %s, day in %s: %s', (major, year, day, stated, date) => {
    const frames = [
      frame(major, day, Buffer.from(`\0${stated}`)),
      frame(major, year, Buffer.from('\x002010')),
    ];
    expect(facts(tagOf(major, ...frames))).toMatchObject({ date, year: 2010 });
  });

  test('a frame with its own unsynchronisation', () => {
    const body = Buffer.from('\x01\xff\0\xfeS\0\xf6\0n\0', 'latin1');
    expect(facts(tag(4, 'TIT2', body, 2))?.title).toBe('Sön');
  });

  test('stars', () => {
    const rated = (value: number) => facts(tag(3, 'POPM', Buffer.from([0x61, 0, value, 0])))?.rating;
    expect([0, 1, 64, 128, 196, 255].map(rated)).toEqual([undefined, 1, 2, 3, 4, 5]);
  });
});

test('Vorbis comments: names in any case, several values, totals by themselves', () => {
  const lines = [
    'title=T',
    'Artist=A',
    'ARTIST=B',
    'TRACKNUMBER=2',
    'TRACKTOTAL=9',
    'noequals',
    'DATE=1999-01-02',
  ];
  const parts = lines.map((line) => {
    const bytes = Buffer.from(line);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  const count = Buffer.from([lines.length, 0, 0, 0]);
  expect(vorbisComments(Buffer.concat([Buffer.alloc(4), count, ...parts]))).toMatchObject({
    title: 'T',
    artist: ['A', 'B'],
    track: { number: 2, total: 9 },
    date: '1999-01-02',
    year: 1999,
  });
});

describe('XMP', () => {
  const packet = (inside: string): Buffer =>
    Buffer.from(
      `<?xpacket begin="\ufeff"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">${inside}</r:RDF></x:xmpmeta>`,
    );

  test('whatever prefixes it uses, as elements or attributes, the default language first', () => {
    const facts = xmpBlock(
      packet(
        `<r:Description xmlns:d="http://purl.org/dc/elements/1.1/" xmlns:q="http://ns.adobe.com/xap/1.0/" q:Rating="3">
        <d:title><r:Alt><r:li xml:lang="de">Titel</r:li><r:li xml:lang="x-default">A &amp; &#x42;</r:li></r:Alt></d:title>
        <d:subject><r:Bag><r:li>x</r:li><r:li><![CDATA[<y>]]></r:li></r:Bag></d:subject></r:Description>`,
      ),
    );
    expect(facts).toMatchObject({ title: 'A & B', rating: 3, keywords: ['x', '<y>'] });
  });

  test('no entities of its own, no end', () => {
    expect(xmpBlock(Buffer.from('<!DOCTYPE x [<!ENTITY a "&a;&a;">]><x>&a;</x>'))).toBeUndefined();
    const open = packet(
      '<r:Description xmlns:d="http://purl.org/dc/elements/1.1/"><d:title>T</d:title>',
    ).subarray(0, -30);
    expect(xmpBlock(open)?.title).toBe('T');
    expect(xmpBlock(Buffer.from('<a>'.repeat(100_000)))).toBeUndefined();
  });
});
