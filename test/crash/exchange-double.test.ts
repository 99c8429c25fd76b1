import { describe, expect, test } from 'vitest';
import { CLONE, DROP } from '../support/exchange-scenarios.ts';
import { needsVolumes } from '../support/mounts.ts';
import { doubleRounds, Stage } from '../support/rounds.ts';

/** K08 for commands between repositories: killed, and killed again while the next command goes on. */
describe.each([CLONE, DROP])('killed twice: $name', (scenario) => {
  test('the third command is right', (context) => {
    needsVolumes(context);
    const rounds = doubleRounds(new Stage(scenario));
    expect(rounds.flatMap((round) => round.found)).toEqual([]);
    expect(rounds.filter((round) => round.killedTwice).length).toBeGreaterThanOrEqual(4);
  });
});
