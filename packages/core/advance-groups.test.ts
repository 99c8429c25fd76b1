import { describe, expect, it } from 'vitest';
import type { Arrival, FileAt } from './advance-change.ts';
import { changesBesideMoves, movedGroups } from './advance-groups.ts';
import type { RepoPath } from './path.ts';

function arrival(from: string, to: string, more: Partial<Arrival> = {}): Arrival {
  const at = (path: string) => ({ path: path as RepoPath }) as FileAt;
  return { before: at(from), after: at(to), wasHere: true, here: true, same: true, ...more };
}

function whole(from: string, to: string, files: number) {
  return { from: from as RepoPath, to: to as RepoPath, files };
}

describe('moved groups', () => {
  it('join what went the same way, also where only a folder far above got another name', () => {
    const groups = movedGroups({ moved: [whole('old/2019/a', 'new/2019/a', 7)] }, [
      arrival('old/2019/x', 'new/2019/x'),
      arrival('old/y', 'new/y'),
      arrival('old/2019/b/z', 'new/2019/b/z'),
    ]);
    expect(groups).toEqual([whole('old', 'new', 10)]);
  });

  it('are named by the deepest folders that hold all of it', () => {
    const files = ['2019/a/x', '2019/y'].map((file) => arrival(`Pictures/${file}`, `Archive/${file}`));
    const deep = [whole('Pictures/2019/b', 'Archive/2019/b', 3)];
    expect(movedGroups({ moved: deep }, files)).toEqual([whole('Pictures/2019', 'Archive/2019', 5)]);
    expect(movedGroups({ moved: deep }, [])).toEqual([whole('Pictures/2019/b', 'Archive/2019/b', 3)]);
    const apart = [...deep, whole('Pictures/2020', 'Archive/2020', 4)];
    expect(movedGroups({ moved: apart }, [])).toEqual([whole('Pictures', 'Archive', 7)]);
  });

  it('a file that got another name, one into the root, a swap', () => {
    const groups = movedGroups({ moved: [] }, [
      arrival('d/a', 'd/b'),
      arrival('d/b', 'd/a'),
      arrival('e/f/x', 'x'),
      arrival('y', 'g/y'),
    ]);
    expect(groups).toEqual([
      { ...whole('d/b', 'd/a', 1), file: true },
      { ...whole('d/a', 'd/b', 1), file: true },
      { ...whole('y', 'g/y', 1), file: true },
      { ...whole('e/f/x', 'x', 1), file: true },
    ]);
    expect(movedGroups({ moved: [whole('h', 'i', 1)] }, [])).toEqual([whole('h', 'i', 1)]);
  });

  it('counts only what is here, and moves', () => {
    const groups = movedGroups({ moved: [] }, [
      arrival('a', 'b', { here: false }),
      arrival('a', 'c', { wasHere: false }),
      arrival('d', 'd'),
    ]);
    expect(groups).toEqual([]);
  });
});

describe('changes beside moves', () => {
  const BASE = { id: 'id', type: 'file', blake3: 'hash', size: 3, mtimeNs: 1n, mode: 0o644 };
  const file = (path: string, more: object = {}) => ({ ...BASE, path, ...more }) as unknown as FileAt;
  const told = (arrivals: readonly Partial<Arrival>[], deleted: readonly FileAt[] = []) =>
    changesBesideMoves(
      arrivals.map((one) => ({ wasHere: true, here: true, same: true, ...one }) as Arrival),
      deleted,
    ).map(({ type, path, from, fields }) => [type, path, from, fields?.join()]);

  it('each file is told once, by what became of it', () => {
    const before = file('a');
    expect(
      told(
        [
          { before, after: file('z'), wasHere: false },
          { after: file('y'), wasHere: false },
          { before, after: file('a', { blake3: 'other', mtimeNs: 2n }) },
          { before, after: file('b', { mode: 0o600 }) },
          { before, after: file('a', { mode: 0o600 }) },
          { before, after: file('a', { type: 'symlink', target: 'x', blake3: 'x' }) },
        ],
        [file('gone')],
      ),
    ).toEqual([
      ['metadata', 'a', undefined, 'mode'],
      ['modified', 'a', undefined, 'content,mtime'],
      ['typechange', 'a', undefined, 'type'],
      ['renamed', 'b', 'a', 'mode'],
      ['deleted', 'gone', undefined, undefined],
      ['added', 'y', undefined, undefined],
      ['added', 'z', undefined, undefined],
    ]);
  });

  it('a mere move, and what is not here, is not told', () => {
    expect(
      told([
        { before: file('a'), after: file('b') },
        { before: file('c'), after: file('d', { blake3: 'other' }), here: false },
        { after: file('e'), wasHere: false, here: false },
      ]),
    ).toEqual([]);
  });
});
