import type { EncodedName, GitId, RepoPath } from '@bk/core';
import { expect, test } from 'vitest';
import { withoutCaseTwins } from './case.ts';
import type { FolderPart } from './selection.ts';

const part = (path: string, files: string[], folders: string[] = []): FolderPart => ({
  path: path as RepoPath,
  tree: '' as GitId,
  made: true,
  files: files as EncodedName[],
  folders: folders as EncodedName[],
});

test('of two names that are one without letter case the greater is left out, with all that is in it', () => {
  const given = [
    part('', ['A.txt', 'a.txt', 'b', 'é'], ['Dir', 'dir', 'B']),
    part('B', ['x']),
    part('Dir', ['x', 'X']),
    part('dir', ['y'], ['z']),
    part('dir/z', ['y']),
  ];
  const { parts, missing } = withoutCaseTwins(given, { readTree: () => [] });
  expect(missing.map(({ path }) => path)).toEqual(['a.txt', 'b', 'dir', 'Dir/x']);
  expect(parts.map(({ made, files }) => [made, files])).toEqual([
    [true, ['A.txt', 'é']],
    [true, ['x']],
    [true, ['X']],
    [false, []],
    [false, []],
  ]);
});
