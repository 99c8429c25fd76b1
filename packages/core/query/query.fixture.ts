import fc from 'fast-check';
import type { ContentHash, ObjectId } from '../ids.ts';
import type { JsonObject } from '../json.ts';
import type { RepoPath } from '../path.ts';
import type { Rec } from '../record.ts';
import type { FileFacts } from './facts.ts';
import type { QueryClock } from './value.ts';

/** Noon of a day in October, two hours ahead of UTC. */
export const CLOCK: QueryClock = { ms: Date.UTC(2026, 9, 14, 10), offsetMinutes: () => 120 };

export interface Given {
  readonly path?: string;
  readonly size?: number;
  readonly mtime?: string;
  readonly link?: boolean;
  /** Two hex digits that the content's hash is made of. */
  readonly content?: string;
  readonly payload?: string;
  readonly number?: number;
  readonly media?: JsonObject;
  readonly attrs?: JsonObject;
  readonly conflict?: string;
  readonly entity?: Rec;
  readonly deleted?: boolean;
}

export function recordOf(given: Given): Rec {
  const { size = 1000, mtime = '2026-10-01T12:00:00.000000000Z', content = 'ab', number = 1 } = given;
  return {
    v: 1,
    id: `00000000-0000-7000-8000-${String(number).padStart(12, '0')}` as ObjectId,
    type: given.link ? 'symlink' : 'file',
    blake3: content.repeat(32) as ContentHash,
    size: given.link ? 1 : size,
    mtime,
    mode: '0644',
    ...(given.link && { target: 'x' }),
    ...(given.payload && { hashes: { payload: given.payload.repeat(32) as ContentHash } }),
    ...(given.media && { media: given.media }),
    ...(given.attrs && { attrs: given.attrs }),
    ...(given.conflict && { conflict: { kind: given.conflict } }),
  };
}

export function factsOf(given: Given): FileFacts {
  const record = recordOf(given);
  return {
    path: (given.path ?? 'a.txt') as RepoPath,
    type: record.type === 'symlink' ? 'symlink' : 'file',
    id: record.id,
    blake3: record.blake3!,
    size: record.size!,
    record,
    entity: given.entity,
    deleted: given.deleted ?? false,
  };
}

/** Few, so that queries and files meet. */
const WORDS = ['kids', 'Köln', 'kidsroom', 'new york', 'New', 'X30', '2019', 'IMG_12', 'été', '日本', 'a'];
const word = fc.constantFrom(...WORDS);
const media: fc.Arbitrary<JsonObject> = fc
  .record(
    {
      kind: fc.constantFrom('image', 'audio', 'video'),
      mime: fc.constantFrom('image/jpeg', 'audio/flac'),
      taken: fc.constantFrom(
        '2019-08-24T12:01:02',
        '2019-12-31T23:59:59.5Z',
        '2020-01-01T00:00:00+02:00',
        'x',
      ),
      width: fc.constantFrom(640, 4000),
      duration: fc.constantFrom(0.5, 180, 225.25),
      year: fc.constantFrom(1999, 2019),
      rating: fc.constantFrom(0, 3.5, 5),
      camera: fc.constantFrom(
        { make: 'FUJIFILM', model: 'X30' },
        { make: 'Canon', model: 'Canon X' },
        { lens: 'new' },
      ),
      gps: fc.constantFrom({ latitude: 1, longitude: 2 }, { altitude: 3 }),
      title: word,
      artist: fc.array(word, { maxLength: 2 }),
      album: word,
      genre: fc.array(word, { maxLength: 2 }),
      keywords: fc.array(word, { maxLength: 3 }),
      description: word,
      audio: fc.constantFrom({ codec: 'flac' }),
    },
    { requiredKeys: [] },
  )
  .map((found) => found as JsonObject);
const attrs: fc.Arbitrary<JsonObject> = fc
  .record(
    {
      title: word,
      tags: fc.array(word, { maxLength: 3 }),
      people: fc.array(word, { maxLength: 2 }),
      rating: fc.constantFrom<number | string>(1, 4, '4'),
      place: word,
    },
    { requiredKeys: [] },
  )
  .map((found) => found as JsonObject);

export const givenArbitrary: fc.Arbitrary<Given> = fc.record(
  {
    size: fc.constantFrom(0, 1, 700, 5_000_000, 6_000_000_000),
    mtime: fc.constantFrom(
      '2019-08-24T22:00:00.000000001Z',
      '2026-10-13T22:00:00.000000000Z',
      '1969-12-31T23:59:59.999999999Z',
      '+010000-01-01T00:00:00.000000000Z',
    ),
    link: fc.boolean(),
    content: fc.constantFrom('00', '01', 'ab', 'cd'),
    payload: fc.constantFrom('00', 'ef'),
    media,
    attrs,
    conflict: fc.constantFrom('content', 'case'),
  },
  { requiredKeys: [] },
);

const folder = fc.constantFrom('', 'Pictures/', 'Pictures/Köln 2019/', 'Music/kids/', 'pictures/', 'a%0Ab/');
const name = fc
  .tuple(word, fc.constantFrom('', '.jpg', '.JPEG', '.raf', '.FLAC', '.tar.gz', '.%FF', ' (1).mp4'))
  .map(([stem, ending]) => stem + ending);
export const pathArbitrary: fc.Arbitrary<string> = fc.tuple(folder, name).map((parts) => parts.join(''));

const CONDITIONS = [
  ...['kids', 'kid', '"kids"', 'köl', 'new', '"new york"', 'IMG_12', '201', '2019.j', '日', 'raf', 'gz'],
  ...[
    '*.raf',
    'IMG*',
    '*2019*',
    '*o?k*',
    'kids?*',
    '*',
    '*é*',
    '*.%',
    'pictures/*',
    '**/kids',
    'Music/kids/',
  ],
  ...['name:kids', 'name:*kid*.jp*', 'folder:Köln', 'title:new', 'tag:kids', 'tag:kid*', 'tag:"new york"'],
  ...['person:a', 'artist:été', 'album:2019', 'genre:x30', 'camera:fujifilm', 'camera:"canon x"', 'lens:new'],
  ...['text:kids', 'text:new*', 'codec:flac', 'attr.place:kids', 'attr.place:k*'],
  ...['entity:yes', 'entity:album', 'entity:köln', 'gps:yes', 'gps:no', 'conflict:yes', 'conflict:case'],
  ...['type:image', 'type:audio', 'type:video', 'type:file', 'type:link', 'type:jpg', 'type:image/jpeg'],
  ...['ext:jpg', 'ext:gz', 'size:0', 'size:>1', 'size:..5MB', 'size:<5MB', 'size:1..', 'size:>=5GB'],
  ...['modified:2019', 'modified:2019-08-25', 'modified:<1970', 'modified:2d..', 'modified:..yesterday'],
  ...['taken:2019', 'taken:2019-08', 'taken:>2019', 'taken:2019-12-31T23:59..', 'taken:<=2019-08-24'],
  ...['year:2019', 'year:..2000', 'year:>2019', 'rating:4..', 'rating:3.5', 'width:>640', 'height:1..'],
  ...['duration:3min', 'duration:>3:00', 'duration:..0.5', 'id:00000000-0000', 'hash:abab', 'hash:efef'],
  ...['hash:0000', 'is:present', 'is:absent', 'is:deleted', 'is:duplicate', 'duplicates:payload'],
  ...['copies:<2', 'copies:0', 'copies:1..', 'on:disk', 'on:nowhere'],
];

/** Texts of queries: every field, joined in every way. */
export const queryArbitrary: fc.Arbitrary<string> = fc.letrec<{ query: string }>((tie) => ({
  query: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...CONDITIONS),
    fc.tuple(tie('query'), tie('query')).map(([a, b]) => `${a} ${b}`),
    fc.tuple(tie('query'), tie('query')).map(([a, b]) => `(${a} or ${b})`),
    tie('query').map((a) => `not:(${a})`),
    tie('query').map((a) => `-${a}`),
  ),
})).query;
