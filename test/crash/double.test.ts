import { describe, expect, test } from 'vitest';
import { stratified } from '../support/faults.ts';
import { doubleRound, Stage } from '../support/rounds.ts';
import { SCENARIOS } from '../support/scenarios.ts';

/** K08: killed, and killed again while the next command cleans up: replaying is idempotent. */
const FIRST = 5;
const SECOND = [1, 2, 4, 7];

describe.each(SCENARIOS.filter((scenario) => scenario.name !== 'init'))('killed twice: $name', (scenario) => {
  test('the third command is right', () => {
    const stage = new Stage(scenario);
    const rounds = stratified(stage.ops, 60)
      .filter((_, i, all) => i % Math.ceil(all.length / FIRST) === 1)
      .flatMap((n) => SECOND.map((m) => doubleRound(stage, n, m)));
    expect(rounds.flatMap((round) => round.found)).toEqual([]);
    expect(rounds.filter((round) => round.killedTwice).length).toBeGreaterThanOrEqual(6);
  });
});
