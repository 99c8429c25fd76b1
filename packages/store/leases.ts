import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { BkError, type ContentHash, contentHash } from '@bk/core';
import { fsyncDirectory, replaceFile } from './durable.ts';

/** A promise to another repository: these contents are not let go of before `untilMs` (ms since 1970, by the clock here). */
interface Lease {
  readonly grantedMs: number;
  readonly untilMs: number;
  readonly contents: readonly ContentHash[];
}

type Leases = Readonly<Record<string, Lease>>;

/** Where leases are: they outlive the process that gave them. */
export function leasesFile(layout: { readonly dot: string }): string {
  return path.join(layout.dot, 'leases.json');
}

/**
 * Contents that were promised to others and must not be let go of now, with the end of the promise. A clock that was
 * set back ends no promise. Whoever lets go asks under the repository's lock.
 * @throws BkError 'damaged' if they cannot be told: then nothing may be let go of
 */
export function activeLeases(
  layout: { readonly dot: string },
  nowMs: number,
): ReadonlyMap<ContentHash, number> {
  const active = new Map<ContentHash, number>();
  for (const lease of Object.values(readLeases(layout))) {
    if (!isActive(lease, nowMs)) continue;
    for (const blake3 of lease.contents) active.set(blake3, Math.max(lease.untilMs, active.get(blake3) ?? 0));
  }
  return active;
}

/** For how long, and how many promises, and contents in all of them, may be open at once. */
export interface LeaseTerms {
  readonly nowMs: number;
  readonly forMs: number;
  readonly most: number;
  readonly mostContents?: number;
}

/**
 * Promises, durably; only for the holder of the repository's lock.
 * @returns the promise's name
 * @throws BkError 'refused' if too many are open: whoever may only read must not fill the disk with them
 */
export function grantLease(
  layout: { readonly dot: string },
  contents: readonly ContentHash[],
  { nowMs, forMs, most, mostContents = Number.POSITIVE_INFINITY }: LeaseTerms,
): string {
  const others = activeOnes(layout, nowMs);
  const lease: Lease = { grantedMs: nowMs, untilMs: nowMs + forMs, contents: [...new Set(contents)] };
  const promised = others.reduce((sum, [, { contents }]) => sum + contents.length, lease.contents.length);
  if (others.length >= most || promised > mostContents) {
    throw new BkError('refused', `cannot promise to keep contents: ${others.length} promises are open`, {
      hint: 'they end by themselves; try again later',
    });
  }
  const id = randomBytes(16).toString('hex');
  write(layout, [...others, [id, lease]]);
  return id;
}

/** Ends a promise; one that is not known is none. Only for the holder of the lock. */
export function releaseLease(layout: { readonly dot: string }, id: string, nowMs: number): void {
  const all = readLeases(layout);
  if (!Object.hasOwn(all, id)) return;
  write(
    layout,
    activeOnes(layout, nowMs).filter(([other]) => other !== id),
  );
}

/** Promises that were made in another repository's name: a copied `.bk` keeps none of them. Only for the holder of the lock. */
export function forgetLeases(layout: { readonly dot: string }): void {
  fs.rmSync(leasesFile(layout), { force: true });
  fsyncDirectory(layout.dot);
}

function isActive({ grantedMs, untilMs }: Lease, nowMs: number): boolean {
  return nowMs < untilMs || nowMs < grantedMs;
}

function activeOnes(layout: { readonly dot: string }, nowMs: number): [string, Lease][] {
  return Object.entries(readLeases(layout)).filter(([, lease]) => isActive(lease, nowMs));
}

function write(layout: { readonly dot: string }, leases: readonly (readonly [string, Lease])[]): void {
  replaceFile(leasesFile(layout), `${JSON.stringify({ v: 1, leases: Object.fromEntries(leases) })}\n`);
}

function readLeases(layout: { readonly dot: string }): Leases {
  const file = leasesFile(layout);
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    const { v, leases } = JSON.parse(text) as { v: unknown; leases: Leases };
    if (v !== 1) throw new Error(`version ${String(v)}`);
    for (const lease of Object.values(leases)) {
      if (![lease.grantedMs, lease.untilMs].every(Number.isFinite)) throw new Error('a time is none');
      lease.contents.forEach(contentHash);
    }
    return leases;
  } catch (cause) {
    throw new BkError('damaged', `cannot read ${file}: it is not what bk writes`, {
      path: file,
      hint: 'no promise lasts longer than an hour: remove it after that time',
      cause,
    });
  }
}
