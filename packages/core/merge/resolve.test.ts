import { describe, expect, it, test } from 'vitest';
import type { RecordAt } from '../compare.ts';
import type { ContentHash, ObjectId } from '../ids.ts';
import type { RepoPath } from '../path.ts';
import type { Rec } from '../record.ts';
import type { ConflictKind } from './input.ts';
import { type ConflictVersion, type Keep, resolveConflict, treeConflicts } from './resolve.ts';

function file(n: number, second = n, more: Partial<Rec> = {}): Rec {
  const id = `0190a1b2-c3d4-7e5f-8a6b-${String(n).padStart(12, '0')}` as ObjectId;
  const blake3 = String(n).repeat(64).slice(0, 64) as ContentHash;
  const mtime = `2026-01-01T00:00:0${second}.000000000Z`;
  return { v: 1, id, type: 'file', blake3, size: n, mtime, mode: '0644', ...more };
}

function folder(n: number, more: Partial<Rec> = {}): Rec {
  const { blake3: _hash, size: _size, mtime: _time, ...rest } = file(n);
  return { ...rest, type: 'dir', mode: '0755', ...more };
}

/** Entries at paths, all in one conflict; `versions` as they were when it arose. */
function contested(
  kind: ConflictKind,
  entries: Readonly<Record<string, Rec>>,
  versions: readonly [path: string, record: Rec][] = Object.entries(entries),
): RecordAt[] {
  const told = versions.map(([path, { blake3 }]) => (blake3 === undefined ? { path } : { path, blake3 }));
  const conflict = { kind, versions: told };
  return Object.entries(entries).map(([path, record]) => ({
    path: path as RepoPath,
    record: { ...record, conflict },
  }));
}

const COPY = 'd/x (conflict b 2026-01-01).txt';
const at = (path: string): Keep => ({ what: 'path', path: path as RepoPath });
const of = (name: string): Keep => ({ what: 'repository', name });
/** The version with the higher number is of a. */
const repositoryOf = ({ path }: ConflictVersion) => (path.includes('conflict b') ? 'b' : 'a');

function resolved(entries: RecordAt[], keep: Keep): unknown {
  const [conflict, ...more] = treeConflicts(entries);
  expect(more).toEqual([]);
  const resolution = resolveConflict(conflict!, keep, repositoryOf);
  if (typeof resolution === 'string') return resolution;
  const { keep: kept, remove } = resolution;
  const moved = kept.flatMap(({ path, from }) => (from === undefined ? [] : [`${from} > ${path}`]));
  return {
    keep: Object.fromEntries(kept.map(({ path, record }) => [path, record])),
    remove: remove.map(({ path }) => path),
    ...(moved.length > 0 && { moved }),
  };
}

describe('conflicts of a tree', () => {
  test('entries that tell of the same are one, with the version that stays', () => {
    const entries = [
      ...contested('content', { 'd/x.txt': file(2), [COPY]: file(1) }),
      { path: 'plain' as RepoPath, record: file(9) },
      ...contested('delete-edit', { a: file(3) }),
      ...contested('delete-edit', { b: file(3) }, [['a', file(3)]]),
      ...contested('file-directory', { 'f (conflict b 2026-01-01)': file(4) }),
      ...contested('future' as ConflictKind, { z: file(5) }),
    ];
    const found = treeConflicts(entries.reverse());
    expect(
      found.map(({ path, kind, versions }) => [path, kind, versions.map((version) => version.path)]),
    ).toEqual([
      ['a', 'delete-edit', ['a']],
      ['b', 'delete-edit', ['a']],
      ['d/x.txt', 'content', [COPY, 'd/x.txt']],
      ['f', 'file-directory', ['f (conflict b 2026-01-01)']],
    ]);
  });

  test('versions that were moved since are found by their contents; names with notes do not hide who stays', () => {
    const moved = contested('content', { 'e/y.txt': file(2), [COPY]: file(1) }, [['d/x.txt', file(2)], [COPY, file(1)]]); // biome-ignore format: long
    expect(treeConflicts(moved)).toMatchObject([
      { path: 'e/y.txt', versions: [{ path: COPY }, { path: 'e/y.txt' }] },
    ]);
    const again = contested('content', {
      'x (conflict a 2026-01-01)': file(2),
      'x (conflict b 2026-01-01)': file(1),
    });
    expect(treeConflicts(again)).toMatchObject([{ path: 'x (conflict a 2026-01-01)' }]);
  });

  test('what makes no sense is no conflict', () => {
    const record = (conflict: Rec['conflict']) => ({ path: 'x' as RepoPath, record: { ...file(1), ...(conflict && { conflict }) } }); // biome-ignore format: long
    expect(treeConflicts([record(undefined), record({}), record({ kind: 7 })])).toEqual([]);
    expect(treeConflicts([record({ kind: 'content', versions: [1, { path: 2 }, 'x'] })])).toMatchObject([
      { versions: [] },
    ]);
  });
});

describe('resolve', () => {
  const content = () =>
    contested('content', {
      'd/x.txt': file(2, 5, { attrs: { title: 't' }, was: [file(8).id] }),
      [COPY]: file(1, 6),
    });

  it('keeps what is at the path; the others go', () => {
    const stays = { 'd/x.txt': file(2, 5, { attrs: { title: 't' }, was: [file(8).id] }) };
    expect(resolved(content(), at('d/x.txt'))).toEqual({ keep: stays, remove: [COPY] });
    expect(resolved(content(), of('a'))).toEqual({ keep: stays, remove: [COPY] });
  });

  it('the copy: its content becomes the object’s, at the object’s path', () => {
    const { blake3, size, mtime } = file(1, 6);
    const record = { ...file(2, 5, { attrs: { title: 't' }, was: [file(8).id] }), blake3, size, mtime };
    for (const keep of [at(COPY), of('b'), { what: 'newest' } as const])
      expect(resolved(content(), keep)).toEqual({
        keep: { 'd/x.txt': record },
        remove: ['d/x.txt'],
        moved: [`${COPY} > d/x.txt`],
      });
  });

  it('two objects: the one that stays keeps its id and takes the path', () => {
    const entries = contested('add-add', { 'd/x.txt': file(2), [COPY]: file(1) });
    expect(resolved(entries, at(COPY))).toEqual({
      keep: { 'd/x.txt': file(1) },
      remove: ['d/x.txt'],
      moved: [`${COPY} > d/x.txt`],
    });
    expect(resolved(entries, { what: 'newest' })).toEqual({ keep: { 'd/x.txt': file(2) }, remove: [COPY] });
  });

  it('of three one stays', () => {
    const third = 'd/x (conflict c 2026-01-01).txt';
    const entries = contested('add-add', { 'd/x.txt': file(3), [COPY]: file(2), [third]: file(1) });
    expect(resolved(entries, at(third))).toEqual({
      keep: { 'd/x.txt': file(1) },
      remove: [COPY, 'd/x.txt'],
      moved: [`${third} > d/x.txt`],
    });
  });

  it('both: all stay, the conflict is over', () => {
    expect(resolved(content(), { what: 'both' })).toEqual({
      keep: { 'd/x.txt': file(2, 5, { attrs: { title: 't' }, was: [file(8).id] }), [COPY]: file(1, 6) },
      remove: [],
    });
  });

  it('a deletion can be kept only where somebody deleted', () => {
    const entries = contested('delete-edit', { x: file(1) });
    expect(resolved(entries, { what: 'deletion' })).toEqual({ keep: {}, remove: ['x'] });
    expect(resolved(entries, at('x'))).toEqual({ keep: { x: file(1) }, remove: [] });
    expect(resolved(content(), { what: 'deletion' })).toContain('nobody deleted');
  });

  it('of two names the one that is asked for', () => {
    const entries = () => contested('rename-rename', { 'd/y': file(1) }, [['d/y', file(1)], ['d/z (conflict b)', file(1)]]); // biome-ignore format: long
    expect(resolved(entries(), at('d/y'))).toEqual({ keep: { 'd/y': file(1) }, remove: [] });
    expect(resolved(entries(), of('b'))).toEqual({
      keep: { 'd/z (conflict b)': file(1) },
      remove: [],
      moved: ['d/y > d/z (conflict b)'],
    });
    expect(resolved(entries(), of('nobody'))).toBe('no version of it is of nobody; its versions are of a, b');
    const dirs = contested('rename-rename', { e: folder(1) }, [['e', folder(1)], ['f', folder(1)]]); // biome-ignore format: long
    expect(resolved(dirs, at('f'))).toEqual({ keep: { f: folder(1) }, remove: [], moved: ['e > f'] });
  });

  it('a folder is never removed for a file', () => {
    const entries = contested('file-directory', { [COPY]: file(1) });
    expect(resolved(entries, at('d/x.txt'))).toEqual({ keep: {}, remove: [COPY] });
    expect(resolved(entries, at(COPY))).toEqual({ keep: { [COPY]: file(1) }, remove: [] });
    expect(resolved(entries, { what: 'newest' })).toEqual({ keep: { [COPY]: file(1) }, remove: [] });
  });

  it('names that differ by case, and additions of a split folder, stay', () => {
    for (const kind of ['case', 'directory-rename-split'] as const) {
      const entries = contested(kind, { 'd/a': file(1) }, [['d/A', file(2)], ['d/a', file(1)]]); // biome-ignore format: long
      for (const keep of [at('d/a'), at('d/A'), { what: 'newest' } as const])
        expect(resolved(entries, keep)).toEqual({ keep: { 'd/a': file(1) }, remove: [] });
    }
  });

  it('of two projects one stays, whole, at the path', () => {
    const copy = 'p (conflict b 2026-01-01)';
    const entries = () => contested('atomic', { p: folder(1, { entity: 'project' }), [copy]: folder(2) });
    expect(resolved(entries(), at('p'))).toEqual({
      keep: { p: folder(1, { entity: 'project' }) },
      remove: [copy],
    });
    expect(resolved(entries(), of('b'))).toEqual({
      keep: { p: folder(2) },
      remove: ['p'],
      moved: [`${copy} > p`],
    });
  });
});
