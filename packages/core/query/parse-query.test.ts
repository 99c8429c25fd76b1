import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BkError } from '../error.ts';
import { parseQuery } from './parse-query.ts';
import { CLOCK, queryArbitrary } from './query.fixture.ts';
import type { Query } from './query.ts';
import { queryOfArguments } from './token.ts';

const kids: Query = { is: 'words', field: 'tag', words: ['kids'], prefix: false };
const a: Query = { is: 'words', field: undefined, words: ['a'], prefix: true };
const b: Query = { is: 'words', field: undefined, words: ['b'], prefix: true };
const c: Query = { is: 'words', field: undefined, words: ['c'], prefix: true };
const day = (text: string): number => Date.parse(`${text}T00:00:00Z`);

test.each<[string, Query]>([
  ['tag:kids', kids],
  ['TAG:Kids', kids],
  ['tag:"kids"', kids],
  ['tag:kid*', { is: 'words', field: 'tag', words: ['kid'], prefix: true }],
  ['tag:"New York"', { is: 'words', field: 'tag', words: ['new', 'york'], prefix: false }],
  ['a b', { is: 'all', of: [a, b] }],
  ['a and b', { is: 'all', of: [a, b] }],
  ['a or b c', { is: 'any', of: [a, { is: 'all', of: [b, c] }] }],
  ['(a or b) c', { is: 'all', of: [{ is: 'any', of: [a, b] }, c] }],
  ['not a', { is: 'not', of: a }],
  ['not:a', { is: 'not', of: a }],
  ['-a', { is: 'not', of: a }],
  ['-not:a', { is: 'not', of: { is: 'not', of: a } }],
  ['not:(a b)', { is: 'not', of: { is: 'all', of: [a, b] } }],
  ['-(a) b', { is: 'all', of: [{ is: 'not', of: a }, b] }],
  ['not:tag:kids', { is: 'not', of: kids }],
  ['"or"', { is: 'words', field: undefined, words: ['or'], prefix: false }],
  ['"-a"', { is: 'words', field: undefined, words: ['a'], prefix: false }],
  ['"a:b"', { is: 'words', field: undefined, words: ['a', 'b'], prefix: false }],
  ['photo(1).jpg', { is: 'words', field: undefined, words: ['photo', '1', 'jpg'], prefix: true }],
  ['Été', { is: 'words', field: undefined, words: ['ete'], prefix: true }],
  ['*.RAF', { is: 'name', pattern: '*.raf' }],
  ['/Pictures/2019/', { is: 'path', pattern: 'pictures/2019' }],
  ['path:Pictures', { is: 'path', pattern: 'pictures' }],
  ['type:jpeg', { is: 'extension', anyOf: ['jpg', 'jpeg', 'jpe'] }],
  ['ext:.jpeg', { is: 'extension', anyOf: ['jpeg'] }],
  ['type:link', { is: 'type', type: 'symlink' }],
  ['size:>5MB', { is: 'number', field: 'size', range: { above: 5_000_000 } }],
  ['size:1KiB..', { is: 'number', field: 'size', range: { from: 1024 } }],
  ['size:..1.5G', { is: 'number', field: 'size', range: { to: 1_500_000_000 } }],
  ['copies:<2', { is: 'copies', range: { below: 2 } }],
  ['not:on:disk2', { is: 'not', of: { is: 'on', repository: 'disk2' } }],
  ['duration:3:25', { is: 'number', field: 'duration', range: { from: 205, to: 205 } }],
  ['duration:>=1.5h', { is: 'number', field: 'duration', range: { from: 5400 } }],
  ['taken:2019', { is: 'number', field: 'taken', range: { from: day('2019-01-01'), below: day('2020-01-01') } }],
  ['taken:2020-02', { is: 'number', field: 'taken', range: { from: day('2020-02-01'), below: day('2020-03-01') } }],
  ['taken:>2019-08-24', { is: 'number', field: 'taken', range: { from: day('2019-08-25') } }],
  ['taken:<=2019', { is: 'number', field: 'taken', range: { below: day('2020-01-01') } }],
  ['taken:2018..2019-06', { is: 'number', field: 'taken', range: { from: day('2018-01-01'), below: day('2019-07-01') } }],
  ['taken:yesterday', { is: 'number', field: 'taken', range: { from: day('2026-10-13'), below: day('2026-10-14') } }],
  ['taken:1m..', { is: 'number', field: 'taken', range: { from: day('2026-09-14') } }],
  // Midnight here is two hours earlier than in UTC.
  ['modified:2019..', { is: 'number', field: 'modified', range: { from: day('2019-01-01') - 7_200_000 } }],
  ['modified:7d', { is: 'number', field: 'modified', range: { from: day('2026-10-07') - 7_200_000, below: day('2026-10-08') - 7_200_000 } }],
  ['is:duplicate', { is: 'duplicate', of: 'exact' }],
  ['gps:no', { is: 'not', of: { is: 'has', what: 'gps' } }],
  ['attr.Place:Rome', { is: 'attribute', key: 'Place', words: ['rome'], prefix: false }],
  ['people:Ann', { is: 'words', field: 'person', words: ['ann'], prefix: false }],
])('%s', (text, expected) => {
  expect(parseQuery(text, CLOCK)).toEqual(expected);
}); // biome-ignore format: a line a case

test.each([
  ['', 'asks for nothing', '*'],
  ['tga:kids', 'tga:kids at character 1 of the query: there is no field tga', 'did you mean tag:'],
  ['a camra:X30', 'camra:X30 at character 3 of the query: there is no field camra', 'did you mean camera:'],
  ['zzzzz:1', 'there is no field zzzzz', 'quote it: "zzzzz:1"'],
  ['size:', 'what is asked for is missing', 'quote them'],
  ['size:large', '"large" is not what it could be', 'size:5MB..'],
  ['size:5..x', '"x" is not what it could be', 'size:5MB..'],
  ['taken:2019-02-30', '"2019-02-30" is not what it could be', 'taken:2019'],
  ['taken:19', '"19" is not what it could be', 'taken:2019'],
  ['tag:>5', 'which is not greater or less', 'find --help'],
  ['tag:a*b', 'a star can only stand at the end', 'find --help'],
  ['tag:!', 'there is no letter and no digit in it', 'find --help'],
  ['!!', 'there is no letter and no digit in it', '*!*'],
  ['is:presnet', '"presnet" is none of what it can be', 'did you mean present?'],
  ['gps:maybe', '"maybe" is none of what it can be', 'it can be yes, no'],
  ['(a', '( at character 1 of the query: there is no ")" for it', 'find --help'],
  ['a)', ') at character 2 of the query: there is no "(" before it', 'find --help'],
  ['a or', 'or at character 3 of the query: a condition is missing here', 'quote it: "or"'],
  ['or a', 'or at character 1 of the query: a condition is missing here', 'quote it: "or"'],
  ['()', ') at character 2 of the query: a condition is missing here', 'quote it'],
  ['not', 'not at character 1 of the query: a condition is missing after it', 'find --help'],
  ['a "b', '"b at character 3 of the query: the quotation mark has no second one', 'find --help'],
  ['path:../x', 'paths start at the top of the repository', 'find --help'],
  ['hash:xyz', 'not the beginning of a hash', 'find --help'],
  [`${'('.repeat(60)}a${')'.repeat(60)}`, 'too many brackets', 'find --help'],
  ['a '.repeat(201), 'more than 200 parts', ''],
])('%s is refused', (text, message, hint) => {
  const error = thrown(() => parseQuery(text, CLOCK));
  expect(error.code).toBe('usage');
  expect(error.message).toContain(message);
  expect(error.hint ?? '').toContain(hint);
});

test('whatever is typed is understood or refused as a mistake', () => {
  const typed = fc.oneof(
    queryArbitrary,
    fc.string({ unit: fc.constantFrom(...'()":-.*?<>=/ orntagsize2019'), maxLength: 40 }),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  fc.assert(
    fc.property(typed, (text) => {
      try {
        parseQuery(text, CLOCK);
      } catch (error) {
        expect(error).toBeInstanceOf(BkError);
        expect((error as BkError).code).toBe('usage');
      }
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  [['tag:kids', 'size:>5MB'], 'tag:kids size:>5MB'],
  [['tag:kids or tag:dogs'], 'tag:kids or tag:dogs'],
  [['tag:New York'], 'tag:"New York"'],
  [['not:tag:New York', 'a'], 'not:tag:"New York" a'],
  [['New York'], '"New York"'],
  [['(a', 'or', 'b)'], '(a or b)'],
  [['a b.*'], 'a b.*'],
  [['"New York" a'], '"New York" a'],
])('the arguments %j are one query', (list, expected) => {
  expect(queryOfArguments(list)).toBe(expected);
});

function thrown(work: () => unknown): BkError {
  try {
    work();
  } catch (error) {
    if (error instanceof BkError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
