import { describe, expect, test } from 'vitest';
import {
  BkError,
  formatJson,
  formatRepositoryFacts,
  type GitId,
  type JsonObject,
  needsPresence,
  parseCommitMessage,
  parseRepositoryFacts,
  parseSubset,
  presenceMessage,
  presenceRef,
  presentEdits,
  type RepoPath,
  type RepositoryFacts,
  repositoryOfRef,
  subsetHash,
} from './index.ts';

const ID = '01234567-89ab-7cde-8f01-23456789abcd';
const OTHER = 'f1234567-89ab-7cde-8f01-23456789abcd';
const withHash = (include: string[], exclude: string[]) => {
  const subset = parseSubset(include, exclude);
  return { ...subset, hash: subsetHash(subset) };
};
const FACTS: RepositoryFacts = {
  v: 1,
  id: ID,
  name: 'Platte 2',
  volume: '6f1c-22aa',
  subset: withHash(['Pictures'], ['**/*.tmp']),
  kind: 'folder',
  address: '/mnt/disk 2',
  time: '2026-10-01T12:00:00.123456789Z',
  verified: '2026-09-01T00:00:00.000000000Z',
};
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof BkError) return error.code;
    throw error;
  }
  return 'none';
};

describe('repository.json', () => {
  test('is canonical JSON and comes back', () => {
    const text = formatRepositoryFacts(FACTS);
    expect(text).toBe(formatJson(FACTS as unknown as JsonObject));
    expect(parseRepositoryFacts(text, ID)).toEqual(FACTS);
    const { address: _a, verified: _v, ...fewer } = FACTS;
    expect(parseRepositoryFacts(formatRepositoryFacts(fewer), ID)).toEqual(fewer);
    const whole = { ...fewer, whole: true } as const;
    expect(parseRepositoryFacts(formatRepositoryFacts(whole), ID)).toEqual(whole);
  });

  test('fields of a newer bk are passed over', () => {
    const text = formatJson({ ...(FACTS as unknown as JsonObject), colour: 'blue', kind: 's3' });
    expect(parseRepositoryFacts(text, ID)).toEqual({ ...FACTS, kind: 's3' });
  });

  test('a password never gets into it', () => {
    const secret = { ...FACTS, address: 'ssh://me:se@cret:1@nas:22/x@y' };
    expect(parseRepositoryFacts(formatRepositoryFacts(secret), ID).address).toBe('ssh://me@nas:22/x@y');
    expect(
      parseRepositoryFacts(formatRepositoryFacts({ ...FACTS, address: 'ssh://nas:22/a' }), ID).address,
    ).toBe('ssh://nas:22/a');
  });

  test('what cannot be read back is not written', () => {
    expect(codeOf(() => formatRepositoryFacts({ ...FACTS, name: 'two\nlines' }))).toBe('bug');
    expect(codeOf(() => formatRepositoryFacts({ ...FACTS, volume: '' }))).toBe('bug');
  });

  const change = (changes: Readonly<Record<string, unknown>>) =>
    formatJson({ ...FACTS, ...changes } as unknown as JsonObject);

  test.each<[string, string]>([
    ['nothing', ''],
    ['not JSON', '{'],
    ['not canonical', JSON.stringify(FACTS)],
    ['a list', '[]\n'],
    ['null', 'null\n'],
    ['__proto__', formatRepositoryFacts(FACTS).replace('"address"', '"__proto__": {},\n "address"')],
    ['a key twice', formatRepositoryFacts(FACTS).replace(' "id"', ` "id": "${OTHER}",\n "id"`)],
    ['too deep', '['.repeat(100_000)],
    ['too long', `"${'x'.repeat(2 ** 20)}"\n`],
    ['another version', change({ v: 2 })],
    ['another repository', change({ id: OTHER })],
    ['no id', change({ id: undefined })],
    ['an id in capitals', change({ id: ID.toUpperCase() })],
    ['an id that leaves', change({ id: '../../heads/main' })],
    ['no name', change({ name: '' })],
    ['a name of two lines', change({ name: 'a\nBk-Deletions: confirmed' })],
    ['a name with a slash', change({ name: 'a/b' })],
    ['a name that is too long', change({ name: 'é'.repeat(51) })],
    ['a name that is no text', change({ name: 1 })],
    ['no volume', change({ volume: '' })],
    ['a volume of many lines', change({ volume: 'a\nb' })],
    ['a long volume', change({ volume: 'a'.repeat(129) })],
    ['no subset', change({ subset: undefined })],
    ['a subset that is no object', change({ subset: [] })],
    ['a subset without hash', change({ subset: { include: [], exclude: [] } })],
    ['a subset with another hash (P07)', change({ subset: { ...FACTS.subset, include: ['Docs'] } })],
    [
      'a pattern that leaves (P11)',
      change({ subset: { include: ['../x'], exclude: [], hash: FACTS.subset.hash } }),
    ],
    ['a pattern that is no text', change({ subset: { include: [1], exclude: [], hash: FACTS.subset.hash } })],
    ['a pattern twice', change({ subset: { ...FACTS.subset, include: ['Pictures', 'Pictures'] } })],
    ['patterns that are no list', change({ subset: { include: 'a', exclude: [], hash: FACTS.subset.hash } })],
    ['a strange kind', change({ kind: 'Folder!' })],
    ['no kind', change({ kind: undefined })],
    ['an empty address', change({ address: '' })],
    ['an address of two lines', change({ address: 'a\nb' })],
    ['an address with a password', change({ address: 'ssh://me:secret@nas/x' })],
    ['a long address', change({ address: 'a'.repeat(5000) })],
    ['an address that is no text', change({ address: null })],
    ['no time', change({ time: undefined })],
    ['a time without zone', change({ time: '2026-10-01T12:00:00.000000000' })],
    ['a time in milliseconds', change({ time: '2026-10-01T12:00:00.000Z' })],
    ['a day that is none', change({ time: '2026-02-30T12:00:00.000000000Z' })],
    ['a year of six digits', change({ time: '+010000-01-01T00:00:00.000000000Z' })],
    ['whole, but false', change({ whole: false })],
    ['a verification that is no time', change({ verified: 'yesterday' })],
  ])('hostile: %s', (_, text) => expect(codeOf(() => parseRepositoryFacts(text, ID))).toBe('damaged'));
});

describe('ref and message', () => {
  test('the ref names the repository, and nothing else', () => {
    expect(presenceRef(ID)).toBe(`refs/bk/repositories/${ID}`);
    expect(repositoryOfRef(presenceRef(ID))).toBe(ID);
    for (const ref of [
      'refs/heads/main',
      `refs/bk/repositories/${ID}/x`,
      'refs/bk/repositories/',
      ID,
      `x${presenceRef(ID)}`,
    ])
      expect(repositoryOfRef(ref), ref).toBeUndefined();
    expect(codeOf(() => presenceRef('../heads/main'))).toBe('damaged');
  });

  test('the message says who wrote it', () => {
    const text = presenceMessage(FACTS);
    expect(text).toBe(`presence of Platte 2\n\nBk-Repository: ${ID} Platte 2\n`);
    expect(parseCommitMessage(text).repository).toEqual({ id: ID, name: 'Platte 2' });
  });
});

describe('needsPresence', () => {
  const last = { facts: FACTS, present: 'a'.repeat(40) as GitId };
  test.each<[string, typeof last | undefined, typeof last, boolean]>([
    ['the first', undefined, last, true],
    ['only later', last, { ...last, facts: { ...FACTS, time: '2027-01-01T00:00:00.000000000Z' } }, false],
    ['another tree', last, { ...last, present: 'b'.repeat(40) as GitId }, true],
    ['another name', last, { ...last, facts: { ...FACTS, name: 'x' } }, true],
    ['another subset', last, { ...last, facts: { ...FACTS, subset: withHash([], []) } }, true],
  ])('%s', (_, before, now, expected) => expect(needsPresence(before, now)).toBe(expected));
});

describe('presentEdits', () => {
  const edits = (...paths: string[]) =>
    presentEdits(paths as RepoPath[]).map(({ folder, without }) => [folder, [...without].sort()]);

  test('nothing absent: the head’s tree itself', () => expect(edits()).toEqual([]));

  test('only the folders on the way, deepest first', () => {
    expect(edits('a/b/2', 'a/b/1', 'c')).toEqual([
      ['a/b', ['1', '2']],
      ['a', []],
      ['', ['c']],
    ]);
  });

  test('a whole folder covers what is below it', () => {
    expect(edits('a/b/1', 'a', 'x/y', 'a/c/d/e')).toEqual([
      ['x', ['y']],
      ['', ['a']],
    ]);
  });

  test('a folder that was only on the way can lose names too', () => {
    expect(edits('a/b/c/1', 'a/2', 'a/b/3')).toEqual([
      ['a/b/c', ['1']],
      ['a/b', ['3']],
      ['a', ['2']],
      ['', []],
    ]);
  });
});
