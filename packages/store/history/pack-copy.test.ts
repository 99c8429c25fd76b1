import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { GitId } from '@bk/core';
import { expect, test } from 'vitest';
import { type History, newHistory } from './history.fixture.ts';
import { copyPacks, wholePacks } from './pack-copy.ts';
import { HistoryReader } from './reader.ts';
import { missingObjects } from './transfer.ts';

function countOf(history: History, tip: GitId): number {
  const reader = new HistoryReader(history.dir);
  try {
    return missingObjects(reader, [tip], []).count;
  } finally {
    reader.close();
  }
}

/** The fixture's packs hold whatever a commit needs, so nothing is the same in two of them. */
function threeCommits(history: History): GitId {
  const one = history.commit({ a: 'A1', 'b/c': 'C1' }, { main: true });
  const two = history.commit({ a: 'A2', 'b/c': 'C2' }, { parents: [one], main: true });
  return history.commit({ a: 'A3', 'b/d': 'C3' }, { parents: [two], main: true });
}

test('several packs become one that git takes, with all objects in it, also after git made deltas', () => {
  for (const gc of [false, true]) {
    using history = newHistory();
    const tip = threeCommits(history);
    if (gc) history.git('repack', '-adf', '-q');
    const whole = wholePacks(history.dir, countOf(history, tip));
    expect(whole?.names).toHaveLength(gc ? 1 : 3);
    using other = newHistory();
    const pack = Buffer.concat([...copyPacks(whole!)]);
    const env = { PATH: process.env['PATH'] };
    const taken = spawnSync('git', ['--git-dir', other.dir, 'index-pack', '--stdin', '--strict'], {
      input: pack,
      env,
    });
    expect(taken.stderr.toString()).toBe('');
    const objects = (at: History) => at.git('cat-file', '--batch-all-objects', '--batch-check');
    expect(objects(other)).toBe(objects(history));
  }
});

test('packs with leftovers, with an object twice, or with loose objects beside them are not sent as they lie', () => {
  using history = newHistory();
  const tip = threeCommits(history);
  const count = countOf(history, tip);
  expect(wholePacks(history.dir, count)).toBeDefined();
  expect(wholePacks(history.dir, count - 1)).toBeUndefined();
  history.commit({ lonely: 'nobody refers to this' });
  expect(countOf(history, tip)).toBe(count);
  expect(wholePacks(history.dir, count)).toBeUndefined();

  using twice = newHistory();
  const again = twice.commit({ a: 'A', b: 'B' }, { parents: [twice.commit({ a: 'A' })] });
  expect(wholePacks(twice.dir, countOf(twice, again))).toBeUndefined();

  using loose = newHistory();
  const other = threeCommits(loose);
  const { names } = wholePacks(loose.dir, countOf(loose, other))!;
  const packs = path.join(loose.dir, 'objects/pack');
  const moved = path.join(loose.staging, 'moved.pack');
  fs.renameSync(path.join(packs, `${names[0]}.pack`), moved);
  fs.rmSync(path.join(packs, `${names[0]}.idx`));
  spawnSync('git', ['--git-dir', loose.dir, 'unpack-objects', '-q'], { input: fs.readFileSync(moved) });
  expect(wholePacks(loose.dir, countOf(loose, other))).toBeUndefined();
});

test('an index that is damaged or gone makes it no', () => {
  using history = newHistory();
  const tip = threeCommits(history);
  const count = countOf(history, tip);
  const { names, folder } = wholePacks(history.dir, count)!;
  const index = path.join(folder, `${names[1]}.idx`);
  fs.chmodSync(index, 0o644);
  fs.truncateSync(index, 100);
  expect(wholePacks(history.dir, count)).toBeUndefined();
});
