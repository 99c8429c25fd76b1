import fs from 'node:fs';
import { KIND, PROTECTION, ROOT, STAT, STAT_WIDTH } from '@bk/core';
import { SafetyNet } from '@bk/store';
import { type Problem, Problems } from './check/problems.ts';
import { checkSafety } from './check/safety.ts';
import type { Context } from './context.ts';
import type { Repository } from './repository.ts';
import { findReleasable, type Released, releaseDeparted } from './safety/release.ts';

export interface SafetyOptions {
  /** `check` reads every content in the net again. */
  readonly do: 'status' | 'release' | 'check';
  readonly dryRun?: boolean;
}

export interface SafetyResult {
  /** Names in the net. */
  readonly entries: number;
  /** Of the contents behind them, each inode once. */
  readonly bytes: number;
  /** What the disk would have more of without the net: contents that no file has any more. */
  readonly held: { readonly entries: number; readonly bytes: number };
  /** Links protect against deletion and replacement; independent entries against in-place edits too. */
  readonly kinds: { readonly link: number; readonly independent: number };
  readonly releasable: Released;
  /** Files of the last commit whose content the net does not hold. */
  readonly unprotected: number;
  /** After `release`: what was let go (under a dry run: would be). */
  readonly released?: Released;
  /** After `check`. */
  readonly ok?: boolean;
  readonly problems?: readonly Problem[];
}

/** What the safety net holds and costs; lets go what policy allows; or reads it all again. */
export function safety(repo: Repository, options: SafetyOptions, context: Context): SafetyResult {
  if (options.do === 'release') return release(repo, options.dryRun === true, context);
  if (options.do === 'check') {
    const problems = new Problems();
    let files = 0;
    const tick = () => context.report({ phase: 'verify', files: ++files, bytes: 0 });
    checkSafety(repo.layout, { contents: undefined, problems, deep: true, tick });
    return { ...status(repo, context), ok: problems.count === 0, problems: problems.list() };
  }
  return status(repo, context);
}

function release(repo: Repository, dryRun: boolean, context: Context): SafetyResult {
  if (dryRun) {
    const before = status(repo, context);
    return { ...before, released: before.releasable };
  }
  repo.beginWriting();
  const released = releaseDeparted(repo, context);
  return { ...status(repo, context), released };
}

function status(repo: Repository, context: Context): SafetyResult {
  const inodes = new Set<bigint>();
  const held = { entries: 0, bytes: 0 };
  const kinds = { link: 0, independent: 0 };
  let bytes = 0;
  for (const entry of new SafetyNet(repo.layout).list()) {
    const stat = fs.lstatSync(entry.file, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) continue; // released meanwhile
    kinds[entry.inode === undefined ? 'independent' : 'link']++;
    if (!inodes.has(stat.ino)) bytes += Number(stat.size);
    inodes.add(stat.ino);
    if (entry.inode === undefined || stat.nlink > 1n) continue;
    held.entries++;
    held.bytes += Number(stat.size);
  }
  const releasable = { entries: 0, bytes: 0 };
  for (const item of findReleasable(repo, context)) {
    releasable.entries += item.entries.length;
    releasable.bytes += item.bytes;
  }
  return {
    entries: kinds.link + kinds.independent,
    bytes,
    held,
    kinds,
    releasable,
    unprotected: unprotectedFiles(repo),
  };
}

/** Empty files need no protection: their record says all. */
function unprotectedFiles(repo: Repository): number {
  let count = 0;
  for (const [, { listing, protections }] of repo.index.below(ROOT)) {
    for (let k = 1; k < listing.kinds.length; k++) {
      if (
        listing.kinds[k] === KIND.file &&
        protections[k] === PROTECTION.none &&
        listing.stats[k * STAT_WIDTH + STAT.size] !== 0n
      )
        count++;
    }
  }
  return count;
}
