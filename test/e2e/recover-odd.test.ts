import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bytePath } from '../../fixtures/byte-path.ts';
import { oddNames } from '../../fixtures/odd-names.ts';
import { gitCheckout } from '../../fixtures/real-trees.ts';
import { smallTree } from '../../fixtures/small-tree.ts';
import { bk, repository, run } from '../support/bk.ts';
import { leftovers } from '../support/oracle.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';

/** Everything but `.bk`. */
function removeAll(root: string): void {
  execFileSync('find', [
    root,
    '-mindepth',
    '1',
    '-maxdepth',
    '1',
    '!',
    '-name',
    '.bk',
    '-exec',
    'rm',
    '-rf',
    '--',
    '{}',
    '+',
  ]);
}

describe('a whole tree deleted and recovered', () => {
  test('odd names: every byte of every name, links, modes, times, empty folders', () => {
    const root = temporaryFolder('bk-odd-');
    const { skipped } = oddNames(root);
    bk(['init', root]);
    bk(['-C', root, 'commit', '-m', 'first']);
    const before = snapshot(root);
    removeAll(root);
    expect(bk(['-C', root, 'recover', '--all']).failed).toEqual([]);
    const gone = (at: string) => skipped.some((one) => at === one || at.startsWith(`${one}/`));
    expect(differences(before, snapshot(root), { inode: false, ignore: gone })).toEqual([]);
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
    expect(leftovers(root)).toEqual([]);
  });

  test('a git checkout works again, its hard truth: git fsck and git status', () => {
    const root = temporaryFolder('bk-checkout-');
    gitCheckout(path.join(root, 'project'));
    const git = (...args: string[]) =>
      spawnSync('git', ['-C', path.join(root, 'project'), ...args], { encoding: 'utf8' });
    const status = git('status', '--porcelain').stdout;
    repository(root);
    const before = snapshot(root);
    removeAll(root);
    bk(['-C', root, 'recover', '--all'], { expect: [0] });
    expect(differences(before, snapshot(root), { inode: false })).toEqual([]);
    expect(git('fsck', '--strict').status).toBe(0);
    expect(git('status', '--porcelain').stdout).toBe(status);
  });
});

describe('a parent that is not what it was (D04)', () => {
  function setting() {
    const point = fastFolder('bk-parent-');
    const root = path.join(point, 'repo');
    const canary = path.join(point, 'canary');
    smallTree(root);
    fs.mkdirSync(canary);
    fs.writeFileSync(path.join(canary, 'precious'), 'x');
    repository(root);
    fs.rmSync(path.join(root, 'photos'), { recursive: true });
    return { root, canary, before: snapshot(canary) };
  }

  test.each([['a link that leads out'], ['a file'], ['a link to nowhere']])(
    '%s: nothing is written through it',
    (kind) => {
      const { root, canary, before } = setting();
      if (kind === 'a file') fs.writeFileSync(path.join(root, 'photos'), 'in the way\n');
      else fs.symlinkSync(kind === 'a link to nowhere' ? 'nowhere' : '../canary', path.join(root, 'photos'));
      const parent = snapshot(root).get('photos');
      const done = run(['-C', root, '--json', 'recover', '--all']);
      expect([0, 1], done.stderr).toContain(done.code);
      expect(differences(before, snapshot(canary))).toEqual([]);
      expect(snapshot(root).get('photos')).toEqual(parent);
      const answer = JSON.parse(done.stdout);
      expect(answer.recovered.length + answer.failed.length).toBeGreaterThanOrEqual(6);
      for (const { path: at } of answer.recovered) expect(fs.existsSync(path.join(root, at)), at).toBe(true);
    },
  );
});

test('another name that is too long is shortened at a character, by bytes', () => {
  const root = fastFolder('bk-long-');
  const names = [`${'n'.repeat(251)}.txt`, `${'é'.repeat(125)}.text`, '\xff'.repeat(255)];
  names.slice(0, 2).forEach((name) => {
    fs.writeFileSync(path.join(root, name), 'old\n');
  });
  fs.writeFileSync(bytePath(root, names[2] ?? ''), 'old\n');
  repository(root);
  removeAll(root);
  bk(['-C', root, 'commit', '-m', 'gone', '--keep-deletions']);
  names.slice(0, 2).forEach((name) => {
    fs.writeFileSync(path.join(root, name), 'in the way\n');
  });
  fs.writeFileSync(bytePath(root, names[2] ?? ''), 'in the way\n');
  bk(['-C', root, 'commit', '-m', 'others']);
  for (const name of names.slice(0, 2)) bk(['-C', root, 'recover', name, '--at', 'HEAD~2'], { expect: [0] });
  bk(['-C', root, '--encoded', 'recover', '%FF'.repeat(255), '--at', 'HEAD~2'], { expect: [0] });
  const contents = [...snapshot(root).values()].map((entry) => entry.size).sort((a, b) => a - b);
  expect(contents).toEqual([4, 4, 4, 11, 11, 11]);
  expect(bk(['-C', root, 'commit', '-m', 'all']).unreadable).toEqual([]);
});
