import { describe, expect, test } from 'vitest';
import { stratified, stratifiedFrom } from '../support/faults.ts';
import { MERGE, MERGES } from '../support/merge-scenarios.ts';
import { needsVolumes } from '../support/mounts.ts';
import { failRound, failRounds, Stage } from '../support/rounds.ts';

/** L1 errors for merging: one mutating call fails, in whichever repository. BK_SWEEP=all takes every call. */
const POINTS = 6;
const OTHERS = 2;

describe.each(MERGES)('failing: $name', (scenario) => {
  test('an error is got round or explained, nothing is lost, the next run is right', (context) => {
    needsVolumes(context);
    const stage = new Stage(scenario);
    const points =
      scenario === MERGE ? stratified(stage.ops, POINTS) : stratifiedFrom(stage.ops, /journal/, OTHERS);
    expect(failRounds(stage, points)).toEqual([]);
  });
});

test('what is refused once, and then not, ends as if it never had been', (context) => {
  needsVolumes(context);
  const stage = new Stage(MERGE);
  const aside = stage.ops.filter(
    ({ name, subject }) => name === 'renameSync' && /-> .*\/\.bk\/staging\/tx-/.test(subject),
  );
  expect(aside.length).toBeGreaterThan(5);
  const points = aside.filter((_, i) => i % 3 === 1).slice(0, 4);
  expect(points.flatMap(({ n }) => failRound(stage, n, 'EACCES'))).toEqual([]);
});
