import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { bk, explained, repository, run } from '../support/bk.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A repository that nothing was committed in, with a file, two remotes (an empty one, a filled one) and a card. */
let base: string;
let root: string;
beforeAll(() => {
  base = temporaryFolder('bk-empty-');
  root = path.join(base, 'root');
  for (const name of ['root', 'empty', 'full', 'card']) fs.mkdirSync(path.join(base, name));
  fs.writeFileSync(path.join(base, 'full/there.txt'), 'there\n');
  fs.writeFileSync(path.join(base, 'card/picture'), 'picture\n');
  repository(path.join(base, 'full'));
  for (const name of ['root', 'empty']) bk(['init', path.join(base, name)]);
  fs.writeFileSync(path.join(root, 'here.txt'), 'here\n');
  for (const name of ['empty', 'full']) bk(['-C', root, 'remote', 'add', name, path.join(base, name)]);
});

describe('before the first commit', () => {
  test.each([
    ['get .', 0],
    ['get here.txt', 1],
    ['get here.txt --dry-run', 1],
    ['drop .', 0],
    ['drop here.txt', 3],
    ['repair', 0],
    ['repair here.txt', 4],
    ['where', 0],
    ['where here.txt', 4],
    ['copies', 0],
    ['copies here.txt', 4],
    ['subset show', 0],
    ['subset set --dry-run photos', 0],
    ['push', 1],
    ['push --dry-run', 1],
    ['sync --dry-run', 1],
    ['verify', 0],
    ['verify here.txt', 4],
    ['covered ../card', 1],
    ['fetch', 0],
    ['ls', 0],
    ['ls here.txt', 4],
    ['restore .', 4],
    ['recover --all', 0],
    ['diff', 0],
    ['log', 0],
    ['show', 4],
    ['check', 0],
    ['reindex', 0],
  ] as const)('%s: exit %i, explained', (words, code) => {
    const before = fs.readdirSync(root);
    const done = run(['-C', root, ...words.split(' ')], { cwd: root });
    expect(done).toMatchObject({ code });
    expect(code < 2 || code === 3 || explained(done), done.stderr).toBe(true);
    expect(fs.readdirSync(root)).toEqual(before);
    expect(fs.readFileSync(path.join(root, 'here.txt'), 'utf8')).toBe('here\n');
  });

  test('there are no files that could be counted', () => {
    expect(run(['-C', root, 'copies']).stdout).toBe('no files\n');
    expect(bk(['-C', root, 'get', '.', '--dry-run'])).toMatchObject({ done: [], refused: [], bytes: 0 });
  });
});
