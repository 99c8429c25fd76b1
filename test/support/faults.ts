import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { type Outcome, type RunOptions, run } from './bk.ts';
import { temporaryFolder } from './temporary.ts';

export const SHIM = path.join(import.meta.dirname, 'fault-shim.cjs');
export const KILLED = 137;

export interface Op {
  readonly n: number;
  readonly name: string;
  /** Path (with its target, for link and rename) or descriptor. */
  readonly subject: string;
}

export type Fault = Readonly<Record<string, string>>;

/** Runs bk with the shim; `fault` is its environment (KILL_AT, FAIL_AT …, see the shim's head). */
export function runWithFault(args: readonly string[], fault: Fault, options: RunOptions = {}): Outcome {
  const env = { ...options.env, NODE_OPTIONS: `--require "${SHIM}"`, ...fault };
  return run(args, { ...options, env });
}

let logFolder: string | undefined;

/** Every mutating call that an undisturbed run makes. */
export function opsOf(
  args: readonly string[],
  options: RunOptions = {},
): { outcome: Outcome; ops: Op[]; async: string[] } {
  logFolder ??= temporaryFolder('bk-ops-');
  const log = path.join(logFolder, 'log');
  fs.rmSync(log, { force: true });
  const outcome = runWithFault(args, { SHIM_LOG: log }, options);
  const lines = fs.readFileSync(log, 'utf8').split('\n').filter(Boolean);
  const ops = lines.map((line) => {
    const [n = '', name = '', ...subject] = line.split(' ');
    return { n: Number(n), name, subject: subject.join(' ') };
  });
  return {
    outcome,
    ops: ops.filter((op) => op.n > 0),
    async: ops.filter((op) => op.n === 0).map((op) => `${op.name} ${op.subject}`),
  };
}

/**
 * Which of `ops` to hit: the first and last of every kind (call and place), then evenly spread ones up to `points`.
 * BK_SWEEP=all takes every one, BK_SWEEP=n only the n-th.
 */
export function stratified(ops: readonly Op[], points: number): number[] {
  const wanted = process.env['BK_SWEEP'];
  if (wanted === 'all') return ops.map((op) => op.n);
  if (wanted !== undefined && wanted !== '') return [Number(wanted)];
  const chosen = new Set<number>();
  const last = new Map<string, number>();
  for (const op of ops) {
    if (!last.has(kindOf(op))) chosen.add(op.n);
    last.set(kindOf(op), op.n);
  }
  for (const n of last.values()) if (chosen.size < points) chosen.add(n);
  if (chosen.size > points)
    return thinned(
      [...chosen].sort((a, b) => a - b),
      points,
    );
  const left = ops.filter((op) => !chosen.has(op.n));
  const missing = Math.min(points - chosen.size, left.length);
  for (let i = 0; i < missing; i++) {
    const op = left[Math.floor((i * left.length) / missing)];
    if (op !== undefined) chosen.add(op.n);
  }
  return [...chosen].sort((a, b) => a - b);
}

/** As stratified, but only of the calls from the first one there on, and at most so many. */
export function stratifiedFrom(ops: readonly Op[], place: RegExp, most: number): number[] {
  if ((process.env['BK_SWEEP'] ?? '') !== '') return stratified(ops, most);
  return stratified(ops.slice(ops.findIndex(({ subject }) => place.test(subject))), most);
}

/** So many of them, spread evenly; the first is among them. */
function thinned(chosen: readonly number[], most: number): number[] {
  const step = chosen.length / most;
  return chosen.filter((_, i) => i === 0 || Math.floor(i / step) > Math.floor((i - 1) / step));
}

function kindOf(op: Op): string {
  const place = /\.bk\/(\w+)/.exec(op.subject)?.[1] ?? (/^"\d+"$/.test(op.subject) ? 'descriptor' : 'tree');
  return `${op.name} ${place}`;
}
