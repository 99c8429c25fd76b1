import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { CLONE, DROP, EXCHANGES } from '../support/exchange-scenarios.ts';
import { needsVolumes } from '../support/mounts.ts';
import { failRounds, Stage } from '../support/rounds.ts';

/** L1 errors for commands between repositories: one mutating call fails, in whichever. BK_SWEEP=all takes every call. */
const POINTS = 4;
const FULL = [CLONE, DROP];

describe.each(EXCHANGES)('failing: $name', (scenario) => {
  test('an error is got round or explained, nothing is lost, the next run is right', (context) => {
    needsVolumes(context);
    const isSwept = FULL.includes(scenario) || process.env['BK_SWEEP'] === 'all';
    context.skip(!isSwept, 'runs with BK_SWEEP=all');
    expect(failRounds(new Stage(scenario), POINTS)).toEqual([]);
  });
});
