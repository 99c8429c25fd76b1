import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { doubleRounds, Stage } from '../support/rounds.ts';
import { SCENARIOS } from '../support/scenarios.ts';

/** K08: killed, and killed again while the next command cleans up: replaying is idempotent. BK_SWEEP=all: every scenario. */
const WANTED = ['commit after a move, edits and kept deletions', 'recover', 'restore'];
const swept = SCENARIOS.filter(({ name }) =>
  process.env['BK_SWEEP'] === 'all' ? name !== 'init' : WANTED.includes(name),
);

describe.each(swept)('killed twice: $name', (scenario) => {
  test('the third command is right', () => {
    const rounds = doubleRounds(new Stage(scenario));
    expect(rounds.flatMap((round) => round.found)).toEqual([]);
    expect(rounds.filter((round) => round.killedTwice).length).toBeGreaterThanOrEqual(4);
  });
});
