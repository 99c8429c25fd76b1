import { BkError } from './error.ts';

/** Where a revision starts from. A name may be a remote's or the beginning of a commit id: only the repository can tell. */
export type RevBase =
  | { readonly kind: 'head' }
  | { readonly kind: 'name'; readonly name: string; readonly prefix?: string }
  /** The last commit of HEAD's first-parent line made at this time (ms since 1970) or before. */
  | { readonly kind: 'date'; readonly ms: number };

export type RevStep =
  /** `~N`: N times the first parent. */
  | { readonly kind: 'ancestor'; readonly generations: number }
  /** `^N`: the Nth parent; 0 is the commit itself. */
  | { readonly kind: 'parent'; readonly number: number };

/** A parsed REV (SPEC 3). */
export interface RevExpression {
  /** As the person wrote it. */
  readonly text: string;
  readonly base: RevBase;
  readonly steps: readonly RevStep[];
}

/** The moment it is and the person's offset east of UTC, for dates without one. */
export interface Now {
  readonly ms: number;
  readonly offsetMinutes: number;
}

const MINUTE = 60_000;
const DAY = 86_400_000;
const DATE = '\\d{4}-\\d{2}-\\d{2}';
const TIME = '[Tt ]\\d{2}:\\d{2}(?::\\d{2}(?:\\.\\d{1,9})?)?(?:[Zz]|[+-]\\d{2}:?\\d{2})?';
const WITH_TIME = new RegExp(`^${DATE}${TIME}`);
const STEPS = /(?:[~^]\d*)+$/;

/**
 * Parses `HEAD`, a commit id (4 digits or more), a remote's name or a date, followed by any of `~N` and `^N`.
 * A day means its end: the last commit of that day or before. @throws BkError 'usage'
 */
export function parseRev(text: string, now: Now): RevExpression {
  const steps = STEPS.exec(text)?.[0] ?? '';
  const base = text.slice(0, text.length - steps.length);
  return { text, base: parseBase(base, text, now), steps: parseSteps(steps, text) };
}

function parseBase(base: string, text: string, now: Now): RevBase {
  if (base === 'HEAD' || base === '@') return { kind: 'head' };
  const ms = parseDate(base, now);
  if (ms !== undefined) return { kind: 'date', ms };
  if (/^[0-9a-fA-F]{4,40}$/.test(base)) return { kind: 'name', name: base, prefix: base.toLowerCase() };
  if (base === '' || /[\u0000-\u0020\u007f~^:?*[\\]/.test(base) || base.startsWith('-')) throw revError(text);
  return { kind: 'name', name: base };
}

function parseSteps(steps: string, text: string): RevStep[] {
  return (steps.match(/[~^]\d*/g) ?? []).map((step) => {
    const number = step.length === 1 ? 1 : Number(step.slice(1));
    if (number > 1_000_000_000) throw revError(text);
    return step[0] === '~' ? { kind: 'ancestor', generations: number } : { kind: 'parent', number };
  });
}

function revError(text: string): BkError {
  return new BkError('usage', `not a revision: ${JSON.stringify(text)}`, {
    hint: "HEAD, a commit id of 4 digits or more, a remote's name, REV~N, REV^N, or a date (2026-10-01, yesterday, '3 days ago')",
  });
}

/** Parts `REV:PATH` at the first colon that is not part of a time of day; `path` is absent without one. */
export function splitRevPath(text: string): { readonly rev: string; readonly path?: string } {
  const date = WITH_TIME.exec(text)?.[0].length ?? 0;
  const colon = text.indexOf(':', date);
  if (colon < 0) return { rev: text };
  if (colon === 0)
    throw new BkError('usage', `no revision before the colon: ${JSON.stringify(text)}`, {
      hint: 'HEAD:PATH',
    });
  return { rev: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** Last ms that counts as "by then", or undefined if the text is no date. @throws BkError 'usage' for an impossible one */
function parseDate(text: string, now: Now): number | undefined {
  return parseCalendar(text, now) ?? parseRelative(text, now);
}

const CALENDAR =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?([Zz]|[+-]\d{2}:?\d{2})?)?$/;

function parseCalendar(text: string, now: Now): number | undefined {
  const match = CALENDAR.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as Six;
  const midnight = Date.UTC(year, month - 1, day);
  const back = new Date(midnight);
  const real =
    back.getUTCFullYear() === year && back.getUTCMonth() === month - 1 && back.getUTCDate() === day;
  if (!real || hour > 23 || minute > 59 || second > 60) {
    throw new BkError('usage', `not a date: ${JSON.stringify(text)}`, {
      hint: '2026-10-01 or 2026-10-01T12:00',
    });
  }
  if (match[4] === undefined) return midnight + DAY - 1 - now.offsetMinutes * MINUTE;
  const fraction = match[7] === undefined ? 0 : Math.floor(Number(`0.${match[7]}`) * 1000);
  const offset = match[8] === undefined ? now.offsetMinutes : parseOffset(match[8]);
  return midnight + (hour * 60 + minute - offset) * MINUTE + second * 1000 + fraction;
}

type Six = [number, number, number, number, number, number];

function parseOffset(text: string): number {
  if (text === 'Z' || text === 'z') return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2));
  return text[0] === '-' ? -minutes : minutes;
}

const UNITS: Readonly<Record<string, number>> = {
  second: 1000,
  minute: MINUTE,
  hour: 60 * MINUTE,
  day: DAY,
  week: 7 * DAY,
};

/** `today`, `yesterday`, `now`, `last week`, `3 days ago` (also `3.days.ago`). */
function parseRelative(text: string, now: Now): number | undefined {
  const words = text
    .trim()
    .toLowerCase()
    .replace(/[\s._]+/g, ' ');
  if (words === 'now') return now.ms;
  if (words === 'today') return endOfDay(now, 0);
  if (words === 'yesterday') return endOfDay(now, 1);
  const match =
    /^(?:(\d{1,6}|an?) (second|minute|hour|day|week|month|year)s? ago|last (week|month|year))$/.exec(words);
  if (match === null) return undefined;
  const count = match[1] === undefined || match[1].startsWith('a') ? 1 : Number(match[1]);
  const unit = match[2] ?? match[3]!;
  const length = UNITS[unit];
  if (length !== undefined) return now.ms - count * length;
  return monthsBefore(now.ms, unit === 'year' ? count * 12 : count);
}

function endOfDay(now: Now, daysAgo: number): number {
  const offset = now.offsetMinutes * MINUTE;
  const day = Math.floor((now.ms + offset) / DAY);
  return (day - daysAgo + 1) * DAY - 1 - offset;
}

/** The same day of an earlier month, or its last day where it is shorter. */
function monthsBefore(ms: number, months: number): number {
  const date = new Date(ms);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() - months);
  const longest = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, longest));
  return date.getTime();
}
