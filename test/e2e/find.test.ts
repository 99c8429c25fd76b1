import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { type Answer, BK, bk, errorOf, repository, run } from '../support/bk.ts';
import { temporaryFolder } from '../support/temporary.ts';

interface Found extends Answer {
  readonly files: readonly {
    readonly path: string;
    readonly encoded?: boolean;
    readonly present: boolean;
    readonly deletedIn?: string;
  }[];
}

let root: string;
beforeEach(() => {
  root = path.join(temporaryFolder('bk-find-'), 'main');
  fs.mkdirSync(path.join(root, 'New York'), { recursive: true });
  fs.writeFileSync(path.join(root, 'New York/kids.RAF'), 'kids');
  fs.writeFileSync(path.join(root, 'New York/sea.jpg'), 'sea');
  fs.writeFileSync(path.join(root, 'york (new).txt'), 'sea');
  repository(root);
});

/** Paths of what is found; the exit code says whether there is anything. */
function found(...query: string[]): string[] {
  const done = run(['-C', root, '--json', 'find', ...query]);
  const { files } = JSON.parse(done.stdout) as Found;
  expect(done.code).toBe(files.length > 0 ? 0 : 1);
  return files.map(({ path: at, encoded }) => (encoded ? `${at} encoded` : at));
}

test('a query is its arguments together, or one', () => {
  expect(found('*.raf')).toEqual(['New York/kids.RAF']);
  expect(found('new', 'size:<4')).toEqual(['New York/sea.jpg', 'york (new).txt']);
  expect(found('new size:<4')).toEqual(['New York/sea.jpg', 'york (new).txt']);
  expect(found('New York')).toEqual(['New York/kids.RAF', 'New York/sea.jpg']);
  expect(found('folder:New York', 'not:ext:jpg')).toEqual(['New York/kids.RAF']);
  expect(found('(', 'kids', 'or', 'ext:txt', ')', 'new')).toEqual(['New York/kids.RAF', 'york (new).txt']);
  expect(found('--', '-ext:jpg')).toEqual(['New York/kids.RAF', 'york (new).txt']);
  expect(found('nothing')).toEqual([]);
});

test('a person is told sizes, and what is not here', () => {
  fs.rmSync(path.join(root, 'New York/sea.jpg'));
  const { stdout, code } = run(['-C', root, 'find', 'sea or txt']);
  expect(code).toBe(0);
  expect(stdout).toBe('3 B  New York/sea.jpg  (not here)\n3 B  york (new).txt\n2 files, 6 B, 1 not here\n');
});

test('duplicates come in groups, with what each costs', () => {
  for (const name of ['c.raw', 'b.raw', 'a.raw']) fs.writeFileSync(path.join(root, name), 'photo');
  fs.linkSync(path.join(root, 'a.raw'), path.join(root, 'New York/link.raw'));
  bk(['-C', root, 'commit']);
  fs.rmSync(path.join(root, 'york (new).txt'));
  expect(run(['-C', root, 'find', 'duplicates:exact']).stdout).toBe(
    [
      '5 B, 4 files, 10 B could be saved',
      ...['New York/link.raw', 'a.raw', 'b.raw', 'c.raw'].map((at) => `  5 B  ${at}`),
      '',
      '3 B, 2 files, 0 B could be saved',
      '  3 B  New York/sea.jpg',
      '  3 B  york (new).txt  (not here)',
      '',
      '2 groups, 6 files, 26 B, 1 not here, 10 B could be saved\n',
    ].join('\n'),
  );
  const { files, groups } = JSON.parse(
    run(['-C', root, '--json', 'find', 'duplicates:exact', 'raw']).stdout,
  ) as Found & { readonly groups: readonly { readonly group: string }[] };
  expect(groups).toEqual([{ group: expect.stringMatching(/^[0-9a-f]{64}$/), files: 4, size: 5, saved: 10 }]);
  expect(files).toMatchObject(files.map(() => ({ blake3: groups[0]?.group, group: groups[0]?.group })));
});

test('what is gone is found with the commit that has it no more', () => {
  fs.rmSync(path.join(root, 'New York/kids.RAF'));
  const { commit } = bk(['-C', root, 'commit', '--confirm-deletions']);
  const { files } = bk(['-C', root, 'find', 'is:deleted']) as Found;
  expect(files).toMatchObject([{ path: 'New York/kids.RAF', present: false, deletedIn: commit }]);
  expect(found('--all-history', 'kids')).toEqual(['New York/kids.RAF']);
  expect(found('kids')).toEqual([]);
});

test('names of any bytes are found and told', () => {
  fs.writeFileSync(Buffer.from(`${root}/odd \xff.txt`, 'latin1'), 'odd');
  bk(['-C', root, 'commit']);
  expect(found('odd')).toEqual(['odd %FF.txt encoded']);
});

test('a mistake says where it is and what was probably meant', () => {
  const { message, hint, code } = errorOf(run(['-C', root, '--json', 'find', 'new', 'siez:>5MB']));
  expect(code).toBe('usage');
  expect(message).toBe('cannot understand siez:>5MB at character 5 of the query: there is no field siez');
  expect(hint).toContain('did you mean size:?');
  expect(run(['-C', root, 'find', 'siez:>5MB']).code).toBe(2);
  expect(run(['-C', root, 'find']).code).toBe(2);
});

test('two at once, and one killed on the way, hinder nobody', async () => {
  const tables = path.join(root, '.bk/search.sqlite');
  const first = spawn(BK, ['-C', root, 'find', '*'], { stdio: 'ignore' });
  const second = spawn(BK, ['-C', root, 'find', '*'], { stdio: 'ignore' });
  const codes = await Promise.all(
    [first, second].map((one) => new Promise((resolve) => one.once('exit', resolve))),
  );
  expect(codes).toEqual([0, 0]);
  fs.rmSync(tables);
  const killed = spawn(BK, ['-C', root, 'find', '*'], { stdio: 'ignore' });
  while (!fs.existsSync(tables) && killed.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 1));
  killed.kill('SIGKILL');
  expect(found('*')).toHaveLength(3);
});
