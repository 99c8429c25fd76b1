import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARRIVAL_UNKNOWN, type Departure, mayRelease, type ReleaseRules } from './release.ts';

const DAY = 86_400;
const NOW = 1_800_000_000;
const RULES: ReleaseRules = { deleted: { when: 'commit' }, replacedDays: 30, replacedFreePercent: 5 };
const MOMENT = { nowSec: NOW, freePercent: 50 };

const deleted = (changes: Partial<Departure> = {}): Departure => ({
  reason: 'deleted',
  confirmed: true,
  timeSec: NOW,
  commitsSince: 0,
  ...changes,
});
const replaced = (ageDays: number): Departure => ({
  reason: 'replaced',
  confirmed: false,
  timeSec: NOW - ageDays * DAY,
  commitsSince: 0,
});
/** Deleted elsewhere a year ago, and so many days ago here. */
const arrived = (days: number, changes: Partial<Departure> = {}): Departure =>
  deleted({ timeSec: NOW - 365 * DAY, arrivedSec: NOW - days * DAY, ...changes });
const when = (policy: ReleaseRules['deleted']): ReleaseRules => ({ ...RULES, deleted: policy });

describe('mayRelease', () => {
  it.each([
    ['in the confirming commit', deleted(), RULES, 50, true],
    ['3 commits: after 2', deleted({ commitsSince: 2 }), when({ when: 'commits', count: 3 }), 50, false],
    ['3 commits: after 3', deleted({ commitsSince: 3 }), when({ when: 'commits', count: 3 }), 50, true],
    [
      '7 days: just before',
      deleted({ timeSec: NOW - 7 * DAY + 1 }),
      when({ when: 'age', days: 7 }),
      50,
      false,
    ],
    ['7 days: then', deleted({ timeSec: NOW - 7 * DAY }), when({ when: 'age', days: 7 }), 50, true],
    [
      '7 days: dated in the future',
      deleted({ timeSec: NOW + DAY }),
      when({ when: 'age', days: 7 }),
      50,
      false,
    ],
    ['space: enough', deleted(), when({ when: 'space', percent: 10 }), 10, false],
    ['space: short', deleted(), when({ when: 'space', percent: 10 }), 9.9, true],
    ['space: not known', deleted(), when({ when: 'space', percent: 10 }), Number.NaN, false],
    ['replaced: 29 days', replaced(29.99), RULES, 50, false],
    ['replaced: 30 days', replaced(30), RULES, 50, true],
    ['replaced: in the future', replaced(-1), RULES, 50, false],
    ['replaced: little space', replaced(0), RULES, 4.9, true],
    ['replaced: at the limit', replaced(0), RULES, 5, false],
    ['replaced: space not known', replaced(0), RULES, Number.NaN, false],
    ['replaced is not ruled by the deletions', replaced(0), when({ when: 'space', percent: 100 }), 50, false],
    ['replaced elsewhere: by its arrival', { ...replaced(99), arrivedSec: NOW - 29 * DAY }, RULES, 50, false],
    ['replaced elsewhere: 30 days', { ...replaced(99), arrivedSec: NOW - 30 * DAY }, RULES, 50, true],
    ['arrived: 29 days', arrived(29.99), RULES, 50, false],
    ['arrived: 30 days', arrived(30), RULES, 50, true],
    ['arrived: little space', arrived(0), RULES, 4.9, true],
    ['arrived: space not known', arrived(0), RULES, Number.NaN, false],
    ['arrived nobody knows when', arrived(0, { arrivedSec: ARRIVAL_UNKNOWN }), RULES, 50, false],
    ['arrived from the future', arrived(-99), RULES, 50, false],
    [
      'arrived: held for longer by the rule of deletions',
      arrived(99),
      when({ when: 'age', days: 100 }),
      50,
      false,
    ],
    ['arrived: by both rules', arrived(100), when({ when: 'age', days: 100 }), 50, true],
    [
      'arrived: 3 commits are not 30 days',
      arrived(1, { commitsSince: 3 }),
      when({ when: 'commits', count: 3 }),
      50,
      false,
    ],
    [
      'arrived: not after 3 commits',
      arrived(31, { commitsSince: 2 }),
      when({ when: 'commits', count: 3 }),
      50,
      false,
    ],
    ['arrived, and confirmed by nobody', arrived(999, { confirmed: false }), RULES, 50, false],
    ['arrived, confirmed by nobody, little space', arrived(999, { confirmed: false }), RULES, 0, false],
  ])('%s', (_, departure, rules, freePercent, may) => {
    expect(mayRelease(departure, rules, { ...MOMENT, freePercent })).toBe(may);
  });

  it('never lets an unconfirmed deletion go', () => {
    const policy: fc.Arbitrary<ReleaseRules['deleted']> = fc.oneof(
      fc.constant({ when: 'commit' as const }),
      fc.record({ when: fc.constant('commits' as const), count: fc.nat(3) }),
      fc.record({ when: fc.constant('age' as const), days: fc.nat(3) }),
      fc.record({ when: fc.constant('space' as const), percent: fc.nat(100) }),
    );
    fc.assert(
      fc.property(
        policy,
        fc.nat(NOW),
        fc.nat(1_000),
        fc.integer({ min: 0, max: 100 }),
        fc.option(fc.nat(NOW), { nil: undefined }),
        (one, timeSec, since, free, arrivedSec) => {
          const departure = deleted({ confirmed: false, timeSec, commitsSince: since, arrivedSec });
          expect(mayRelease(departure, when(one), { nowSec: NOW, freePercent: free })).toBe(false);
        },
      ),
    );
  });
});
