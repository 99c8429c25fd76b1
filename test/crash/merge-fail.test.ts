import { describe, expect, test } from 'vitest';
import { stratified, stratifiedFrom } from '../support/faults.ts';
import { MERGE, MERGES } from '../support/merge-scenarios.ts';
import { needsVolumes } from '../support/mounts.ts';
import { failRounds, Stage } from '../support/rounds.ts';

/** L1 errors for merging: one mutating call fails, in whichever repository. BK_SWEEP=all takes every call. */
const POINTS = 9;
const OTHERS = 3;

describe.each(MERGES)('failing: $name', (scenario) => {
  test('an error is got round or explained, nothing is lost, the next run is right', (context) => {
    needsVolumes(context);
    const stage = new Stage(scenario);
    const points =
      scenario === MERGE ? stratified(stage.ops, POINTS) : stratifiedFrom(stage.ops, /journal/, OTHERS);
    expect(failRounds(stage, points)).toEqual([]);
  });
});
