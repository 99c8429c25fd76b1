import { BkError } from './error.ts';

/**
 * A time in ns since 1970 as RFC 3339 in UTC, always nine digits: `2026-10-01T12:00:00.123456789Z`. Exact for years
 * of up to eight digits. Years outside 0000 to 9999, which RFC 3339 cannot say, have a sign and at least six digits as in ISO 8601:
 * `+010000-01-01T00:00:00.000000000Z`, `-000001-…` (the year before 0000).
 */
export function formatMtime(ns: bigint): string {
  let seconds = Number(ns / GIGA);
  let nanos = Number(ns % GIGA);
  if (nanos < 0) {
    nanos += 1e9;
    seconds -= 1;
  }
  const day = Math.floor(seconds / 86_400);
  const second = seconds - day * 86_400;
  const hour = Math.floor(second / 3600);
  const minute = Math.floor((second % 3600) / 60);
  return `${formatDay(day)}T${TWO[hour]}:${TWO[minute]}:${TWO[second % 60]}.${String(nanos).padStart(9, '0')}Z`;
}

/** @throws BkError 'damaged' if formatMtime does not write it so, or there is no such day */
export function parseMtime(text: string): bigint {
  const found = MTIME.exec(text);
  if (found === null) throw notATime(text);
  const year = Number(found[1]);
  const month = Number(found[2]);
  const day = Number(found[3]);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) throw notATime(text);
  const seconds = Number(found[4]) * 3600 + Number(found[5]) * 60 + Number(found[6]);
  return BigInt(dayNumber(year, month, day) * 86_400 + seconds) * GIGA + BigInt(Number(found[7]));
}

const GIGA = 1_000_000_000n;
const TWO = Array.from({ length: 60 }, (_, i) => String(i).padStart(2, '0'));
/** A sign only where four digits do not suffice; no 24:00, no leap seconds (the kernel's clock has none). */
const MTIME =
  /^(\d{4}|\+(?:0[1-9]|[1-9]\d)\d{4}|\+[1-9]\d{6,7}|-(?!0{6})\d{6}|-[1-9]\d{6,7})-(\d\d)-(\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)\.(\d{9})Z$/;

function notATime(text: string): BkError {
  return new BkError('damaged', `not a time: ${JSON.stringify(text)}`);
}

/** Days since 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
function formatDay(days: number): string {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const march = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * march + 2) / 5) + 1;
  const month = march < 10 ? march + 3 : march - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${formatYear(year)}-${TWO[month]}-${TWO[day]}`;
}

function formatYear(year: number): string {
  if (year >= 1000 && year <= 9999) return String(year);
  if (year >= 0 && year <= 9999) return String(year).padStart(4, '0');
  return (year < 0 ? '-' : '+') + String(Math.abs(year)).padStart(6, '0');
}

function dayNumber(year: number, month: number, day: number): number {
  const shiftedYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(shiftedYear / 400);
  const yearOfEra = shiftedYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
