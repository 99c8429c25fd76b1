import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  DIRECTORY_RECORD,
  decodeName,
  encodeTarget,
  type FsName,
  type GitId,
  hasOwnRecord,
  joinPath,
  KIND,
  type KnownDirectory,
  PROTECTION,
  parseMode,
  parseMtime,
  parseRecord,
  type Rec,
  type RepoPath,
  ROOT,
} from '@bk/core';
import { IndexDb, layoutOf, walkTree } from '@bk/store';
import { hashBytes } from '@bk/worktree';
import { expect } from 'vitest';
import { type CommitOptions, type CommitResult, commit } from './commit.ts';
import type { Context } from './context.ts';
import { rebuildIndex } from './index/rebuild.ts';
import { init } from './init.ts';
import { hashAt, idAt, recordAt } from './observe/draft.ts';
import { ownPresence } from './presence/presence.ts';
import { openRepository, type Repository } from './repository.ts';
import { type StatusOptions, type StatusResult, status } from './status.ts';

const GIT_ENV = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
};

/** A real folder under bk. Paths are byte strings, one char per byte, relative to the root. */
export class TestTree {
  readonly base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'bk-tree-')));
  readonly root = path.join(this.base, 'root');
  readonly context: Context;
  #random = 0;
  #seconds = Date.UTC(2026, 9, 1) / 1000;

  constructor() {
    this.context = {
      report: () => {},
      nowMs: () => this.#seconds++ * 1000,
      random: (bytes) => Uint8Array.from({ length: bytes }, () => this.#nextByte()),
    };
    fs.mkdirSync(this.root, { mode: 0o755 });
    fs.chmodSync(this.root, 0o755);
    init(this.root, {}, this.context);
  }

  #nextByte(): number {
    this.#random = (this.#random * 1_103_515_245 + 12_345) & 0x7fffffff;
    return this.#random >> 16;
  }

  [Symbol.dispose](): void {
    execFileSync('chmod', ['-R', 'u+rwx', this.base]);
    fs.rmSync(this.base, { recursive: true, force: true });
  }

  at(file: string): Buffer {
    return Buffer.from(file === '' ? this.root : `${this.root}/${file}`, 'latin1');
  }

  write(file: string, text: string): void {
    const folder = path.posix.dirname(file);
    if (folder !== '.') this.mkdir(folder);
    fs.writeFileSync(this.at(file), text);
  }

  mkdir(folder: string): void {
    fs.mkdirSync(this.at(folder), { recursive: true, mode: 0o755 });
  }

  mv(from: string, to: string): void {
    fs.renameSync(this.at(from), this.at(to));
  }

  /** As editors save: a new file takes the name. */
  save(file: string, text: string): void {
    fs.writeFileSync(this.at(`${file}.new`), text);
    this.mv(`${file}.new`, file);
  }

  async with<T>(work: (repo: Repository) => Promise<T> | T): Promise<T> {
    const repo = openRepository(this.root);
    try {
      return await work(repo);
    } finally {
      repo.close();
    }
  }

  commit(options: CommitOptions = {}): Promise<CommitResult> {
    return this.with((repo) => commit(repo, options, this.context));
  }

  status(options: StatusOptions = {}): Promise<StatusResult> {
    return this.with((repo) => status(repo, options, this.context));
  }

  git(...args: string[]): string {
    return execFileSync('git', ['--git-dir', layoutOf(this.root).history, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: GIT_ENV,
    });
  }

  fsck(): void {
    expect(this.git('fsck', '--strict', '--no-dangling')).toBe('');
  }

  /** Every record of the head, folders' own under `FOLDER/.bkdir`. */
  records(): Promise<Map<string, Rec>> {
    return this.with((repo) => recordsOf(repo));
  }

  /** `type path` of all changes, as short as can be compared. */
  async changes(options: StatusOptions = {}): Promise<string[]> {
    return short((await this.status(options)).changes);
  }

  /** Fails unless the index mirrors the head exactly and could be made anew from the history. */
  async verifyIndex(): Promise<void> {
    await this.with((repo) => verifyIndex(repo, this.base));
  }

  /** Fails unless the head says what is on the disk, all of it and nothing else. */
  async verifyDisk(): Promise<void> {
    const records = await this.records();
    expect(namesOf(records)).toEqual(namesOf(this.#expected(records)));
    for (const [file, rec] of this.#expected(records)) {
      // What no disk can tell.
      const { id, was, conflict } = records.get(file)!;
      const told = { ...rec, id, ...(was && { was }), ...(conflict && { conflict }) };
      expect({ [file]: records.get(file) }).toEqual({ [file]: told });
    }
  }

  /** The whole of what a full commit must leave behind. */
  async verify(): Promise<void> {
    const seen = await this.status();
    expect({ changes: seen.changes, unreadable: seen.unreadable }).toEqual({ changes: [], unreadable: [] });
    await this.verifyDisk();
    await this.verifyIndex();
    this.fsck();
  }

  #expected(records: ReadonlyMap<string, Rec>): Map<string, Omit<Rec, 'id'>> {
    const expected = new Map<string, Omit<Rec, 'id'>>();
    const inodes = new Map<bigint, string[]>();
    const visit = (folder: string, at: RepoPath): void => {
      const mode = Number(fs.lstatSync(this.at(folder)).mode & 0o7777);
      let filled = false;
      for (const name of fs.readdirSync(this.at(folder), 'latin1')) {
        if (folder === '' && name === '.bk') continue;
        const place = folder === '' ? name : `${folder}/${name}`;
        const stat = fs.lstatSync(this.at(place), { bigint: true });
        const file = joinPath(at, encoded(name));
        if (stat.isDirectory()) {
          filled = true;
          visit(place, file);
        } else if (stat.isFile() || stat.isSymbolicLink()) {
          filled = true;
          expected.set(file, this.#entry(place, stat));
          if (stat.isFile()) inodes.set(stat.ino, [...(inodes.get(stat.ino) ?? []), file]);
        }
      }
      if (!filled || mode !== 0o755)
        expected.set(joinPath(at, DIRECTORY_RECORD), { v: 1, type: 'dir', mode: octal(mode) });
    };
    visit('', ROOT);
    for (const group of inodes.values()) {
      if (group.length < 2) continue;
      const ids = group.flatMap((file) => records.get(file)?.id ?? []).sort();
      for (const file of group) expected.set(file, { ...expected.get(file)!, linked: ids[0]! });
    }
    return expected;
  }

  #entry(place: string, stat: fs.BigIntStats): Omit<Rec, 'id'> {
    const link = stat.isSymbolicLink() ? fs.readlinkSync(this.at(place), 'latin1') : undefined;
    const bytes = link === undefined ? fs.readFileSync(this.at(place)) : Buffer.from(link, 'latin1');
    const seconds = new Date(Number(stat.mtimeNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
    return {
      v: 1,
      type: link === undefined ? 'file' : 'symlink',
      blake3: hashBytes(bytes),
      size: bytes.length,
      mode: octal(Number(stat.mode & 0o7777n)),
      mtime: `${seconds}.${String(stat.mtimeNs % 1_000_000_000n).padStart(9, '0')}Z`,
      ...(link !== undefined && { target: encodeTarget(link) }),
    };
  }
}

function namesOf(of: ReadonlyMap<string, unknown>): string[] {
  return [...of.keys()].sort();
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** Of names whose encoding is not the point of the tests here: only bytes that are no UTF-8 are escaped. */
function encoded(name: string): ReturnType<typeof joinPath> & Parameters<typeof joinPath>[1] {
  const text = Buffer.from(name, 'latin1').toString('utf8');
  const valid = !text.includes('\ufffd');
  return (
    valid ? text : name.replace(/[\x80-\xff]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  ) as never;
}

export function short(changes: CommitResult['changes']): string[] {
  return changes.map(
    ({ type, path: at, from, fields }) =>
      `${type} ${from === undefined ? '' : `${from} > `}${at}${fields === undefined ? '' : ` (${fields.join(' ')})`}`,
  );
}

export function recordsOf(repo: Repository): Map<string, Rec> {
  const records = new Map<string, Rec>();
  if (repo.head === undefined) return records;
  for (const { path: at, id } of walkTree(repo.history, repo.history.readCommit(repo.head).tree)) {
    records.set(at, parseRecord(repo.history.readBlobText(id)));
  }
  return records;
}

export function verifyIndex(repo: Repository, scratch: string): void {
  const { index, history, head } = repo;
  expect(index.head).toBe(head);
  const ids = new Set<string>();
  const folders = new Set<RepoPath>();
  let files = 0;
  const visit = (at: RepoPath, tree: GitId): void => {
    folders.add(at);
    const known = index.known(at);
    expect(known?.tree, `tree of the row of "${at}"`).toBe(tree);
    const wanted = new Map<string, string>([['.', 'folder itself']]);
    for (const { name, kind, id } of history.readTree(tree)) {
      const rec = kind === 'blob' ? parseRecord(history.readBlobText(id)) : undefined;
      if (rec !== undefined) {
        expect(ids.has(rec.id), `id of ${at}/${name} is there once`).toBe(false);
        ids.add(rec.id);
      }
      if (name === DIRECTORY_RECORD) {
        expect([idAt(known!, 0), recordAt(known!, 0), known!.listing.modes[0]]).toEqual([
          rec!.id,
          id,
          parseMode(rec!.mode),
        ]);
        wanted.set('.', 'folder itself, recorded');
      } else if (rec === undefined) {
        wanted.set(decodeName(name), 'folder');
        visit(joinPath(at, name), id);
      } else {
        files++;
        wanted.set(decodeName(name), `${rec.type} ${id} ${rec.id} ${rec.blake3} ${rec.size}`);
      }
    }
    expect(rowOf(known!), `row of "${at}"`).toEqual(
      [...wanted].sort(([a], [b]) => (a === '.' ? -1 : b === '.' ? 1 : a < b ? -1 : 1)),
    );
  };
  if (head !== undefined) visit(ROOT, history.readCommit(head).tree);
  expect(index.paths().sort()).toEqual([...folders].sort());
  expect(index.files).toBe(files);
  verifyRebuild(repo, scratch, folders);
}

function rowOf(known: KnownDirectory): [string, string][] {
  return known.listing.names.map((name, k): [string, string] => {
    if (k === 0) return [name, hasOwnRecord(known) ? 'folder itself, recorded' : 'folder itself'];
    if (known.listing.kinds[k] === KIND.dir) return [name as FsName, 'folder'];
    const type = known.listing.kinds[k] === KIND.symlink ? 'symlink' : 'file';
    return [
      name,
      `${type} ${recordAt(known, k)} ${idAt(known, k)} ${hashAt(known, k)} ${known.listing.stats[k * 6 + 1]}`,
    ];
  });
}

/** A row with what is absent by design. */
function flagged(known: KnownDirectory): [string, string][] {
  return rowOf(known).map(([name, is], k) => [
    name,
    known.protections[k] === PROTECTION.absent ? `${is}, absent` : is,
  ]);
}

/** An index made from the history alone says the same, but vouches for nothing. */
function verifyRebuild(repo: Repository, scratch: string, folders: ReadonlySet<RepoPath>): void {
  const file = path.join(scratch, 'rebuilt.sqlite');
  const rebuilt = IndexDb.open(file);
  try {
    const { history, head, config } = repo;
    rebuildIndex({ index: rebuilt, history, head, repository: config.id, own: ownPresence(repo) });
    expect(rebuilt.files).toBe(repo.index.files);
    expect(rebuilt.paths().sort()).toEqual([...folders].sort());
    for (const folder of folders)
      expect(flagged(rebuilt.known(folder)!)).toEqual(flagged(repo.index.known(folder)!));
    expect(rebuilt.absent.folders(ROOT)).toEqual(repo.index.absent.folders(ROOT));
    expect(rebuilt.presentFiles).toBe(repo.index.presentFiles);
    const departed = (index: IndexDb) =>
      index.departed
        .all()
        // When something came here and what the disk made of it, no history says; whether it came from elsewhere, it does.
        .map(({ inode: _inode, seen: _seen, released: _released, arrivedSec, ...row }) => ({
          ...row,
          arrived: arrivedSec !== undefined,
        }))
        .map((row) =>
          JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
        )
        .sort();
    expect(departed(rebuilt)).toEqual(departed(repo.index));
  } finally {
    rebuilt.close();
    IndexDb.discard(file);
  }
}

export function mtimeOf(rec: Rec): bigint {
  return parseMtime(rec.mtime!);
}
