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
  /** When it came here, if it was not made here; `ARRIVAL_UNKNOWN`: it counts from now on. */
  readonly arrivedSec?: number | undefined;
  /** Commits made since it left, that one not counted. */
  readonly commitsSince: number;
}

export interface ReleaseMoment {
  readonly nowSec: number;
  /** Of the volume, 0 to 100. */
  readonly freePercent: number;
}

const DAY = 86_400;
/** It came from elsewhere, but nothing says any more when. */
export const ARRIVAL_UNKNOWN = 0;

/**
 * Whether policy lets a departed content go now. An unconfirmed deletion is never let go, wherever it was made. One that
 * was confirmed elsewhere is held as long as a replaced version, counted from when it came here: a mistake there must
 * not empty the net here.
 */
export function mayRelease(departure: Departure, rules: ReleaseRules, moment: ReleaseMoment): boolean {
  const ageDays = (moment.nowSec - sinceSec(departure, moment)) / DAY;
  const wasHeld = ageDays >= rules.replacedDays || moment.freePercent < rules.replacedFreePercent;
  if (departure.reason === 'replaced') return wasHeld;
  if (!departure.confirmed) return false;
  if (departure.arrivedSec !== undefined && !wasHeld) return false;
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

function sinceSec({ timeSec, arrivedSec = timeSec }: Departure, { nowSec }: ReleaseMoment): number {
  return arrivedSec === ARRIVAL_UNKNOWN ? nowSec : arrivedSec;
}
