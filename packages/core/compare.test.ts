import { describe, expect, test } from 'vitest';
import { changesBetween, type RecordAt } from './compare.ts';
import { fakeHash } from './disk.fixture.ts';
import { newObjectId, type ObjectId } from './ids.ts';
import type { RepoPath } from './path.ts';
import type { Rec } from './record.ts';

const id = (n: number): ObjectId => newObjectId(n, new Uint8Array(10));

function file(path: string, n: number, content: string, more: Partial<Rec> = {}): RecordAt {
  const mtime = '2026-01-01T00:00:00.000000000Z';
  const fixed = { v: 1, type: 'file', mode: '0644', mtime } as const;
  const made = { id: id(n), blake3: fakeHash(content), size: content.length };
  return { path: path as RepoPath, record: { ...fixed, ...made, ...more } };
}

function folder(path: string, n: number, more: Partial<Rec> = {}): RecordAt {
  return { path: path as RepoPath, record: { v: 1, type: 'dir', id: id(n), mode: '0755', ...more } };
}

function told(before: readonly RecordAt[], after: readonly RecordAt[]): string[] {
  const forward = changesBetween(before, after);
  expect(changesBetween([...before].reverse(), [...after].reverse())).toEqual(forward);
  return forward.map(({ type, path, from, fields }) =>
    [type, path, from && `< ${from}`, fields && `[${fields}]`].filter(Boolean).join(' '),
  );
}

const A = file('a', 1, 'one');
const B = file('b', 2, 'two');

describe('changesBetween', () => {
  test.each([
    { name: 'equal', before: [A, B], after: [A, B], expected: [] },
    { name: 'added and deleted', before: [A], after: [B], expected: ['deleted a', 'added b'] },
    {
      name: 'a swap',
      before: [A, B],
      after: [file('b', 1, 'one'), file('a', 2, 'two')],
      expected: ['renamed a < b', 'renamed b < a'],
    },
    {
      name: 'an edit',
      before: [A],
      after: [file('a', 1, 'ONE', { hashes: {} })],
      expected: ['modified a [content]'],
    },
    {
      name: 'a rename and an edit',
      before: [A],
      after: [file('c', 1, 'x')],
      expected: ['renamed c < a [content]'],
    },
    {
      name: 'a mode and tags',
      before: [A],
      after: [file('a', 1, 'one', { mode: '0600', attrs: { tags: ['x'] } })],
      expected: ['metadata a [attrs,mode]'],
    },
    {
      name: 'equal attributes',
      before: [file('a', 1, 'x', { attrs: { b: 1, a: [2] } })],
      after: [file('a', 1, 'x', { attrs: { a: [2], b: 1 } })],
      expected: [],
    },
    {
      name: 'an object unified with an older one',
      before: [file('c', 5, 'x')],
      after: [file('d', 3, 'x', { was: [id(5)] })],
      expected: ['renamed d < c'],
    },
    {
      name: 'deleted and made anew',
      before: [A],
      after: [file('a', 9, 'new')],
      expected: ['modified a [content]'],
    },
    {
      name: 'a symlink instead',
      before: [A],
      after: [file('a', 9, 'b', { type: 'symlink', target: 'b', mode: '0777' })],
      expected: ['typechange a [type]'],
    },
    {
      name: 'an id twice: each stays',
      before: [A, file('z', 1, 'one')],
      after: [A, file('z', 1, 'new')],
      expected: ['modified z [content]'],
    },
    { name: 'an empty folder came', before: [A], after: [A, folder('e', 7)], expected: ['added e'] },
    {
      name: 'a folder became empty',
      before: [A, file('e/x', 3, 'x')],
      after: [A, folder('e', 7)],
      expected: ['deleted e/x'],
    },
    {
      name: 'a file came into an empty folder',
      before: [folder('e', 7)],
      after: [file('e/x', 3, 'x')],
      expected: ['added e/x'],
    },
    { name: 'an empty folder went', before: [folder('e', 7)], after: [], expected: ['deleted e'] },
    {
      name: 'tags of a folder',
      before: [folder('e', 7)],
      after: [folder('e', 7, { attrs: { title: 'E' } })],
      expected: ['metadata e [attrs]'],
    },
  ] as const)('$name', ({ before, after, expected }) => {
    expect(told(before, after)).toEqual(expected);
  });

  test('an id that a history holds twice stays at both paths, whatever the order', () => {
    const twin = file('z', 1, 'one');
    expect(changesBetween([A, twin], [twin, A])).toEqual([]);
  });

  test('whether a shared folder was and is there, the caller may tell', () => {
    const folders = { before: () => true, now: () => true };
    expect(changesBetween([], [folder('e', 7)], folders)).toEqual([]);
    expect(changesBetween([], [folder('e', 7, { mode: '0700' })], folders)).toMatchObject([
      { type: 'metadata', path: 'e', fields: ['mode'] },
    ]);
  });
});
