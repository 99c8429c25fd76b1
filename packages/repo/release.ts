import fs from 'node:fs';
import { type ContentHash, type GitId, mayRelease } from '@bk/core';
import { type DepartedRow, type SafetyEntry, SafetyNet, settingsOf } from '@bk/store';
import type { Context } from './context.ts';
import type { Repository } from './repository.ts';

export interface Released {
  readonly entries: number;
  readonly bytes: number;
}

/** A departed version that policy lets go, with the entries of the net that are its own. */
export interface Releasable {
  readonly row: DepartedRow;
  readonly entries: readonly SafetyEntry[];
  readonly bytes: number;
}

/** What policy allows to let go now (rule 12). Contents that the head still has are never part of it. */
export function findReleasable(repo: Repository, context: Context): Releasable[] {
  const rows = repo.index.departed.unreleased();
  if (rows.length === 0) return [];
  const settings = settingsOf(repo.config);
  const rules = {
    deleted: settings['safety.release'],
    replacedDays: settings['safety.replacedDays'],
    replacedFreePercent: settings['safety.replacedFreePercent'],
  };
  const moment = { nowSec: Math.floor(context.nowMs() / 1000), freePercent: freePercent(repo.layout.dot) };
  const age = commitAges(repo, rules.deleted.when === 'commits' ? rows : []);
  const allowed: DepartedRow[] = [];
  const held = new Set<ContentHash>();
  for (const row of rows) {
    if (mayRelease({ ...row, commitsSince: age.get(row.commit) ?? 0 }, rules, moment)) allowed.push(row);
    else if (row.blake3 !== undefined) held.add(row.blake3);
  }
  const living = repo.index.living(new Set(allowed.flatMap(({ blake3 }) => blake3 ?? [])));
  const net = new SafetyNet(repo.layout);
  return allowed.map((row) => {
    const entries = ownEntries(row, net, { living, held });
    return { row, entries, bytes: entries.length > 0 ? row.size : 0 };
  });
}

/** Lets go what policy allows; done again after an interruption, it goes on. */
export function releaseDeparted(repo: Repository, context: Context): Released {
  const releasable = findReleasable(repo, context);
  if (releasable.length === 0) return { entries: 0, bytes: 0 };
  const net = new SafetyNet(repo.layout);
  let entries = 0;
  let bytes = 0;
  for (const item of releasable) {
    for (const entry of item.entries) net.release(entry);
    entries += item.entries.length;
    bytes += item.bytes;
  }
  repo.index.departed.markReleased(releasable.map(({ row }) => row));
  return { entries, bytes };
}

/**
 * Entries that hold this version and nothing else: links of its inode, as it was when it was committed, and the
 * independent copy unless the head or another departed version needs it. What was written to since is kept.
 */
function ownEntries(row: DepartedRow, net: SafetyNet, use: { living: ReadonlySet<ContentHash>; held: ReadonlySet<ContentHash> }): SafetyEntry[] {
  if (row.blake3 === undefined) return [];
  const needed = use.living.has(row.blake3) || use.held.has(row.blake3);
  return net.lookup(row.blake3).filter((entry) => {
    if (entry.inode === undefined) return !needed;
    const stat = fs.lstatSync(entry.file, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined || stat.size !== BigInt(row.size) || stat.mtimeNs !== row.mtimeNs) return false;
    const its = row.inode === 0n ? stat.nlink === 1n : entry.inode === BigInt.asUintN(64, row.inode);
    // Another name of the inode may be a file of the head's, which this link protects.
    return its && (stat.nlink === 1n || !needed);
  });
}

/** How many commits came after each of those in which something left. */
function commitAges(repo: Repository, rows: readonly DepartedRow[]): Map<GitId, number> {
  const ages = new Map<GitId, number>();
  const wanted = new Set(rows.map(({ commit }) => commit));
  let age = 0;
  for (let id = repo.head; id !== undefined && ages.size < wanted.size; age++) {
    if (wanted.has(id)) ages.set(id, age);
    id = repo.history.readCommit(id).parents[0];
  }
  return ages;
}

function freePercent(dir: string): number {
  const { bavail, blocks } = fs.statfsSync(dir);
  return blocks === 0 ? 100 : (bavail / blocks) * 100;
}
