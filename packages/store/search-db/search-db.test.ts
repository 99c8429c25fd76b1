import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  type FileFacts,
  type GitId,
  matchesQuery,
  type ObjectId,
  parseQuery,
  type Rec,
  type Surroundings,
} from '@bk/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  CLOCK,
  factsOf,
  type Given,
  givenArbitrary,
  pathArbitrary,
  queryArbitrary,
} from '../../core/query/query.fixture.ts';
import { isSearchDamage, SearchDb } from './search-db.ts';

const COMMIT = 'c'.repeat(40) as GitId;
const album = {
  v: 1,
  id: '10000000-0000-7000-8000-000000000000' as ObjectId,
  type: 'dir',
  mode: '0755',
  entity: 'album',
  attrs: { title: 'Köln', tags: ['kids'] },
} satisfies Rec;

function blobOf(number: number): GitId {
  return String(number).padStart(40, '0') as GitId;
}

/** Files at different paths with different ids; those of one folder are in an album. */
const filesArbitrary = fc
  .uniqueArray(fc.tuple(pathArbitrary, givenArbitrary), { selector: ([at]) => at, maxLength: 25 })
  .map((files) =>
    files.map(([at, given], i): Given => {
      const entity = at.startsWith('Music/kids/') ? { entity: album } : {};
      return { ...given, ...entity, path: at, number: i + 1 };
    }),
  );

function filled(files: readonly FileFacts[], indexed: boolean): SearchDb {
  const db = SearchDb.open('');
  db.begin();
  if (indexed) db.clear();
  files.forEach(({ path, record, entity }, i) => {
    db.put({ path, record, blob: blobOf(i), ...(entity && { entity, entityBlob: COMMIT }) });
  });
  if (indexed) for (const _ of db.makeIndexes());
  db.commit();
  return db;
}

/** As the meaning of a query says, from nothing but the files. */
function around(files: readonly FileFacts[]): Surroundings {
  const group = ({ record }: FileFacts): string => record.linked ?? record.id;
  return {
    isPresent: ({ path }) => path.length % 2 === 0,
    copies: ({ blake3 }) => Number.parseInt(blake3[1]!, 16) % 3,
    isOn: (repository, { size }) => repository === 'disk' && size > 0,
    isDuplicate: (of, file) => {
      const hash = ({ blake3, record }: FileFacts) => (of === 'exact' ? blake3 : record.hashes?.payload);
      if (file.type !== 'file' || hash(file) === undefined || (of === 'exact' && file.size === 0))
        return false;
      return files.some((o) => o.type === 'file' && hash(o) === hash(file) && group(o) !== group(file));
    },
  };
}

describe('what is found', () => {
  test('is what a query means, on random files and queries', () => {
    const queries = fc.array(queryArbitrary, { minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(filesArbitrary, queries, fc.boolean(), (given, texts, indexed) => {
        const files = given.map(factsOf);
        const byPath = new Map(files.map((file) => [file.path, file]));
        const db = filled(files, indexed);
        const others = around(files);
        for (const text of texts) {
          const query = parseQuery(text, CLOCK);
          const meant = files.filter((file) => matchesQuery(query, file, others)).map(({ path }) => path);
          const { rows, rest } = db.find(query, 'head');
          const found = [...rows].filter(
            ({ path }) => rest === undefined || matchesQuery(rest, byPath.get(path)!, others),
          );
          expect({ text, found: found.map(({ path }) => path).sort() }).toEqual({
            text,
            found: meant.sort(),
          });
        }
        for (const file of files)
          for (const of of ['exact', 'payload'] as const)
            expect(db.isDuplicate(of, file.record)).toBe(others.isDuplicate(of, file));
        db.close();
      }),
      { numRuns: 150 },
    );
  });

  test.each([
    ['tag:kids', undefined],
    ['(tag:kids or *.raf) not:taken:2019 size:>5MB Pictures/*', undefined],
    ['tag:kids copies:<2', 'copies'],
    ['tag:kids (is:present or ext:raf)', 'any'],
    ['not:(tag:kids is:present)', 'not'],
  ])('%s leaves what no table has: %s', (text, rest) => {
    using db = closing(filled([], true));
    expect(db.search.find(parseQuery(text, CLOCK), 'head').rest?.is).toBe(rest);
  });

  test('is in byte order of the paths, with what the tables know of it', () => {
    const files = ['b', 'a/b', 'a-b', '\u{1F600}', '\uE000'].map((at, i) =>
      factsOf({ path: at, number: i + 1, size: i }),
    );
    using db = closing(filled(files, true));
    const rows = [...db.search.find(parseQuery('*', CLOCK), 'head').rows];
    expect(rows.map(({ path }) => path)).toEqual(['a-b', 'a/b', 'b', '\uE000', '\u{1F600}']);
    const { id, blake3 } = files[1]!;
    expect(rows[1]).toEqual({
      path: 'a/b',
      record: blobOf(1),
      type: 'file',
      id,
      blake3,
      size: 1,
      entity: undefined,
      leftIn: undefined,
      deleted: false,
    });
  });
});

test('who stops in the middle of the rows can go on with the tables', () => {
  using db = closing(filled([factsOf({ path: 'a' }), factsOf({ path: 'b', number: 2 })], true));
  for (const row of db.search.find(parseQuery('*', CLOCK), 'head').rows) {
    expect(row.path).toBe('a');
    expect(db.search.isDuplicate('exact', factsOf({ path: 'a' }).record)).toBe(true);
    break;
  }
  db.search.begin();
  db.search.rollback();
});

test('of what left the head the last version of each object is deleted, and nothing that lives on', () => {
  const version = (at: string, number: number, more: Given = {}) => factsOf({ path: at, number, ...more });
  using db = closing(filled([], true));
  const { search } = db;
  search.begin();
  const left = (order: number) => ({ commit: blobOf(900 + order), order });
  const head = version('here', 1);
  search.put({ path: head.path, blob: blobOf(1), record: { ...head.record, was: [version('', 5).id] } });
  search.put({ path: version('old name', 1).path, blob: blobOf(1), record: head.record }, left(1));
  search.put({ path: version('gone', 2).path, blob: blobOf(2), record: version('', 2).record }, left(1));
  search.put(
    { path: version('gone', 2).path, blob: blobOf(3), record: version('', 2, { size: 7 }).record },
    left(2),
  );
  search.put(
    { path: version('moved and gone', 3).path, blob: blobOf(4), record: version('', 3).record },
    left(2),
  );
  search.put({ path: version('unified', 5).path, blob: blobOf(5), record: version('', 5).record }, left(2));
  search.commit();
  const found = (text: string, domain: 'head' | 'deleted' | 'all') =>
    [...search.find(parseQuery(text, CLOCK), domain).rows].map(
      (row) => `${row.path} ${row.size}${row.deleted ? ' deleted' : ''} ${row.leftIn?.slice(-3) ?? 'head'}`,
    );
  expect(found('*', 'head')).toEqual(['here 1000 head']);
  expect(found('is:deleted', 'deleted')).toEqual(['gone 7 deleted 902', 'moved and gone 1000 deleted 902']);
  expect(found('*', 'deleted')).toEqual([
    'gone 7 deleted 902',
    'here 1000 head',
    'moved and gone 1000 deleted 902',
  ]);
  expect(found('not:is:deleted', 'all')).toEqual(['here 1000 head', 'old name 1000 901', 'unified 1000 902']);
  expect(found('gone', 'all')).toEqual([
    'gone 7 deleted 902',
    'gone 1000 deleted 901',
    'moved and gone 1000 deleted 902',
  ]);
});

describe('the file', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-search-'));
    file = path.join(folder, 'search.sqlite');
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  test('keeps what was committed, and nothing of what was not', () => {
    const { record, path: at } = factsOf({});
    const first = SearchDb.open(file);
    first.begin();
    first.put({ path: at, record, blob: COMMIT });
    first.stands({ head: COMMIT });
    first.commit();
    first.begin();
    first.remove(at);
    first.stands({ head: blobOf(1) });
    first.close();
    const second = SearchDb.open(file);
    expect([second.head, second.past, second.files]).toEqual([COMMIT, undefined, 1]);
    expect([...second.find(parseQuery('a', CLOCK), 'head').rows].length).toBe(1);
    second.begin();
    second.remove(at);
    second.commit();
    expect([...second.find(parseQuery('a', CLOCK), 'head').rows]).toEqual([]);
    second.close();
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  });

  test('is written by one at a time', () => {
    using one = closing(SearchDb.open(file));
    using other = closing(SearchDb.open(file));
    one.search.begin();
    expect(() => other.search.begin()).toThrow('locked');
    one.search.rollback();
    other.search.begin();
  });

  test.each([
    ['no database', () => 'x'.repeat(10_000)],
    ['of another format', undefined],
  ])('is known to be of no use if it is %s', (_what, content) => {
    if (content !== undefined) fs.writeFileSync(file, content());
    else {
      const db = SearchDb.open(file);
      db.begin();
      db.stands({ format: '0' } as never);
      db.commit();
      db.close();
    }
    let error: unknown;
    try {
      SearchDb.open(file).close();
    } catch (thrown) {
      error = thrown;
    }
    expect(isSearchDamage(error)).toBe(true);
    SearchDb.discard(file);
    SearchDb.open(file).close();
  });
});

function closing(search: SearchDb): { readonly search: SearchDb; [Symbol.dispose](): void } {
  return { search, [Symbol.dispose]: () => search.close() };
}
