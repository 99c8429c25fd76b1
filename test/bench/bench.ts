import path from 'node:path';
import { CommandFailed, canMeasureMemory, type Finished, run, runAll } from './command.ts';
import type { Options } from './options.ts';
import type { Outcome, Row } from './row.ts';
import type { Space } from './space.ts';

/** What every group of measurements gets: where bk is, where space is, which rows are wanted, where results go. */
export interface Bench {
  readonly bk: string;
  /** The Node binary that bk runs on. */
  readonly node: string;
  readonly options: Options;
  readonly space: Space;
  wants(name: string): boolean;
  add(outcome: Outcome): void;
  say(text: string): void;
}

/** Rows that share their data. A group that throws makes errors of its wanted rows that are not there yet. */
export interface Group {
  readonly names: readonly string[];
  readonly run: (bench: Bench) => void;
}

/** Runs bk commands one after another in `dir` as one measurement. */
export function bk(bench: Bench, dir: string, ...commands: readonly (readonly string[])[]): Finished {
  return runAll(
    commands.map((args) => [bench.bk, ...args]),
    dir,
    memoryFile(bench),
  );
}

export function memoryFile(bench: Bench): string {
  return path.join(bench.space.scratch, 'peak-memory');
}

/** One run of bk that is no measurement, but a check of what the measured ones did. */
export function bkJson(bench: Bench, dir: string, ...args: readonly string[]): Record<string, unknown> {
  const argv = [bench.bk, ...args, '--json'];
  const { stdout } = run(argv, dir);
  try {
    const value: unknown = JSON.parse(stdout);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // falls through: no JSON document at all
  }
  throw new CommandFailed(argv, `printed no JSON object: ${stdout.slice(0, 80)}`);
}

/** @throws CommandFailed unless bk says that nothing changed since the last commit */
export function expectClean(bench: Bench, dir: string): void {
  const { changes, unreadable, head } = bkJson(bench, dir, 'status');
  const clean =
    Array.isArray(changes) && changes.length === 0 && Array.isArray(unreadable) && unreadable.length === 0;
  if (!clean)
    throw new CommandFailed(
      [bench.bk, 'status'],
      `not clean after commit: ${JSON.stringify(changes)?.slice(0, 300)}`,
    );
  if (typeof head !== 'string') throw new CommandFailed([bench.bk, 'status'], 'no head after commit');
}

/** Adds the row if it is wanted; without a single run of its peer there is nothing to compare, and that is said. */
export function addRow(bench: Bench, row: Row): void {
  if (!bench.wants(row.name)) return;
  if (row.peer?.values.length === 0) {
    bench.add({ is: 'skipped', name: row.name, reason: `not installed: ${row.peer.name}` });
  } else bench.add({ is: 'measured', row });
}

/** A row of peak memory in MB, or the reason why there is none. */
export function addMemoryRow(
  bench: Bench,
  row: Omit<Row, 'unit' | 'bk' | 'peer'>,
  bkRuns: readonly Finished[],
): void {
  if (!bench.wants(row.name)) return;
  if (canMeasureMemory) addRow(bench, { ...row, unit: 'MB', bk: bkRuns.map((one) => one.megabytes ?? 0) });
  else bench.add({ is: 'skipped', name: row.name, reason: '/usr/bin/time is not installed' });
}

export function seconds(runs: readonly Finished[]): readonly number[] {
  return runs.map((one) => one.seconds);
}
