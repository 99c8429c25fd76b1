import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deleteRef } from './delete-ref.ts';
import { initHistory } from './init.ts';
import { listRefs, readRef } from './refs.ts';

let dir: string;
beforeEach(() => {
  dir = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'bk-delete-ref-')), 'history');
  initHistory(dir);
});
afterEach(() => fs.rmSync(path.dirname(dir), { recursive: true }));

function git(...words: string[]): string {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  return execFileSync('git', ['--git-dir', dir, '-c', 'user.name=a', '-c', 'user.email=b', ...words], {
    encoding: 'utf8',
    env,
  }).trim();
}

function commit(message: string): string {
  return git('commit-tree', '-m', message, git('hash-object', '-w', '-t', 'tree', '/dev/null'));
}

const [DISK, OTHER, MAIN] = ['refs/remotes/disk/main', 'refs/remotes/other/main', 'refs/heads/main'] as const;

test.each(['loose', 'packed', 'both'])('a %s ref goes, and all others stay', (how) => {
  const [a, b] = [commit('a'), commit('b')];
  for (const ref of [DISK, OTHER, MAIN]) git('update-ref', ref, a);
  git('tag', '-a', 'v1', '-m', 'tagged', a);
  if (how !== 'loose') git('pack-refs', '--all');
  if (how === 'both') git('update-ref', DISK, b);
  const tags = git('show-ref', '-d', '--tags');
  deleteRef(dir, DISK);
  expect(readRef(dir, DISK)).toBeUndefined();
  expect([readRef(dir, OTHER), readRef(dir, MAIN)]).toEqual([a, a]);
  expect(git('show-ref', '-d', '--tags')).toBe(tags);
  expect(git('for-each-ref', '--format=%(refname)', 'refs/remotes', 'refs/heads').split('\n')).toEqual([
    MAIN,
    OTHER,
  ]);
  git('fsck', '--strict');
  deleteRef(dir, DISK);
  expect(listRefs(dir, 'refs/remotes/').map(([name]) => name)).toEqual([OTHER]);
  expect(
    fs
      .readdirSync(path.join(dir, 'refs/remotes'), { recursive: true })
      .filter((name) => String(name).endsWith('.lock')),
  ).toEqual([]);
});

test('a name that is none is refused', () => {
  for (const name of ['HEAD', 'refs/heads/../x', '../x', ''])
    expect(() => deleteRef(dir, name)).toThrow(expect.objectContaining({ code: 'usage' }));
});
