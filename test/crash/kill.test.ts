import { describe, expect, test } from 'vitest';
import { stratified } from '../support/faults.ts';
import { killRound, Stage } from '../support/rounds.ts';
import { SCENARIOS } from '../support/scenarios.ts';

/** L1 of RELIABILITY 4.2: killed before a mutating call, for calls of every kind (BK_SWEEP=all: before each). */
const POINTS = 4;

describe.each(SCENARIOS)('killed: $name', (scenario) => {
  test('the next command finishes or rolls back, nothing is lost', () => {
    const stage = new Stage(scenario);
    expect(stage.async, 'calls the shim cannot count').toEqual([]);
    const points = stratified(stage.ops, POINTS);
    expect(points.length).toBe(Math.min(POINTS, stage.ops.length));
    expect(points.flatMap((n) => killRound(stage, n))).toEqual([]);
  });
});
