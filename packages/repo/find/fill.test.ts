import { DIRECTORY_RECORD, type GitId, nameOf, parseQuery, parseRecord, type Rec } from '@bk/core';
import { SearchDb, type SearchRow, walkTree } from '@bk/store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { file, folder, idOf, type MadePast, newPast, own } from '../past.fixture.ts';
import { fillHead, fillPast } from './fill.ts';

const CLOCK = { ms: 0, offsetMinutes: () => 0 };
const QUERIES = [
  '*',
  'tag:kids',
  'entity:yes',
  'a',
  'is:deleted',
  'x/b',
  'duplicates:exact',
  'attr.place:rome',
];

/** Few objects, contents and places, so that files move, change, go and come back. */
const fileArbitrary = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom('one', 'two'), fc.constantFrom(undefined, 'kids'))
  .map(([n, content, tag]) => file(n, content, tag === undefined ? {} : { attrs: { tags: [tag] } }));
const folderArbitrary = fc.tuple(fc.constantFrom(undefined, 'album'), fc.constantFrom(undefined, 'kids')).map(
  ([entity, tag]): Rec => ({
    ...folder(50),
    ...(entity && { entity }),
    ...(tag && { attrs: { tags: [tag] } }),
  }),
);
const treeArbitrary = fc
  .tuple(
    fc.uniqueArray(
      fc.tuple(fc.constantFrom('a', 'b', 'x/a', 'x/b', 'x/y/a', 'x/y/z/a', '-x/a'), fileArbitrary),
      {
        selector: ([path]) => path,
      },
    ),
    fc.uniqueArray(fc.tuple(fc.constantFrom('', 'x', 'x/y', 'x/y/z', '-x'), folderArbitrary), {
      selector: ([path]) => path,
    }),
  )
  .map(([files, folders]) =>
    Object.fromEntries([...files, ...folders.map(([at, rec]) => [own(at), rec] as const)]),
  );

async function fill(search: SearchDb, { repo }: MadePast): Promise<void> {
  search.begin();
  const filling = { search, history: repo.history, report: () => {} };
  await fillHead(filling, repo.head!);
  await fillPast(filling, repo.head!);
  search.commit();
}

function found(search: SearchDb, domain: 'head' | 'deleted' | 'all'): Record<string, string[]> {
  const shown = ({ path, record, entity, leftIn, deleted }: SearchRow) =>
    JSON.stringify([path, record, entity, leftIn, deleted]);
  return Object.fromEntries(
    QUERIES.map((text) => [text, [...search.find(parseQuery(text, CLOCK), domain).rows].map(shown).sort()]),
  );
}

function versionsIn({ repo }: MadePast, commit: GitId): string[] {
  const files = [...walkTree(repo.history, repo.history.readCommit(commit).tree)];
  return files.filter(({ path }) => nameOf(path) !== DIRECTORY_RECORD).map(({ path, id }) => `${path} ${id}`);
}

test('bit by bit or at once, the tables say the same, and that is what the commits say', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(treeArbitrary, { minLength: 1, maxLength: 5 }), async (trees) => {
      using past = newPast();
      const growing = SearchDb.open('');
      const commits: GitId[] = [];
      for (const records of trees) {
        commits.push(past.commit(records));
        await fill(growing, past);
      }
      const fresh = SearchDb.open('');
      await fill(fresh, past);
      for (const domain of ['head', 'deleted', 'all'] as const)
        expect(found(growing, domain)).toEqual(found(fresh, domain));
      const versions = (domain: 'head' | 'all') =>
        [...fresh.find(parseQuery('*', CLOCK), domain).rows]
          .map(({ path, record }) => `${path} ${record}`)
          .sort();
      const head = versionsIn(past, commits.at(-1)!);
      expect(versions('head')).toEqual(head.sort());
      expect(versions('all')).toEqual(
        [...new Set(commits.flatMap((commit) => versionsIn(past, commit)))].sort(),
      );
      for (const { deleted, path, record } of fresh.find(parseQuery('*', CLOCK), 'all').rows) {
        const { id } = parseRecord(past.repo.history.readBlobText(record));
        const lives = head.some(
          (one) => parseRecord(past.repo.history.readBlobText(one.split(' ')[1] as GitId)).id === id,
        );
        expect({ path, deleted }).toEqual({ path, deleted: !lives });
      }
      growing.close();
      fresh.close();
    }),
    { numRuns: 60 },
  );
});

test('of a merge, what any parent had and it has not has left', async () => {
  using past = newPast();
  const base = past.commit({ a: file(1), b: file(2), c: file(3) });
  const left = past.commit({ a: file(1), b: file(2) });
  const right = past.commit({ a: file(1), c: file(3) }, { parents: [base] });
  const merged = past.commit({ a: file(1) }, { parents: [left, right] });
  using search = closing();
  await fill(search.db, past);
  const rows = [...search.db.find(parseQuery('is:deleted', CLOCK), 'deleted').rows];
  expect(rows.map(({ path, id, leftIn }) => [path, id, leftIn])).toEqual([
    ['b', idOf(2), merged],
    ['c', idOf(3), merged],
  ]);
});

test('a head that does not follow from the one before is told from scratch', async () => {
  using past = newPast();
  past.commit({ a: file(1), b: file(2) });
  using search = closing();
  await fill(search.db, past);
  past.commit({ c: file(3) }, { parents: [] });
  await fill(search.db, past);
  expect([...search.db.find(parseQuery('*', CLOCK), 'head').rows].map(({ path }) => path)).toEqual(['c']);
});

function closing(): { readonly db: SearchDb; [Symbol.dispose](): void } {
  const db = SearchDb.open('');
  return { db, [Symbol.dispose]: () => db.close() };
}
