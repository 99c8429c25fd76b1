import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { CLONE, DROP, EXCHANGES, GET, REPAIR } from '../support/exchange-scenarios.ts';
import { stratified } from '../support/faults.ts';
import { needsVolumes } from '../support/mounts.ts';
import { killRound, Stage } from '../support/rounds.ts';

/**
 * L1 of RELIABILITY 4.2 for commands between repositories: killed before a mutating call, in whichever repository.
 * BK_SWEEP=all takes every call, and the scenarios that are left out here.
 */
const POINTS = 4;
const FULL = [CLONE, DROP, GET, REPAIR];

describe.each(EXCHANGES)('killed: $name', (scenario) => {
  test('the next command finishes or rolls back, nothing is lost in any repository', (context) => {
    needsVolumes(context);
    const isSwept = FULL.includes(scenario) || process.env['BK_SWEEP'] === 'all';
    context.skip(!isSwept, 'runs with BK_SWEEP=all');
    const stage = new Stage(scenario);
    expect(stage.async, 'calls the shim cannot count').toEqual([]);
    const points = stratified(stage.ops, POINTS);
    expect(stage.ops.length).toBeGreaterThan(5);
    expect(points.flatMap((n) => killRound(stage, n))).toEqual([]);
  });
});
