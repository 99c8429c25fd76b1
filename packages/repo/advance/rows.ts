import {
  DIRECTORY_RECORD,
  decodeName,
  type FsName,
  type GitId,
  hasOwnRecord,
  isWhollyAbsent,
  joinPath,
  KIND,
  type KnownDirectory,
  nameOf,
  PLAIN_FOLDER_MODE,
  PROTECTION,
  type Protection,
  parentOf,
  parseMode,
  parseRecord,
  type Rec,
  type RepoPath,
  ROOT,
  STAT,
  STAT_WIDTH,
  type TreePlan,
  timeNs,
  type WholeMove,
} from '@bk/core';
import type { DepartedRow, IndexUpdate, TreeEntry } from '@bk/store';
import { putStat } from '@bk/worktree';
import { departedSince } from '../index/departures.ts';
import { addRecordOnly } from '../index/rebuild.ts';
import { RowBuilder } from '../index/row-builder.ts';
import { hashAt, idAt, recordAt } from '../observe/draft.ts';
import { LiveTree } from '../observe/live-tree.ts';
import { isAtOrBelow } from '../observe/survey.ts';
import type { Placed } from '../presence/absence.ts';
import { markWhollyAbsent, placeIn } from '../presence/absent-rows.ts';
import type { Repository } from '../repository.ts';
import type { DiskState } from './disk.ts';
import type { HistoryChange } from './tree.ts';

export interface Advancing {
  readonly repo: Repository;
  readonly from: GitId | undefined;
  readonly to: GitId;
  readonly change: HistoryChange;
  readonly plan: TreePlan;
  readonly disk: DiskState;
  /** Files that steps put where they are now, as they were looked at afterwards. */
  readonly looked: ReadonlyMap<RepoPath, Placed>;
  /** Paths of the tree after with which something went wrong: nothing vouches for them. */
  readonly failed: ReadonlySet<RepoPath>;
  readonly grainNs: bigint;
  readonly nowSec: number;
}

/**
 * What the index has to know after the folder followed to another tree: rows of all folders that differ; those of
 * folders that moved as a whole only get other paths. What nobody touched keeps its stats, so that nothing is read.
 */
export function advancedRows(given: Advancing): IndexUpdate {
  const { repo, change, to } = given;
  const rows = new Rows(given);
  const put = rows.all();
  const remove = [
    ...change.before.folders.map(({ path }) => path).filter((path) => !put.has(path)),
    ...rows.left.filter((path) => !put.has(path)),
  ];
  const departed = departedSince(repo.history, {
    ...{ from: given.from, to, own: repo.config.id },
    listed: (id) => repo.index.departed.committed(id),
  });
  return {
    head: to,
    put,
    remove,
    files: repo.index.files + change.after.files.length - change.before.files.length,
    clearPending: true,
    departed: heldFromNow(given, departed.rows),
    withdrawn: departed.withdrawn,
  };
}

/** What others let go of has arrived now; and this repository knows which inodes it were, and as what. */
function heldFromNow({ plan, disk, nowSec }: Advancing, rows: readonly DepartedRow[]): DepartedRow[] {
  const left = new Map<string, RepoPath>();
  for (const { id, blake3, path } of [...plan.deleted, ...plan.replaced]) left.set(`${id} ${blake3}`, path);
  return rows.map((row) => {
    const path = left.get(`${row.id} ${row.blake3}`);
    const arrived = row.arrivedSec === undefined ? {} : { arrivedSec: nowSec };
    return { ...row, ...arrived, ...(path !== undefined && disk.factsOf(path, row)) };
  });
}

class Rows {
  /** Paths from which rows were moved away. */
  readonly left: RepoPath[] = [];
  readonly #given: Advancing;
  readonly #put = new Map<RepoPath, KnownDirectory>();
  readonly #live: LiveTree;
  /** Paths to which a step gave a mode. */
  readonly #withMode: ReadonlySet<RepoPath>;

  constructor(given: Advancing) {
    this.#given = given;
    this.#withMode = new Set(
      given.plan.steps.flatMap((step) => ('mode' in step && step.mode !== undefined ? [step.path] : [])),
    );
    this.#live = new LiveTree(given.repo.layout.root);
  }

  all(): ReadonlyMap<RepoPath, KnownDirectory> {
    const { change } = this.#given;
    try {
      for (const move of [...change.moved, ...change.movedAbsent]) this.#move(move);
      // The deepest first: a folder's entry says whether anything of it is here.
      for (const [path, tree] of [...change.trees].reverse()) this.#put.set(path, this.#row(path, tree));
    } finally {
      this.#live.close();
    }
    return this.#put;
  }

  #move({ from, to }: WholeMove): void {
    const failed = isAtOrBelow(to, this.#given.failed);
    for (const [path, known] of this.#given.repo.index.below(from)) {
      this.left.push(path);
      if (failed) markWhollyAbsent(known);
      this.#put.set(`${to}${path.slice(from.length)}` as RepoPath, known);
    }
  }

  #row(path: RepoPath, tree: GitId): KnownDirectory {
    const { disk, repo, looked } = this.#given;
    const entries = repo.history.readTree(tree);
    const old = disk.row(path);
    let observedNs = old?.observedNs ?? 0n;
    for (const { name } of entries) {
      const seen = looked.get(joinPath(path, name));
      if (seen !== undefined && seen.observedNs > observedNs) observedNs = seen.observedNs;
    }
    for (const { old: origin } of this.#origins(path, entries))
      if (origin.observedNs > observedNs) observedNs = origin.observedNs;
    const row = new RowBuilder();
    row.addFolder('.' as FsName, this.#plainMode(path));
    for (const entry of entries) this.#entry(row, path, entry, observedNs);
    return row.finish({ tree, observedNs, mount: old?.mount ?? false });
  }

  /** Of a folder without a record. What a file system without modes made of it is remembered, and is no change. */
  #plainMode(path: RepoPath): number {
    const made = this.#modeGiven(path);
    if (made !== undefined) return made;
    const old = this.#given.disk.row(this.#carriedFrom.get(path) ?? path);
    return old === undefined || hasOwnRecord(old) ? PLAIN_FOLDER_MODE : old.listing.modes[0]!;
  }

  /** What became of the mode that a step gave a folder; undefined: none did, or the folder is not here. */
  #modeGiven(path: RepoPath): number | undefined {
    if (!this.#withMode.has(path)) return undefined;
    const stat = this.#live.stat(path);
    return stat === undefined ? undefined : Number(stat.mode & 0o7777n);
  }

  /** Rows that entries were carried from together with their folder. */
  #origins(path: RepoPath, entries: readonly TreeEntry[]): { old: KnownDirectory }[] {
    const from = this.#carriedFrom.get(path);
    const old = from === undefined || entries.length === 0 ? undefined : this.#given.disk.row(from);
    return old === undefined ? [] : [{ old }];
  }

  /** Where the folder that is at a path now was before. */
  get #carriedFrom(): ReadonlyMap<RepoPath, RepoPath> {
    if (this.#carried === undefined) {
      this.#carried = new Map();
      for (const { path } of this.#given.change.before.folders) {
        const to = this.#given.plan.folders.destinationOf(path);
        if (to !== undefined) this.#carried.set(to, path);
      }
    }
    return this.#carried;
  }
  #carried: Map<RepoPath, RepoPath> | undefined;

  #entry(row: RowBuilder, folder: RepoPath, entry: TreeEntry, observedNs: bigint): void {
    if (entry.name === DIRECTORY_RECORD) {
      this.#own(row, folder, entry.id);
      return;
    }
    const path = joinPath(folder, entry.name);
    const name = decodeName(entry.name);
    if (entry.kind === 'tree') row.addFolder(name, PLAIN_FOLDER_MODE, this.#isAbsentFolder(path));
    else this.#file(row, { path, name, record: entry.id }, observedNs);
  }

  #isAbsentFolder(path: RepoPath): boolean {
    const known = this.#put.get(path);
    if (known !== undefined) return isWhollyAbsent(known);
    const old = this.#given.disk.row(parentOf(path));
    const k = old === undefined ? -1 : placeIn(old, decodeName(nameOf(path)));
    return old !== undefined && k > 0 && old.protections[k] === PROTECTION.absent;
  }

  #file(
    row: RowBuilder,
    { path, name, record }: { path: RepoPath; name: FsName; record: GitId },
    observedNs: bigint,
  ): void {
    const { repo, looked, failed, plan } = this.#given;
    const { history } = repo;
    // What could not be brought to its path, alone or with its folder, is not here: never a deletion of ours.
    const absent = plan.absent.has(path) || isAtOrBelow(path, failed);
    const seen = absent ? undefined : looked.get(path);
    const origin = absent || seen !== undefined ? undefined : this.#origin(path, record);
    if (seen !== undefined) this.#placed(row, { name, record, seen }, observedNs);
    else if (origin !== undefined) row.addKnown(origin.known, origin.k, this.#isRacy(origin, observedNs));
    else if (absent || !this.#keep(row, { path, name, record }, observedNs))
      addRecordOnly(row, { name, record, history, absent });
  }

  /** A file with which nothing was done, though its record is another: of its content all holds that was known. */
  #keep(
    row: RowBuilder,
    { path, name, record }: { path: RepoPath; name: FsName; record: GitId },
    observedNs: bigint,
  ): boolean {
    const { disk, repo } = this.#given;
    const before = this.#untouched.get(path);
    const known = before === undefined ? undefined : disk.row(parentOf(before));
    const k = known === undefined ? -1 : placeIn(known, decodeName(nameOf(before!)));
    if (known === undefined || k < 0 || known.listing.kinds[k] === KIND.dir) return false;
    const rec = parseRecord(repo.history.readBlobText(record));
    if (hashAt(known, k) !== rec.blake3) return false;
    const stats = known.listing.stats.slice(k * STAT_WIDTH, (k + 1) * STAT_WIDTH);
    if (this.#isRacy({ known, k }, observedNs)) stats[STAT.ctime] = 0n;
    row.add({
      name,
      kind: known.listing.kinds[k]!,
      mode: known.listing.modes[k]!,
      stats,
      at: 0,
      hash: rec.blake3,
      id: rec.id,
      record,
      protection: known.protections[k] as Protection,
    });
    return true;
  }

  /** Where files were that are here, and of which neither bytes nor metadata on the disk change. */
  get #untouched(): ReadonlyMap<RepoPath, RepoPath> {
    this.#untouchedFiles ??= new Map(
      this.#given.plan.arrivals.flatMap(({ before, after, here, same }) =>
        before !== undefined && here && same ? [[after.path, before.path] as const] : [],
      ),
    );
    return this.#untouchedFiles;
  }
  #untouchedFiles: Map<RepoPath, RepoPath> | undefined;

  /** The entry with the same record that is still in its place, or was carried here with its folder. */
  #origin(path: RepoPath, record: GitId): { known: KnownDirectory; k: number } | undefined {
    const folder = parentOf(path);
    for (const from of [this.#carriedFrom.get(folder), folder]) {
      const known = from === undefined ? undefined : this.#given.disk.row(from);
      const k = known === undefined ? -1 : placeIn(known, decodeName(nameOf(path)));
      if (
        known !== undefined &&
        k > 0 &&
        known.listing.kinds[k] !== KIND.dir &&
        recordAt(known, k) === record
      )
        return { known, k };
    }
    return undefined;
  }

  /** It was written just before its own row was looked at: a later look at others proves nothing of it. */
  #isRacy({ known, k }: { known: KnownDirectory; k: number }, observedNs: bigint): boolean {
    const ctime = timeNs(known.listing.stats[k * STAT_WIDTH + STAT.ctime]!);
    return known.observedNs < observedNs && ctime > known.observedNs - this.#given.grainNs;
  }

  #placed(
    row: RowBuilder,
    { name, record, seen }: { name: FsName; record: GitId; seen: Placed },
    observedNs: bigint,
  ): void {
    const rec = parseRecord(this.#given.repo.history.readBlobText(record));
    const stats = seen.stats.slice(0, STAT_WIDTH);
    const racy = timeNs(stats[STAT.ctime]!) > seen.observedNs - this.#given.grainNs;
    if (racy && seen.observedNs <= observedNs) stats[STAT.ctime] = 0n;
    row.add({
      name,
      kind: rec.type === 'symlink' ? KIND.symlink : KIND.file,
      mode: seen.mode ?? parseMode(rec.mode),
      stats,
      at: 0,
      hash: rec.blake3!,
      id: rec.id,
      record,
      protection: seen.protection,
    });
  }

  #own(row: RowBuilder, path: RepoPath, record: GitId): void {
    const { repo, plan, disk, failed } = this.#given;
    const rec: Rec = parseRecord(repo.history.readBlobText(record));
    const from = this.#carriedFrom.get(path);
    const old = from === undefined ? undefined : disk.row(from);
    const wasAbsent = old !== undefined && (old.protections[0] === PROTECTION.absent || isWhollyAbsent(old));
    const lacking = !plan.needed.has(path) && (old === undefined || wasAbsent);
    const absent = path !== ROOT && (lacking || isAtOrBelow(path, failed));
    const stat = absent ? undefined : this.#live.stat(path);
    const stats = new BigInt64Array(STAT_WIDTH);
    if (stat !== undefined) putStat(stats, 0, stat);
    const kept = old !== undefined && idAt(old, 0) === rec.id && recordAt(old, 0) === record;
    const mode = this.#modeGiven(path) ?? (kept ? old.listing.modes[0]! : parseMode(rec.mode));
    row.own(rec.id, record, mode, { absent, ...(stat !== undefined && { stats }) });
  }
}
