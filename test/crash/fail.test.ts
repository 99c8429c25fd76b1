import { describe, expect, test } from 'vitest';
import { failRounds, Stage } from '../support/rounds.ts';
import { SCENARIOS } from '../support/scenarios.ts';

/** L1 errors: one mutating call fails (or, for `persistent`, every call from there on). */
const POINTS = 3;

describe.each(SCENARIOS)('failing: $name', (scenario) => {
  test('an error is got round or explained, nothing is lost, the next run is right', () => {
    expect(failRounds(new Stage(scenario), POINTS)).toEqual([]);
  });
});
