import { describe, test } from 'vitest';
import { FORGED_TREES } from './forged-trees.ts';
import { expectRefused } from './hostile-history.ts';

describe('a forged history', () => {
  test.each(FORGED_TREES)(
    '%s: %s is refused, and nothing of it stays',
    async (_mirrors, _what, make, told) => {
      await expectRefused(make, told);
    },
  );
});
