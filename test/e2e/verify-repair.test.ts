import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { bk, repository, run } from '../support/bk.ts';
import { fastFolder } from '../support/temporary.ts';

/** Other bytes under the same times: what a failing disk does. */
function rot(file: string): string {
  const before = fs.readFileSync(file, 'latin1');
  const { mtimeNs } = fs.lstatSync(file, { bigint: true });
  const fd = fs.openSync(file, 'r+');
  fs.writeSync(fd, Buffer.from([before.charCodeAt(0) ^ 0xff]), 0, 1, 0);
  fs.closeSync(fd);
  const time = `@${mtimeNs / 1_000_000_000n}.${String(mtimeNs % 1_000_000_000n).padStart(9, '0')}`;
  execFileSync('touch', ['-d', time, file]);
  return before;
}

function twoCopies(): { here: string; there: string } {
  const base = fastFolder('bk-repair-');
  const here = path.join(base, 'here');
  const there = path.join(base, 'there');
  smallTree(here);
  repository(here);
  bk(['-C', here, 'clone', here, there]);
  return { here, there };
}

test('verify finds rot, repair heals it from the other repository and keeps the bad one', () => {
  const { here } = twoCopies();
  const file = path.join(here, 'notes/todo.txt');
  const good = rot(file);
  const bad = fs.readFileSync(file, 'latin1');
  const { mtimeNs, mode } = fs.lstatSync(file, { bigint: true });
  const verified = run(['-C', here, '--json', 'verify']);
  expect(verified.code).toBe(1);
  expect(JSON.parse(verified.stdout).rot).toMatchObject([{ path: 'notes/todo.txt' }]);
  const dry = run(['-C', here, '--json', 'repair', '--dry-run']);
  expect([dry.code, fs.readFileSync(file, 'latin1')]).toEqual([1, bad]);
  const [healed] = bk(['-C', here, 'repair', 'notes'])['repaired'] as { path: string; aside: string }[];
  expect(healed?.path).toBe('notes/todo.txt');
  expect(fs.readFileSync(file, 'latin1')).toBe(good);
  expect(fs.lstatSync(file, { bigint: true })).toMatchObject({ mtimeNs, mode });
  const { aside = '' } = healed ?? {};
  const folder = path.join(here, '.bk/safety', aside.slice(0, 2));
  const [kept = ''] = fs.readdirSync(folder).filter((name) => name.startsWith(aside.slice(2)));
  expect(fs.readFileSync(path.join(folder, kept), 'latin1')).toBe(bad);
  expect(bk(['-C', here, 'verify'])['rot']).toEqual([]);
  expect(bk(['-C', here, 'status']).changes).toEqual([]);
  expect(bk(['-C', here, 'check'])['problems']).toEqual([]);
});

test('rot in both repositories is reported and nothing is replaced', () => {
  const { here, there } = twoCopies();
  rot(path.join(here, 'notes/todo.txt'));
  rot(path.join(there, 'notes/todo.txt'));
  const bad = fs.readFileSync(path.join(here, 'notes/todo.txt'));
  const done = run(['-C', here, '--json', 'repair']);
  expect(done.code).toBe(1);
  expect(JSON.parse(done.stdout).failed).toMatchObject([
    { path: 'notes/todo.txt', reason: 'there: its file is not that content any more' },
  ]);
  expect(fs.readFileSync(path.join(here, 'notes/todo.txt'))).toEqual(bad);
});

test('an edit is no rot', () => {
  const { here } = twoCopies();
  const file = path.join(here, 'notes/todo.txt');
  fs.writeFileSync(file, fs.readFileSync(file, 'latin1').toUpperCase(), 'latin1');
  const edited = fs.readFileSync(file);
  const verified = bk(['-C', here, 'verify']);
  expect(verified['rot']).toEqual([]);
  expect(verified['changed']).toMatchObject([{ path: 'notes/todo.txt' }]);
  expect(bk(['-C', here, 'repair'])['repaired']).toEqual([]);
  expect(fs.readFileSync(file)).toEqual(edited);
});
