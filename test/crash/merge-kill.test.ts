import { describe, expect, test } from 'vitest';
import { stratified, stratifiedFrom } from '../support/faults.ts';
import { MERGE, MERGES } from '../support/merge-scenarios.ts';
import { needsVolumes } from '../support/mounts.ts';
import { killRound, Stage } from '../support/rounds.ts';

/**
 * K03: merging is killed before a mutating call, in whichever repository; of most scenarios from the journal on, what
 * comes before is the same in all. BK_SWEEP=all takes every call.
 */
const POINTS = 6;
const OTHERS = 3;

describe.each(MERGES)('killed: $name', (scenario) => {
  test('the next command finishes or rolls back to the same head and tree, nothing is lost', (context) => {
    needsVolumes(context);
    const stage = new Stage(scenario);
    expect(stage.async, 'calls the shim cannot count').toEqual([]);
    const points =
      scenario === MERGE ? stratified(stage.ops, POINTS) : stratifiedFrom(stage.ops, /journal/, OTHERS);
    expect(stage.ops.length).toBeGreaterThan(50);
    expect(points.flatMap((n) => killRound(stage, n))).toEqual([]);
  });
});
