import { BkError } from '@bk/core';

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  m: 30 * 86_400_000,
  y: 365 * 86_400_000,
};

/** A length of time in ms: `90s`, `30min`, `2h`, `14d`, `6w`, `3m` (months of 30 days), `1y`. @throws BkError `usage` */
export function timeSpan(text: string, option: string): number {
  const match = /^(\d{1,6}(?:\.\d{1,3})?) ?(s|min|h|d|w|m|y)$/.exec(text);
  if (match !== null) return Number(match[1]) * (UNITS[match[2] ?? ''] ?? 1);
  throw new BkError('usage', `${option} ${text}: not a length of time`, {
    hint: 'for example 90s, 30min, 2h, 14d, 6w, 3m (months) or 1y',
  });
}

/** A percentage, above 0 and at most 100: `5%` or `5`. @throws BkError `usage` */
export function percentage(text: string, option: string): number {
  const value = /^\d{1,3}(?:\.\d{1,6})?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (value > 0 && value <= 100) return value;
  throw new BkError('usage', `${option} ${text}: not a percentage`, { hint: 'for example 5%' });
}

/** A whole number above 0. @throws BkError `usage` */
export function wholeNumber(text: string, option: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value > 0) return value;
  throw new BkError('usage', `${option} ${text}: not a whole number above 0`);
}
