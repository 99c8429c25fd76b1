import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { bk, errorOf, repository, run } from '../support/bk.ts';
import { opsOf, runWithFault, stratified } from '../support/faults.ts';
import { mounted, needsFileSystem } from '../support/mounts.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';

type Result = {
  recovered: { path: string; from: string }[];
  failed: { path: string; reason: string; where?: string[] }[];
};
const asked = (args: readonly string[], expected = [0]) =>
  bk(args, { expect: expected }) as unknown as Result;

/** A small tree, and a clone of it with the name of its folder: `disk2`. */
function cloned(here = path.join(temporaryFolder('bk-recover-'), 'here')): { here: string; there: string } {
  const there = path.join(fastFolder('bk-recover-there-'), 'disk2');
  smallTree(here);
  repository(here);
  bk(['clone', here, there], { expect: [0] });
  return { here, there };
}

/** The net lets go: these are nowhere here any more. */
function lose(here: string, ...files: string[]): void {
  for (const file of files) fs.rmSync(path.join(here, file), { recursive: true });
  bk(['-C', here, 'commit', '-m', 'gone', '--confirm-deletions', '--allow-mass-delete'], { expect: [0] });
}

test('a confirmed deletion comes back from the clone, exactly', () => {
  const { here, there } = cloned();
  const before = snapshot(here);
  const head = bk(['-C', here, 'show', 'HEAD:photos/2019/img_0.jpg'])['record'];
  lose(here, 'photos', 'top.bin');
  const list = bk(['-C', here, 'recover', '--list']).recoverable as unknown as Result['recovered'];
  expect(list.filter((one) => one.from === 'disk2').length).toBe(7);
  expect(run(['-C', here, 'recover', '--list']).stdout).toContain('from disk2');
  const result = asked(['-C', here, 'recover', 'photos', 'top.bin']);
  expect(result.recovered.map((one) => one.from)).toEqual(Array(7).fill('disk2'));
  expect(differences(before, snapshot(here), { inode: false })).toEqual([]);
  bk(['-C', here, 'commit', '-m', 'back'], { expect: [0] });
  expect(bk(['-C', here, 'show', 'HEAD:photos/2019/img_0.jpg'])['record']).toEqual(head);
  expect(bk(['-C', here, 'check'], { expect: [0] })['problems']).toEqual([]);
  expect(asked(['-C', here, 'recover', 'photos', 'top.bin'])).toEqual({ recovered: [], failed: [] });
  expect(bk(['-C', there, 'status'], { expect: [0] }).changes).toEqual([]);
});

test('a clone that is not plugged in is named', () => {
  const { here, there } = cloned();
  lose(here, 'top.bin');
  fs.renameSync(there, `${there}-away`);
  const reason = 'it is on disk2, which cannot be reached now';
  const failed = [{ path: 'top.bin', reason, where: ['disk2'] }];
  expect(asked(['-C', here, 'recover', 'top.bin'], [1])).toEqual({ recovered: [], failed });
  expect(asked(['-C', here, 'recover', 'top.bin', '--dry-run'], [1])).toEqual({ recovered: [], failed });
  expect(bk(['-C', here, 'recover', '--list'])).toMatchObject({
    recoverable: [],
    unreachable: [{ path: 'top.bin', size: 5000, reason, where: ['disk2'] }],
  });
  expect(run(['-C', here, 'recover', '--list']).stdout).toBe(
    `nothing to bring back now\n1 more version: ${reason}\n`,
  );
  expect(run(['-C', here, 'recover', 'top.bin']).stdout).toContain(reason);
  fs.renameSync(`${there}-away`, there);
  expect(asked(['-C', here, 'recover', 'top.bin']).recovered).toEqual([{ path: 'top.bin', from: 'disk2' }]);
});

test('an earlier version comes from the clone, by restore and by recover', () => {
  const { here } = cloned();
  const file = path.join(here, 'notes/todo.txt');
  fs.writeFileSync(file, 'written over in place\n');
  bk(['-C', here, 'commit', '-m', 'later'], { expect: [0] });
  const beside = asked(['-C', here, 'recover', 'notes/todo.txt', '--at', 'HEAD~1']);
  expect(beside.recovered[0]).toMatchObject({ from: 'disk2' });
  const name = beside.recovered[0]?.path ?? '';
  expect(fs.readFileSync(path.join(here, name), 'utf8')).toBe('buy milk 1\n');
  fs.rmSync(path.join(here, name));
  expect(asked(['-C', here, 'restore', 'notes/todo.txt', '--at', 'HEAD~1']).recovered[0]).toMatchObject({
    path: 'notes/todo.txt',
    from: 'disk2',
  });
  expect(fs.readFileSync(file, 'utf8')).toBe('buy milk 1\n');
  expect(asked(['-C', here, 'restore', 'notes/todo.txt']).recovered[0]?.from).toBe('safety');
  expect(fs.readFileSync(file, 'utf8')).toBe('written over in place\n');
});

test('killed anywhere, the same command brings the rest', () => {
  const base = temporaryFolder('bk-recover-killed-');
  const { here } = cloned(path.join(base, 'here'));
  const before = snapshot(here);
  lose(here, 'photos', 'music', 'top.bin');
  const copy = path.join(base, 'kept');
  execFileSync('cp', ['-a', here, copy]);
  // The folders of `.bk` stay what they are: else it would be another's copy.
  const again = (): void => {
    const dot = path.join(here, '.bk');
    for (const [folder, kept] of [
      [here, '.bk'],
      [dot, ''],
    ] as const)
      for (const name of fs.readdirSync(folder))
        if (name !== kept) fs.rmSync(path.join(folder, name), { recursive: true });
    execFileSync('cp', ['-aT', copy, here]);
  };
  const command = ['-C', here, 'recover', '--all'];
  const { ops, outcome } = opsOf(command);
  expect(outcome.code).toBe(0);
  for (const n of stratified(ops, 20)) {
    again();
    runWithFault(command, { KILL_AT: String(n) });
    const said = `killed at ${n}`;
    expect(asked(command).failed, said).toEqual([]);
    expect(differences(before, snapshot(here), { inode: false }), said).toEqual([]);
    expect(fs.readdirSync(path.join(here, '.bk/staging')), said).toEqual([]);
    expect(bk(['-C', here, 'check'], { expect: [0] })['problems'], said).toEqual([]);
  }
});

test('a disk without room: nothing is begun, and it says what to do', (context) => {
  needsFileSystem(context, 'tmpfs');
  const point = mounted('tmpfs');
  const { here } = cloned(path.join(point, 'here'));
  const large = path.join(here, 'large');
  fs.writeFileSync(large, Buffer.alloc(9 << 20, 'large '));
  bk(['-C', here, 'commit', '-m', 'large'], { expect: [0] });
  bk(['-C', here, 'push', 'disk2'], { expect: [0] });
  lose(here, 'large');
  fs.writeFileSync(path.join(point, 'ballast'), Buffer.alloc(10 << 20, 'x'));
  const full = run(['-C', here, '--json', 'recover', 'large']);
  expect(full.code).toBe(4);
  expect(errorOf(full)).toMatchObject({ code: 'no-space' });
  expect(fs.existsSync(large)).toBe(false);
  fs.rmSync(path.join(point, 'ballast'));
  expect(asked(['-C', here, 'recover', 'large']).recovered).toEqual([{ path: 'large', from: 'disk2' }]);
  expect(fs.statSync(large).size).toBe(9 << 20);
});
