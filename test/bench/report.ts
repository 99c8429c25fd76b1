import { type Limit, median, meets, type Outcome, type Row, ratio } from './row.ts';

const HEADINGS = [
  'measurement',
  'bk: median (min to max)',
  'peer: median (min to max)',
  'ratio',
  'issue',
  'goal',
];

/** One aligned line for each outcome, then the notes. */
export function table(outcomes: readonly Outcome[]): string {
  const lines = outcomes.map((one) =>
    one.is === 'measured' ? cells(one.row) : [nameOf(one), `${one.is}: ${why(one)}`],
  );
  const measured = lines.filter((line) => line.length === HEADINGS.length);
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...(column === 0 ? lines : measured).map((line) => line[column]?.length ?? 0)),
  );
  const format = (line: readonly string[]): string =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [HEADINGS, ...lines].map(format).join('\n');
}

/** Measured rows that are slower (or larger) than a limit allows. */
export function missed(outcomes: readonly Outcome[]): number {
  let count = 0;
  for (const one of outcomes) {
    if (one.is !== 'measured') continue;
    const { issue, goal } = one.row.limits;
    if ([issue, goal].some((limit) => limit !== undefined && !meets(one.row, limit))) count++;
  }
  return count;
}

/** The same as data: everything measured, medians, ratios and verdicts. */
export function asJson(outcome: Outcome): Record<string, unknown> {
  if (outcome.is !== 'measured') return { name: nameOf(outcome), [outcome.is]: why(outcome) };
  const { row } = outcome;
  const verdicts = Object.entries(row.limits).map(([name, limit]) => [
    name,
    { ...limit, met: meets(row, limit) },
  ]);
  return {
    name: row.name,
    unit: row.unit,
    bk: spread(row.bk),
    ...(row.peer === undefined
      ? {}
      : { peer: { name: row.peer.name, ...spread(row.peer.values) }, ratio: ratio(row) }),
    limits: Object.fromEntries(verdicts),
    ...(row.note === undefined ? {} : { note: row.note }),
  };
}

export function nameOf(outcome: Outcome): string {
  return outcome.is === 'measured' ? outcome.row.name : outcome.name;
}

function why(outcome: Exclude<Outcome, { is: 'measured' }>): string {
  return outcome.is === 'skipped' ? outcome.reason : outcome.message.replaceAll('\n', '; ');
}

function cells(row: Row): readonly string[] {
  const ours = ratio(row);
  return [
    row.note === undefined ? row.name : `${row.name} (${row.note})`,
    figures(row.bk, row.unit),
    row.peer === undefined ? '' : `${row.peer.name}: ${figures(row.peer.values, row.unit)}`,
    ours === undefined ? '' : ours.toFixed(2),
    verdict(row, row.limits.issue),
    verdict(row, row.limits.goal),
  ];
}

function figures(values: readonly number[], unit: Row['unit']): string {
  const digits = { s: 3, ms: 1, MB: 0 }[unit];
  const { median: middle, min, max } = spread(values);
  return `${middle.toFixed(digits)} ${unit} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;
}

function spread(values: readonly number[]): {
  median: number;
  min: number;
  max: number;
  values: readonly number[];
} {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), values };
}

function verdict(row: Row, limit: Limit | undefined): string {
  if (limit === undefined) return '';
  const parts = [
    ...(limit.times === undefined ? [] : [`${limit.times} x`]),
    ...(limit.plus === undefined ? [] : [`${limit.plus} ${row.unit}`]),
  ];
  return `${parts.join(' + ')} ${meets(row, limit) ? 'met' : 'MISSED'}`;
}
