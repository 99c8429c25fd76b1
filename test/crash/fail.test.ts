import { describe, expect, test } from 'vitest';
import { stratified } from '../support/faults.ts';
import { failRound, Stage } from '../support/rounds.ts';
import { SCENARIOS } from '../support/scenarios.ts';

/** L1 errors: one mutating call fails (or, for `persistent`, every call from there on). */
const CODES = [
  'ENOSPC',
  'EIO',
  'EACCES',
  'EMLINK',
  'EXDEV',
  'ESTALE',
  'short',
  'ENOSPC:persistent',
  'EIO:persistent',
];
const POINTS = 16;

describe.each(SCENARIOS)('failing: $name', (scenario) => {
  test('an error is got round or explained, nothing is lost, the next run is right', () => {
    const stage = new Stage(scenario);
    const rounds = stratified(stage.ops, POINTS).map((n, i) => [n, CODES[i % CODES.length] ?? ''] as const);
    expect(rounds.flatMap(([n, code]) => failRound(stage, n, code))).toEqual([]);
  });
});
