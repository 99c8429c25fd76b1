import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { MERGE, MERGE_FOLDERS } from '../support/merge-scenarios.ts';
import { needsVolumes } from '../support/mounts.ts';
import { doubleRounds, Stage } from '../support/rounds.ts';

/** K08 for merging: killed, and killed again while the next command goes on. BK_SWEEP=all takes many more. */
describe.each(process.env['BK_SWEEP'] === 'all' ? [MERGE, MERGE_FOLDERS] : [MERGE])(
  'killed twice: $name',
  (scenario) => {
    test('the third command is right', (context) => {
      needsVolumes(context);
      const rounds = doubleRounds(new Stage(scenario));
      expect(rounds.flatMap((round) => round.found)).toEqual([]);
      expect(rounds.filter((round) => round.killedTwice).length).toBeGreaterThanOrEqual(4);
    });
  },
);
