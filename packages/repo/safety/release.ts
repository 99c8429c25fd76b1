import fs from 'node:fs';
import { BkError, type ContentHash, type GitId, mayRelease } from '@bk/core';
import {
  activeLeases,
  type ContentOwner,
  type DepartedRow,
  type SafetyEntry,
  SafetyNet,
  settingsOf,
} from '@bk/store';
import type { Context } from '../context.ts';
import type { Repository } from '../repository.ts';

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

/**
 * What policy allows to let go now (rule 12). Contents that the head still has are never part of it, nor those that are
 * promised to another repository: they go once the promise has ended.
 */
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
  const isPromised = promisedIn(repo, context);
  const allowed: DepartedRow[] = [];
  const held: DepartedRow[] = [];
  for (const row of rows) {
    const may = mayRelease({ ...row, commitsSince: age.get(row.commit) ?? 0 }, rules, moment);
    (may && !isPromised(row) ? allowed : held).push(row);
  }
  const net = new SafetyNet(repo.layout);
  const claims = new Claims(net, { needed: neededBy(repo, allowed, held) });
  return allowed.flatMap((row) => {
    const entries = claims.entriesOf(row);
    return entries === undefined ? [] : [{ row, entries, bytes: entries.length > 0 ? row.size : 0 }];
  });
}

/** Lets go what policy allows; done again after an interruption, it goes on. */
export function releaseDeparted(repo: Repository, context: Context): Released {
  repo.index.departed.noteArrivals(Math.floor(context.nowMs() / 1000));
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

/** Where the promises cannot be told, all is promised: who drops or makes a promise here says what is wrong. */
function promisedIn({ layout }: Repository, context: Context): (row: DepartedRow) => boolean {
  try {
    const promised = activeLeases(layout, context.nowMs());
    return ({ blake3 }) => blake3 !== undefined && promised.has(blake3);
  } catch (error) {
    if (error instanceof BkError && error.code === 'damaged') return () => true;
    throw error;
  }
}

/** Who still needs the contents that may go: files of the head, unconfirmed deletions, versions that are held for a time or promised. */
function neededBy(
  repo: Repository,
  allowed: readonly DepartedRow[],
  held: readonly DepartedRow[],
): ReadonlyMap<ContentHash, readonly ContentOwner[]> {
  const wanted = new Set(allowed.flatMap(({ blake3 }) => blake3 ?? []));
  const needed = repo.index.owners(wanted);
  for (const row of held) {
    const { blake3, inode } = row;
    if (blake3 === undefined || !wanted.has(blake3)) continue;
    const owner = { inode: BigInt.asUintN(64, inode), mtimeNs: mtimeHere(row) };
    const owners = needed.get(blake3);
    if (owners === undefined) needed.set(blake3, [owner]);
    else owners.push(owner);
  }
  return needed;
}

/** Gives each departed version the entries of the net that are its own; none is given twice. */
class Claims {
  readonly #net: SafetyNet;
  readonly #needed: ReadonlyMap<ContentHash, readonly ContentOwner[]>;
  readonly #given = new Set<string>();

  constructor(
    net: SafetyNet,
    { needed }: { readonly needed: ReadonlyMap<ContentHash, readonly ContentOwner[]> },
  ) {
    this.#net = net;
    this.#needed = needed;
  }

  /**
   * Entries that hold this version and that nobody else needs: the link of its inode, as it was when it was committed
   * (what was written to since is kept), and the independent copy if nothing else has that content.
   * @returns undefined if it has to wait: somebody who needs the content has nothing else in the net
   */
  entriesOf(row: DepartedRow): readonly SafetyEntry[] | undefined {
    if (row.blake3 === undefined) return [];
    const all = this.#net.lookup(row.blake3);
    const owners = this.#needed.get(row.blake3) ?? [];
    const its = all.filter((entry) => !this.#given.has(entry.file) && isOf(row, entry, owners));
    const left = all.filter((entry) => !its.includes(entry) && !this.#given.has(entry.file));
    if (its.length > 0 && !owners.every((owner) => isServed(owner, row.size, left))) return undefined;
    for (const { file } of its) this.#given.add(file);
    return its;
  }
}

function isOf(row: DepartedRow, entry: SafetyEntry, owners: readonly ContentOwner[]): boolean {
  if (entry.inode === undefined) return owners.length === 0;
  if (owners.some(({ inode }) => inode === entry.inode)) return false;
  const stat = statOf(entry);
  if (stat?.size !== BigInt(row.size) || stat.mtimeNs !== mtimeHere(row)) return false;
  // Another name of the inode may be a file of the head's, which this link protects.
  if (stat.nlink > 1n && owners.length > 0) return false;
  return row.inode === 0n ? stat.nlink === 1n : entry.inode === BigInt.asUintN(64, row.inode);
}

/** As its file had it on this disk. */
function mtimeHere({ seen, mtimeNs }: DepartedRow): bigint {
  return seen?.mtimeNs ?? mtimeNs;
}

/** Whether the net keeps the content for this owner: in a copy, or in the link of its own inode, unwritten. */
function isServed(owner: ContentOwner, size: number, entries: readonly SafetyEntry[]): boolean {
  return entries.some((entry) => {
    if (entry.inode === undefined) return true;
    if (entry.inode !== owner.inode) return false;
    const stat = statOf(entry);
    return stat?.size === BigInt(size) && stat.mtimeNs === owner.mtimeNs;
  });
}

function statOf({ file }: SafetyEntry): fs.BigIntStats | undefined {
  return fs.lstatSync(file, { bigint: true, throwIfNoEntry: false });
}

/** How many commits at least came after each of those in which something left: by the shortest way from the head. */
function commitAges(repo: Repository, rows: readonly DepartedRow[]): Map<GitId, number> {
  const ages = new Map<GitId, number>();
  const wanted = new Set(rows.map(({ commit }) => commit));
  const seen = new Set<GitId>();
  let now = repo.head === undefined ? [] : [repo.head];
  for (let age = 0; now.length > 0 && ages.size < wanted.size; age++) {
    const next: GitId[] = [];
    for (const id of now) {
      if (seen.has(id)) continue;
      seen.add(id);
      if (wanted.has(id)) ages.set(id, age);
      next.push(...repo.history.readCommit(id).parents);
    }
    now = next;
  }
  return ages;
}

function freePercent(dir: string): number {
  const { bavail, blocks } = fs.statfsSync(dir);
  return blocks === 0 ? 100 : (bavail / blocks) * 100;
}
