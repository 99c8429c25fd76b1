import fs from 'node:fs';
import {
  DIRECTORY_RECORD,
  decodeName,
  decodePath,
  decodeTarget,
  type EncodedName,
  encodedName,
  type FsName,
  type GitId,
  joinPath,
  KIND,
  type KnownDirectory,
  type PathProblem,
  PLAIN_FOLDER_MODE,
  PROTECTION,
  parseMode,
  parseMtime,
  parseRecord,
  type Rec,
  type RepoPath,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import { encodeRow, HistoryReader, type TreeEntry } from '@bk/store';
import { nodePath, putStat, type WantedFile } from '@bk/worktree';
import { RowBuilder } from '../index/row-builder.ts';
import { type CloneFile, type ClonePlaces, FileCloner, type Made } from './files.ts';
import { type Mirrored, mirrorOf, pathOf, rowOfCopy } from './mirror.ts';
import type { FolderPart } from './selection.ts';

/** Folders of a commit whose files are to be copied into staging, and whose rows of the index are to be made. */
export interface CloneFoldersTask extends ClonePlaces {
  /** Git directory that the trees and records are read from. */
  readonly history: string;
  readonly folders: readonly FolderPart[];
  /** Of each folder, its row in the source's index, where that mirrors the same commit. */
  readonly sourceRows?: readonly (Uint8Array | undefined)[];
}

export interface CloneFoldersResult {
  /** Of each folder; files that are late are absent in it. */
  readonly rows: readonly Uint8Array[];
  /** Files that need more than their own folder: large ones, hard links, and those that could not be had (`reason`). */
  readonly late: readonly CloneFile[];
  /** What this file system cannot hold. */
  readonly missing: readonly PathProblem[];
  /** Folders that are to have another mode than a plain one, once everything in them is there. */
  readonly modes: readonly (readonly [path: RepoPath, mode: number])[];
  readonly files: number;
  readonly bytes: number;
  /** See SafetyNet.touched. */
  readonly touched: Uint8Array;
}

/** A name of a folder by its record. */
interface Recorded {
  readonly path: RepoPath;
  readonly rec: Rec;
  readonly mtimeNs: bigint;
}

/** Larger files are copied one by one, so that all threads have some. */
const LARGE = 4 << 20;

/** Copies the files of some folders, folder by folder. */
export function cloneFolders(task: CloneFoldersTask, onBytes?: (bytes: number) => void): CloneFoldersResult {
  const files = FileCloner.of(task, onBytes);
  const history = historyOf(task);
  const work = new FolderWork(files, history);
  const rows = task.folders.map((part, i) => encodeRow(work.folder(part, task.sourceRows?.[i])));
  const { late, missing, modes } = work;
  return { rows, late, missing, modes, files: work.files, bytes: work.bytes, touched: files.takeTouched() };
}

let reader: { readonly key: string; readonly history: HistoryReader } | undefined;

/** One for each thread and clone. */
function historyOf({ key, history }: CloneFoldersTask): HistoryReader {
  if (reader?.key !== key) {
    reader?.history.close();
    reader = { key, history: new HistoryReader(history) };
  }
  return reader.history;
}

/** Lets go of what a thread keeps open for a clone. */
export function closeClone(): void {
  reader?.history.close();
  reader = undefined;
  FileCloner.close();
}

class FolderWork {
  readonly late: CloneFile[] = [];
  readonly missing: PathProblem[] = [];
  readonly modes: [RepoPath, number][] = [];
  files = 0;
  bytes = 0;
  readonly #cloner: FileCloner;
  readonly #history: HistoryReader;

  constructor(cloner: FileCloner, history: HistoryReader) {
    this.#cloner = cloner;
    this.#history = history;
  }

  /** @param sourceRow see CloneFoldersTask */
  folder(part: FolderPart, sourceRow: Uint8Array | undefined): KnownDirectory {
    const tree = this.#history.readTree(part.tree);
    if (!part.made) return this.#fill(part, tree, undefined);
    const mirrored = sourceRow && this.#cloner.copiesPlainly && mirrorOf(part, sourceRow, tree, LARGE);
    return this.#cloner.inFolder(decodePath(part.path), (at) =>
      mirrored ? this.#mirror(part, mirrored, at) : this.#fill(part, tree, at),
    );
  }

  /** The short way: see mirrorOf. */
  #mirror(part: FolderPart, mirrored: Mirrored, at: string): KnownDirectory {
    const cloner = this.#cloner;
    const row = rowOfCopy(mirrored);
    const { names, stats, modes } = row.listing;
    const source = cloner.sourceFolder(decodePath(part.path));
    mirrored.wanted.forEach((wanted, k) => {
      if (wanted === undefined) return;
      const name = names[k]!;
      const made =
        typeof source === 'string'
          ? cloner.copyInto(`${source}${name}`, `${at}${name}`, wanted)
          : source.reason;
      if (typeof made === 'string') {
        this.late.push({ path: pathOf(part, mirrored, k), wanted, reason: made });
        stats[k * STAT_WIDTH + STAT.size] = BigInt(wanted.size);
        stats[k * STAT_WIDTH + STAT.mtime] = BigInt.asIntN(64, wanted.mtimeNs);
        modes[k] = mirrored.known.listing.modes[k]!;
        row.protections[k] = PROTECTION.absent;
        return;
      }
      putStat(stats, k, made.stat);
      modes[k] = Number(made.stat.mode & 0o7777n);
      row.protections[k] = made.protection;
      this.files++;
      this.bytes += wanted.size;
    });
    const stat = fs.lstatSync(nodePath(`${at}.`), { bigint: true });
    putStat(stats, 0, stat);
    modes[0] = Number(stat.mode & 0o7777n);
    if (modes[0] !== PLAIN_FOLDER_MODE) this.modes.push([part.path, PLAIN_FOLDER_MODE]);
    return row;
  }

  #fill(part: FolderPart, tree: readonly TreeEntry[], at: string | undefined): KnownDirectory {
    const row = new RowBuilder();
    row.addFolder('.' as FsName, PLAIN_FOLDER_MODE);
    const wanted = part.files === 'all' ? undefined : new Set<EncodedName>(part.files);
    const made = part.folders === 'all' ? undefined : new Set<EncodedName>(part.folders);
    let own: { readonly rec: Rec; readonly id: GitId } | undefined;
    for (const entry of tree) {
      if (entry.kind === 'tree')
        row.addFolder(checkedName(entry.name), PLAIN_FOLDER_MODE, made?.has(entry.name) === false);
      else if (entry.name === DIRECTORY_RECORD) own = { rec: this.#record(entry.id), id: entry.id };
      else
        this.#entry(
          row,
          part.path,
          entry,
          at !== undefined && wanted?.has(entry.name) !== false ? at : undefined,
        );
    }
    return this.#finish(row, part, { own, at });
  }

  #record(id: GitId): Rec {
    return parseRecord(this.#history.readBlobText(id));
  }

  /** @param at of its folder in staging; undefined: it is not to be here */
  #entry(row: RowBuilder, folder: RepoPath, entry: TreeEntry, at: string | undefined): void {
    const rec = this.#record(entry.id);
    const name = checkedName(entry.name);
    const path = joinPath(folder, entry.name);
    const kind = rec.type === 'symlink' ? KIND.symlink : KIND.file;
    const mtimeNs = parseMtime(rec.mtime!);
    const base = { name, kind, hash: rec.blake3!, id: rec.id, record: entry.id, at: 0 };
    const made = at === undefined ? undefined : this.#make({ path, rec, mtimeNs }, `${at}${name}`);
    if (made === undefined) {
      row.add({
        ...base,
        mode: parseMode(rec.mode),
        stats: recordedStats(rec, mtimeNs),
        protection: PROTECTION.absent,
      });
      return;
    }
    this.files++;
    this.bytes += rec.size ?? 0;
    row.add({ ...base, ...made });
  }

  /** @returns undefined: it is late, or missing */
  #make({ path, rec, mtimeNs }: Recorded, at: string): Made | undefined {
    const cloner = this.#cloner;
    if (rec.type === 'symlink') {
      const made = cloner.link(decodeTarget(rec.target ?? '', rec.size ?? 0), at, mtimeNs);
      if (typeof made !== 'string') return made;
      this.missing.push({ path, reason: made });
      return undefined;
    }
    const file: CloneFile = {
      path,
      wanted: wantedBy(rec, mtimeNs),
      ...(rec.linked !== undefined && { linked: rec.linked }),
    };
    if (file.linked !== undefined || file.wanted.size > LARGE) {
      this.late.push(file);
      return undefined;
    }
    const made = cloner.make(file, at);
    if (typeof made !== 'string') return made;
    this.late.push({ ...file, reason: made });
    return undefined;
  }

  #finish(
    row: RowBuilder,
    part: FolderPart,
    { own, at }: { own: { rec: Rec; id: GitId } | undefined; at: string | undefined },
  ): KnownDirectory {
    const stat = at === undefined ? undefined : fs.lstatSync(nodePath(`${at}.`), { bigint: true });
    const stats = new BigInt64Array(STAT_WIDTH);
    if (stat !== undefined) {
      putStat(stats, 0, stat);
      row.listedAt(stats);
    }
    const mode = own === undefined ? PLAIN_FOLDER_MODE : parseMode(own.rec.mode);
    if (own !== undefined)
      row.own(own.rec.id, own.id, mode, stat === undefined ? { absent: true } : { stats });
    const known = row.finish({ tree: part.tree, observedNs: 0n, mount: false });
    if (stat !== undefined) {
      known.listing.modes[0] = Number(stat.mode & 0o7777n);
      if (mode !== known.listing.modes[0]) this.modes.push([part.path, mode]);
    }
    return known;
  }
}

/** The history may be another repository's own, which nothing has vetted here. */
function checkedName(name: EncodedName): FsName {
  return decodeName(encodedName(name));
}

function wantedBy(rec: Rec, mtimeNs: bigint): WantedFile {
  return {
    blake3: rec.blake3!,
    size: rec.size!,
    // Rule 11: set-uid and set-gid are recorded, not given.
    mode: parseMode(rec.mode) & 0o1777,
    mtimeNs,
  };
}

function recordedStats(rec: Rec, mtimeNs: bigint): BigInt64Array {
  const stats = new BigInt64Array(STAT_WIDTH);
  stats[STAT.size] = BigInt(rec.size ?? 0);
  stats[STAT.mtime] = BigInt.asIntN(64, mtimeNs);
  return stats;
}
