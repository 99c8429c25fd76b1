import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { CLONE, DROP, GET, REPAIR } from '../support/exchange-scenarios.ts';
import { stratified } from '../support/faults.ts';
import { MERGES } from '../support/merge-scenarios.ts';
import { needsVolumes, Template } from '../support/mounts.ts';
import { powerRound, Stage } from '../support/rounds.ts';
import { SCENARIOS } from '../support/scenarios.ts';

/**
 * L3 of RELIABILITY 4.2: the power goes before a mutating call, on ext4 without its help for programs that do not sync.
 * BK_POWER=n takes n calls of each scenario, BK_SWEEP=all every one.
 */
const POINTS = Number(process.env['BK_POWER'] ?? 1);
const ALL = [...SCENARIOS, ...MERGES, CLONE, DROP, GET, REPAIR];
const LOSSES = ['all unsynced', 'unsynced contents'] as const;

test('what nobody made durable is gone, what somebody did is there', (context) => {
  needsVolumes(context);
  const template = new Template((point) => fs.writeFileSync(path.join(point, 'old'), 'old'), 1, true);
  const seen = LOSSES.map((loss) => {
    const point = template.fresh();
    const at = (name: string) => path.join(point, name);
    for (const name of ['synced', 'careless']) {
      const fd = fs.openSync(at(`${name}.new`), 'w');
      fs.writeSync(fd, 'new');
      if (name === 'synced') fs.fsyncSync(fd);
      fs.closeSync(fd);
    }
    const folder = fs.openSync(point, 'r');
    fs.fsyncSync(folder);
    for (const name of ['synced', 'careless']) fs.renameSync(at(`${name}.new`), at(name));
    fs.closeSync(folder);
    template.losePower(loss);
    return fs.readdirSync(point).flatMap((name) => {
      if (name === 'lost+found') return [];
      return [`${name}: ${fs.readFileSync(at(name), 'utf8')}`];
    });
  });
  expect(seen).toEqual([
    ['careless.new: ', 'old: old', 'synced.new: new'],
    ['careless: ', 'old: old', 'synced: new'],
  ]);
});

describe.each(ALL)('power lost: $name', (scenario) => {
  test('after the restart the next command finishes or rolls back, nothing is lost', (context) => {
    needsVolumes(context);
    const stage = new Stage(scenario, true);
    // One more than there are calls: the command ended well, and what it said must hold.
    const points = [...stratified(stage.ops, POINTS), stage.ops.length + 1];
    const losses = process.env['BK_SWEEP'] === undefined ? undefined : LOSSES;
    const found = points.flatMap((n, i) =>
      (losses ?? [LOSSES[i % 2] ?? 'all unsynced']).flatMap((loss) => powerRound(stage, n, loss)),
    );
    expect(found).toEqual([]);
  });
});

test('what restore replaced, and no commit knows, is told after the power was lost', (context) => {
  needsVolumes(context);
  const restore = SCENARIOS.find(({ name }) => name === 'restore');
  if (restore === undefined) throw new Error('no such scenario');
  const stage = new Stage(restore, true);
  // The files are as they are to be, and the journal is about to go.
  const { n } = stage.ops.findLast(({ name, subject }) => name === 'rmSync' && /journal/.test(subject)) ?? {
    n: 0,
  };
  expect(n).toBeGreaterThan(0);
  stage.disturbed({ KILL_AT: String(n) });
  stage.losePower('unsynced contents');
  expect([...stage.losses(), ...stage.aftermath(2)]).toEqual([]);
});
