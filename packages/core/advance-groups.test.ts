import { describe, expect, it } from 'vitest';
import type { Arrival, FileAt } from './advance-change.ts';
import { movedGroups } from './advance-groups.ts';
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

  it('a file that got another name, one into the root, a swap', () => {
    const groups = movedGroups({ moved: [] }, [
      arrival('d/a', 'd/b'),
      arrival('d/b', 'd/a'),
      arrival('e/f/x', 'x'),
      arrival('y', 'g/y'),
    ]);
    expect(groups).toEqual([
      whole('e/f', '', 1),
      whole('d/b', 'd/a', 1),
      whole('d/a', 'd/b', 1),
      whole('', 'g', 1),
    ]);
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
