import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  type ContentHash,
  DIRECTORY_RECORD,
  type EncodedName,
  formatRecord,
  type GitId,
  type ObjectId,
  type Rec,
} from '@bk/core';
import { HistoryReader, initHistory, PackWriter, type TreeEntry, updateRef } from '@bk/store';
import type { PastHere } from './ls.ts';

/** A made-up history of real records, without a folder beside it. */
export interface MadePast {
  readonly repo: PastHere & { head: GitId | undefined };
  /** Commits these records (path of the blob to record) onto `parents`, by default the head, which moves. */
  commit(records: Readonly<Record<string, Rec>>, options?: MadeCommit): GitId;
  git(...args: string[]): string;
  [Symbol.dispose](): void;
}

export interface MadeCommit {
  readonly parents?: readonly GitId[];
  readonly message?: string;
  readonly timeSec?: number;
}

export const START = Date.UTC(2026, 9, 1, 12) / 1000;
export const NOW = { nowMs: () => (START + 86_400) * 1000 };

/** An object id from a small number. */
export function idOf(n: number): ObjectId {
  return `0190a1b2-c3d4-7e5f-8a6b-${String(n).padStart(12, '0')}` as ObjectId;
}

export function file(n: number, content = `content ${n}`, more: Partial<Rec> = {}): Rec {
  const blake3 = crypto.hash('sha256', content) as ContentHash;
  const mtime = '2026-01-02T03:04:05.000000006Z';
  return { v: 1, id: idOf(n), type: 'file', blake3, size: content.length, mtime, mode: '0644', ...more };
}

export function folder(n: number, mode = '0755'): Rec {
  return { v: 1, id: idOf(n), type: 'dir', mode };
}

export function newPast(): MadePast {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-past-'));
  const root = path.join(base, 'root');
  const dir = path.join(base, 'history');
  fs.mkdirSync(root);
  initHistory(dir);
  const history = new HistoryReader(dir);
  const repo = {
    history,
    head: undefined as GitId | undefined,
    layout: { history: dir, root },
    index: { living: () => new Set<ContentHash>() },
  };
  let count = 0;
  return {
    repo,
    commit(records, options = {}) {
      const parents = options.parents ?? (repo.head === undefined ? [] : [repo.head]);
      const writer = new PackWriter(dir, base, { reader: history });
      const who = {
        name: 'Ann',
        email: 'ann@home',
        timeSec: options.timeSec ?? START + 60 * count++,
        offsetMinutes: 120,
      };
      const tree = writeFolder(writer, nest(records));
      const id = writer.addCommit({
        tree,
        parents,
        author: who,
        committer: who,
        message: options.message ?? 'x\n',
      });
      writer.finish();
      updateRef(dir, 'refs/heads/main', repo.head, id);
      repo.head = id;
      return id;
    },
    git: (...args) =>
      execFileSync('git', ['--git-dir', dir, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 }),
    [Symbol.dispose]() {
      history.close();
      fs.rmSync(base, { recursive: true, force: true });
    },
  };
}

interface Nest {
  readonly files: Map<string, Rec>;
  readonly folders: Map<string, Nest>;
}

function nest(records: Readonly<Record<string, Rec>>): Nest {
  const root: Nest = { files: new Map(), folders: new Map() };
  for (const [blob, record] of Object.entries(records)) {
    const names = blob.split('/');
    let at = root;
    for (const name of names.slice(0, -1)) {
      const next: Nest = at.folders.get(name) ?? { files: new Map(), folders: new Map() };
      at.folders.set(name, next);
      at = next;
    }
    at.files.set(names.at(-1)!, record);
  }
  return root;
}

function writeFolder(writer: PackWriter, { files, folders }: Nest): GitId {
  const entries: TreeEntry[] = [];
  for (const [name, record] of files) {
    entries.push({ name: name as EncodedName, kind: 'blob', id: writer.addBlob(formatRecord(record)) });
  }
  for (const [name, below] of folders)
    entries.push({ name: name as EncodedName, kind: 'tree', id: writeFolder(writer, below) });
  return writer.addTree(entries);
}

/** Path of the blob of a folder's own record. */
export function own(of: string): string {
  return of === '' ? DIRECTORY_RECORD : `${of}/${DIRECTORY_RECORD}`;
}
