import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { manyFiles } from '../../fixtures/many-files.ts';
import { randomReorganisation } from '../../fixtures/reorganise.ts';
import { ids, wrongRecords } from '../support/agreement.ts';
import { bk, repository, run } from '../support/bk.ts';
import { decodeName, fsckProblems, git } from '../support/history.ts';
import { needsStrace } from '../support/programs.ts';
import { fastFolder } from '../support/temporary.ts';

/** `from -> to` of every rename git sees by equal blobs, folder records aside. */
function gitRenames(root: string): string[] {
  const out = git(root, ['diff', '-M100%', '--name-status', '-z', 'HEAD~1', 'HEAD'])
    .toString('latin1')
    .split('\0');
  const found: string[] = [];
  for (let i = 0; i < out.length - 1; ) {
    const status = out[i] ?? '';
    if (status.startsWith('R')) {
      const [from = '', to = ''] = [out[i + 1], out[i + 2]];
      if (!to.endsWith('.bkdir')) found.push(`${decodeName(from)} -> ${decodeName(to)}`);
      i += 3;
    } else i += 2;
  }
  return found.sort();
}

function bkRenames(root: string): string[] {
  return bk(['-C', root, 'diff', 'HEAD~1', 'HEAD'])
    .changes.filter((change) => change.type === 'renamed')
    .map((change) => `${change.from} -> ${change.path}`)
    .sort();
}

describe.each([1, 2, 3, 4, 5])('random reorganisation %i of 1,000 files', (seed) => {
  test('bk diff and git diff -M100% agree on renames; every id survives; nothing is added or deleted', () => {
    const root = fastFolder('bk-reorganise-');
    manyFiles(root, 1000, seed);
    repository(root);
    const idsBefore = new Set(ids(root).values());
    const before = new Set(ids(root).keys());
    const done = randomReorganisation(root, seed, 40 + 30 * seed);
    const answer = bk(['-C', root, 'commit', '-m', 'reorganised']);
    const said = done.join('\n');
    // Folders have no hash: those that were emptied get a record of their own, and lose it when they go.
    const others = answer.changes.filter((one) => one.type !== 'renamed' && one.blake3 !== undefined);
    expect(others, said).toEqual([]);
    // git pairs a name only if the old one is gone and the new one was not there: swaps and rotations only bk sees.
    const after = new Set(ids(root).keys());
    const seen = bkRenames(root);
    const visible = seen.filter((rename) => {
      const [from = '', to = ''] = rename.split(' -> ');
      return !after.has(from) && !before.has(to);
    });
    expect(visible, said).toEqual(gitRenames(root));
    expect(seen).toEqual(
      answer.changes
        .filter((one) => one.type === 'renamed')
        .map((one) => `${one.from} -> ${one.path}`)
        .sort(),
    );
    const survived = [...ids(root)].filter(([at, id]) => !at.endsWith('/') && !idsBefore.has(id));
    expect(survived).toEqual([]);
    expect([...fsckProblems(root), ...wrongRecords(root)]).toEqual([]);
  });
});

test('a commit after moving folders opens none of the moved files', (context) => {
  needsStrace(context);
  const root = fastFolder('bk-moved-');
  manyFiles(root, 3000);
  repository(root);
  fs.renameSync(path.join(root, 'd0'), path.join(root, 'moved as a whole'));
  fs.renameSync(path.join(root, 'd1/s0/t0'), path.join(root, 'inner'));
  const log = path.join(fastFolder('bk-strace-'), 'log');
  const through = ['strace', '-f', '-y', '-qq', '-s', '4096', '-o', log, '-etrace=open,openat,openat2'];
  const done = run(['-C', root, '--json', 'commit', '-m', 'moved'], { through });
  expect(done.code, done.stderr).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({ summary: { renamed: 2525, added: 0, deleted: 0 } });
  const opened = spawnSync('grep', ['-E', '"[^"]*file [0-9]+[.]txt"', log], { encoding: 'utf8' });
  expect(opened.stdout.split('\n').slice(0, 5).join('\n')).toBe('');
});
