import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { run } from '../support/bk.ts';
import { CLONE } from '../support/exchange-scenarios.ts';
import { KILLED } from '../support/faults.ts';
import { needsVolumes } from '../support/mounts.ts';
import { needsStrace } from '../support/programs.ts';
import { named, Stage } from '../support/rounds.ts';
import { SCENARIOS } from '../support/scenarios.ts';
import { fastFolder } from '../support/temporary.ts';

/**
 * L2: the kernel's view. Kills before a system call, SQLite's included, which the shim cannot see. `when=` counts for
 * each thread and call, so the pool has one thread; --seccomp-bpf is not used (with it strace injects no signals).
 */
const CALLS = [
  'openat',
  'write',
  'pwrite64',
  'rename',
  'renameat',
  'renameat2',
  'link',
  'linkat',
  'unlink',
  'unlinkat',
  'mkdir',
  'mkdirat',
  'rmdir',
  'symlink',
  'ftruncate',
  'fsync',
  'fdatasync',
  'utimensat',
  'copy_file_range',
  'ioctl',
  'fcntl',
].join(',');
const POINTS = 6;

interface Call {
  readonly name: string;
  /** The how many-eth call of this name on its thread. */
  readonly when: number;
}

function straced(stage: Stage, inject: readonly string[], log: string) {
  const through = ['strace', '-f', '-y', '-qq', '-o', log, `-etrace=${CALLS}`, ...inject];
  return run(stage.arguments, { through, env: { UV_THREADPOOL_SIZE: '1' } });
}

/** The calls of an undisturbed run that touch the repository. */
function callsOf(stage: Stage): Call[] {
  const log = path.join(fastFolder('bk-strace-'), 'log');
  stage.reset();
  expect(straced(stage, [], log).code).toBe(0);
  const counts = new Map<string, number>();
  const calls: Call[] = [];
  for (const line of fs.readFileSync(log, 'utf8').split('\n')) {
    const [, thread = '', name = ''] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (name === '') continue;
    const when = (counts.get(`${thread} ${name}`) ?? 0) + 1;
    counts.set(`${thread} ${name}`, when);
    if (stage.roots.some((root) => line.includes(root))) calls.push({ name, when });
  }
  return calls;
}

function spread(calls: readonly Call[], points: number): Call[] {
  const kinds = new Map(calls.map((call) => [call.name, call] as const));
  const chosen = new Set(kinds.values());
  for (let i = 0; chosen.size < Math.min(points, calls.length); i++) {
    const call = calls[Math.floor(((i * 7919) % calls.length) + 0)];
    if (call !== undefined) chosen.add(call);
  }
  return [...chosen];
}

const WANTED = ['commit after a move, edits and kept deletions'];

describe.each([...SCENARIOS.filter((scenario) => WANTED.includes(scenario.name)), CLONE])(
  'killed by the kernel: $name',
  (scenario) => {
    test('before a system call', (context) => {
      needsStrace(context);
      const isSwept = scenario !== CLONE || process.env['BK_SWEEP'] === 'all';
      context.skip(!isSwept, 'runs with BK_SWEEP=all');
      if (scenario.volumes !== undefined) needsVolumes(context);
      const stage = new Stage(scenario);
      const calls = callsOf(stage);
      expect(calls.some((call) => call.name === 'pwrite64')).toBe(true);
      let kills = 0;
      const found = spread(calls, POINTS).flatMap(({ name, when }, i) => {
        stage.reset();
        const done = straced(stage, [`-einject=${name}:signal=SIGKILL:when=${when}`], '/dev/null');
        if (done.code === KILLED) kills += 1;
        else if (done.code !== 0) return [`exit ${done.code} at ${name} ${when}`];
        return named(stage, 0, [...stage.losses(), ...stage.aftermath(i % 3)], `${name} ${when}`);
      });
      expect(found).toEqual([]);
      expect(kills).toBeGreaterThanOrEqual(POINTS - 4);
    });
  },
);

test('the shim sees what the kernel sees, but for SQLite', (context) => {
  needsStrace(context);
  const scenario = SCENARIOS.find((one) => one.name === 'recover');
  if (scenario === undefined) throw new Error('no scenario');
  const stage = new Stage(scenario);
  const log = path.join(fastFolder('bk-strace-'), 'log');
  stage.reset();
  straced(stage, [], log);
  const seen = spawnSync('grep', ['-vE', 'sqlite|ENOENT', log], { encoding: 'utf8' }).stdout.split('\n');
  for (const [call, kind] of [
    ['link', 'linkSync'],
    ['rename', 'renameSync'],
    ['mkdir', 'mkdirSync'],
  ] as const) {
    const inKernel = seen.filter(
      (line) => new RegExp(` ${call}(at|at2)?\\(.* = 0$`).test(line) && line.includes(stage.root),
    );
    const inShim = stage.ops.filter((op) => op.name === kind);
    expect({ call, count: inKernel.length <= inShim.length }).toEqual({ call, count: true });
  }
});
