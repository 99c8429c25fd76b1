/** A range of numbers; what is not there does not limit it. */
export interface Range {
  /** At least. */
  readonly from?: number;
  /** More than. */
  readonly above?: number;
  /** At most. */
  readonly to?: number;
  /** Less than. */
  readonly below?: number;
}

/** The moment it is, and by how much local time is ahead of UTC at a moment. */
export interface QueryClock {
  readonly ms: number;
  offsetMinutes(ms: number): number;
}

/** What one value stands for: one number, or all from the first (included) to the second (not included). */
export type Span = { readonly at: number } | { readonly from: number; readonly below: number };

export function isInRange(value: number | undefined, { from, above, to, below }: Range): boolean {
  if (value === undefined) return false;
  return (
    (from === undefined || value >= from) &&
    (above === undefined || value > above) &&
    (to === undefined || value <= to) &&
    (below === undefined || value < below)
  );
}

export type Operator = '<' | '<=' | '>' | '>=' | '=';

/** A comparison with a value: `>` a year is after its end, `<=` a year is until its end. */
export function rangeOf(operator: Operator, span: Span): Range {
  if (operator === '=') return 'at' in span ? { from: span.at, to: span.at } : span;
  if ('at' in span) {
    if (operator === '<') return { below: span.at };
    if (operator === '<=') return { to: span.at };
    return operator === '>' ? { above: span.at } : { from: span.at };
  }
  if (operator === '<') return { below: span.from };
  if (operator === '<=') return { below: span.below };
  return operator === '>' ? { from: span.below } : { from: span.from };
}

/** From the one to the other, both included; without one of them open on that side. */
export function rangeBetween(first: Span | undefined, last: Span | undefined): Range {
  return {
    ...(first !== undefined && rangeOf('>=', first)),
    ...(last !== undefined && rangeOf('<=', last)),
  };
}

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};
const SHORT_UNITS: Readonly<Record<string, string>> = { '': 'b', k: 'kb', m: 'mb', g: 'gb', t: 'tb' };

/** Bytes: `700`, `5MB`, `1.5 GiB`, `5M`. */
export function parseSize(text: string): number | undefined {
  const found = /^(\d{1,15}(?:\.\d{1,6})?) ?([kmgt]?(?:i?b)?)$/i.exec(text);
  const unit = found?.[2]?.toLowerCase();
  if (found === null || unit === undefined) return undefined;
  const bytes = UNITS[SHORT_UNITS[unit] ?? unit];
  return bytes === undefined ? undefined : Math.round(Number(found[1]) * bytes);
}

/** Seconds: `90`, `90s`, `3min`, `1.5h`, `3:25`, `1:02:03`. */
export function parseDuration(text: string): number | undefined {
  const clock = /^(?:(\d{1,4}):)?(\d{1,4}):([0-5]\d)$/.exec(text);
  if (clock !== null) return Number(clock[1] ?? 0) * 3600 + Number(clock[2]) * 60 + Number(clock[3]);
  const found = /^(\d{1,9}(?:\.\d{1,3})?) ?(s|sec|m|min|h)?$/i.exec(text);
  if (found === null) return undefined;
  const unit = (found[2] ?? 's')[0]!.toLowerCase();
  return Number(found[1]) * (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1);
}

export function parseNumber(text: string): number | undefined {
  return /^\d{1,12}(\.\d{1,6})?$/.test(text) ? Number(text) : undefined;
}

const DAY = 86_400_000;

/** A year, month, day, minute or second, by the clock on the wall, in ms as if it were UTC. */
export function parseWallTime(text: string, clock: QueryClock): Span | undefined {
  return parseCalendar(text) ?? parseDaysAgo(text, clock);
}

function parseCalendar(text: string): Span | undefined {
  const found = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?)?)?$/i.exec(text);
  if (found === null) return undefined;
  const [, year, month, day, hour, minute, second] = found;
  const start = `${year}-${month ?? '01'}-${day ?? '01'}`;
  const from = Date.parse(`${start}T${hour ?? '00'}:${minute ?? '00'}:${second ?? '00'}Z`);
  // A 31st of April is none, whatever the parser makes of it.
  if (Number.isNaN(from) || !new Date(from).toISOString().startsWith(start)) return undefined;
  const end = new Date(from);
  if (month === undefined) end.setUTCFullYear(end.getUTCFullYear() + 1);
  else if (day === undefined) end.setUTCMonth(end.getUTCMonth() + 1);
  else end.setTime(from + (hour === undefined ? DAY : second === undefined ? 60_000 : 1000));
  return { from, below: end.getTime() };
}

/** `today`, `yesterday`, and the day that was `7d`, `2w`, `3m`, `1y` ago. */
function parseDaysAgo(text: string, { ms, offsetMinutes }: QueryClock): Span | undefined {
  const today = Math.floor((ms + offsetMinutes(ms) * 60_000) / DAY) * DAY;
  const back = text === 'today' ? '0d' : text === 'yesterday' ? '1d' : text;
  const found = /^(\d{1,4})([dwmy])$/.exec(back);
  if (found === null) return undefined;
  const count = Number(found[1]);
  const unit = found[2];
  if (unit === 'd' || unit === 'w') return dayFrom(today - count * (unit === 'w' ? 7 : 1) * DAY);
  const day = new Date(today);
  const months = day.getUTCFullYear() * 12 + day.getUTCMonth() - count * (unit === 'y' ? 12 : 1);
  const last = new Date(Date.UTC(Math.floor(months / 12), (months % 12) + 1, 0)).getUTCDate();
  return dayFrom(Date.UTC(Math.floor(months / 12), months % 12, Math.min(day.getUTCDate(), last)));
}

function dayFrom(from: number): Span {
  return { from, below: from + DAY };
}

/** The moments that a span of the clock on the wall is here. */
export function momentsOf(span: Span, { offsetMinutes }: QueryClock): Span {
  const moment = (wall: number): number => wall - offsetMinutes(wall) * 60_000;
  return 'at' in span ? { at: moment(span.at) } : { from: moment(span.from), below: moment(span.below) };
}
