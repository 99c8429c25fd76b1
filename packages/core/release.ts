/** When the safety net may let contents go (SPEC 4, rule 12); times in s since 1970. */
export interface ReleaseRules {
  readonly deleted:
    | { readonly when: 'commit' }
    | { readonly when: 'commits'; readonly count: number }
    | { readonly when: 'age'; readonly days: number }
    | { readonly when: 'space'; readonly percent: number };
  readonly replacedDays: number;
  readonly replacedFreePercent: number;
}

export interface Departure {
  readonly reason: 'deleted' | 'replaced';
  readonly confirmed: boolean;
  readonly timeSec: number;
  /** Commits made since it left, that one not counted. */
  readonly commitsSince: number;
}

export interface ReleaseMoment {
  readonly nowSec: number;
  /** Of the volume, 0 to 100. */
  readonly freePercent: number;
}

const DAY = 86_400;

/** Whether policy lets a departed content go now. An unconfirmed deletion is never let go. */
export function mayRelease(departure: Departure, rules: ReleaseRules, moment: ReleaseMoment): boolean {
  const ageDays = (moment.nowSec - departure.timeSec) / DAY;
  if (departure.reason === 'replaced') {
    return ageDays >= rules.replacedDays || moment.freePercent < rules.replacedFreePercent;
  }
  if (!departure.confirmed) return false;
  switch (rules.deleted.when) {
    case 'commit':
      return true;
    case 'commits':
      return departure.commitsSince >= rules.deleted.count;
    case 'age':
      return ageDays >= rules.deleted.days;
    case 'space':
      return moment.freePercent < rules.deleted.percent;
  }
}
