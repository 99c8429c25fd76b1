/** What bk may need at most: `times` × the peer's median + `plus` (in the row's unit); without `times`, `plus` alone. */
export interface Limit {
  readonly times?: number;
  readonly plus?: number;
}

/** One measurement: every run of bk and of its peer, in the order they were made. */
export interface Row {
  readonly name: string;
  readonly unit: 's' | 'ms' | 'MB';
  readonly bk: readonly number[];
  readonly peer?: { readonly name: string; readonly values: readonly number[] };
  /** `issue`: what the current issue asks for; `goal`: SPEC 7. */
  readonly limits: { readonly issue?: Limit; readonly goal?: Limit };
  readonly note?: string;
}

/** A row that was measured, could not be measured here, or whose command failed (never a fast time). */
export type Outcome =
  | { readonly is: 'measured'; readonly row: Row }
  | { readonly is: 'skipped'; readonly name: string; readonly reason: string }
  | { readonly is: 'error'; readonly name: string; readonly message: string };

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** bk's median over the peer's, of rows that have a peer. */
export function ratio(row: Row): number | undefined {
  return row.peer === undefined ? undefined : median(row.bk) / median(row.peer.values);
}

/** The most that bk's median may be, in the row's unit. */
export function bound(row: Row, limit: Limit): number {
  const peer = limit.times === undefined ? 0 : limit.times * median(row.peer?.values ?? []);
  return peer + (limit.plus ?? 0);
}

export function meets(row: Row, limit: Limit): boolean {
  return median(row.bk) <= bound(row, limit);
}
