import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { SHIM, stratified } from '../support/faults.ts';
import { Template } from '../support/mounts.ts';
import { look } from '../support/snapshot.ts';
import { fastFolder } from '../support/temporary.ts';

/** The instrument itself: each fault does what it says, at the call it names, and leaves the others alone. */
const PROGRAM = `
  import fs from 'node:fs';
  fs.mkdirSync('d');
  const fd = fs.openSync('d/a', 'w');
  let n = fs.writeSync(fd, Buffer.from('0123456789'));
  fs.fsyncSync(fd);
  fs.closeSync(fd);
  fs.linkSync('d/a', 'd/b');
  fs.renameSync('d/b', 'd/c');
  console.log(n, fs.readdirSync('d').join());
`;

function play(fault: Record<string, string>) {
  const dir = fastFolder('shim-');
  const env = {
    PATH: process.env['PATH'] ?? '',
    NODE_OPTIONS: `--require "${SHIM}"`,
    SHIM_LOG: `${dir}.log`,
    ...fault,
  };
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    cwd: dir,
    env,
    encoding: 'utf8',
  });
  const log = fs.readFileSync(`${dir}.log`, 'utf8').trim().split('\n');
  fs.rmSync(`${dir}.log`);
  const left = fs.existsSync(path.join(dir, 'd')) ? fs.readdirSync(path.join(dir, 'd')).sort() : null;
  return { ...done, log, left };
}

describe('the fault shim', () => {
  test('counts every mutating call, in order', () => {
    const { stdout, log } = play({});
    expect(stdout).toBe('10 a,c\n');
    expect(log.map((line) => line.split(' ')[1])).toEqual([
      'mkdirSync',
      'openSync',
      'writeSync',
      'fsyncSync',
      'linkSync',
      'renameSync',
    ]);
  });
  test.each([
    [1, null],
    [2, []],
    [3, ['a']],
    [6, ['a', 'b']],
  ])('kills just before call %i', (n, left) => {
    const done = play({ KILL_AT: String(n) });
    expect(done.signal).toBe('SIGKILL');
    expect(done.left).toEqual(left);
  });
  test('fails one call, or all from there on', () => {
    expect(play({ FAIL_AT: '5:EMLINK' }).stderr).toContain('EMLINK: injected, link');
    expect(play({ FAIL_AT: '3:ENOSPC:persistent' }).stderr).toContain('ENOSPC: injected, write');
    expect(play({ FAIL_AT: '6:ENOSPC:persistent' }).stdout).toBe('10 a,c\n');
  });
  test('a short write writes half and says so', () => {
    expect(play({ FAIL_AT: '3:short' }).stdout).toBe('5 a,c\n');
  });
  test('fails a read', () => {
    expect(play({ FAIL_READ_AT: '1:EIO' }).stderr).toContain('EIO: injected, readdir');
  });
});

test('a template brings a folder back exactly, with inodes', () => {
  const template = new Template((dir) => fs.writeFileSync(path.join(dir, 'x'), 'one'));
  const first = look(path.join(template.fresh(), 'x'));
  fs.writeFileSync(path.join(template.fresh(), 'x'), 'two');
  const again = look(path.join(template.fresh(), 'x'));
  expect(again.blake3).toBe(first.blake3);
  expect(again.size).toBe(3);
});

test('a stratified choice has the first and last of every kind and the wanted number', () => {
  const ops = Array.from({ length: 500 }, (_, i) => ({
    n: i + 1,
    name: i % 7 === 0 ? 'linkSync' : 'writeSync',
    subject: '"9"',
  }));
  const chosen = stratified(ops, 60);
  expect(chosen.length).toBe(60);
  expect(chosen).toEqual(expect.arrayContaining([1, 2, 498, 500]));
});
