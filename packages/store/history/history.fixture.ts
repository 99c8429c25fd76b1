import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type EncodedName, type GitId, type RepoPath, ROOT } from '@bk/core';
import fc from 'fast-check';
import { initHistory } from './init.ts';
import { PackWriter } from './pack-writer.ts';
import { updateRef } from './refs.ts';
import type { TreeEntry } from './tree-object.ts';

/** A history in a temporary folder, and git to look at it. */
export interface History {
  readonly dir: string;
  readonly staging: string;
  /** Output of git in the history; its configuration outside is not read. */
  git(...args: string[]): string;
  pack(fill: (writer: PackWriter) => void): string | undefined;
  /** Commits these files (path to content) onto `parents` without moving a ref. */
  commit(files: Readonly<Record<string, string>>, options?: CommitOptions): GitId;
  [Symbol.dispose](): void;
}

export interface CommitOptions {
  readonly parents?: readonly GitId[];
  readonly timeSec?: number;
  readonly message?: string;
  /** Moves refs/heads/main from its parent. */
  readonly main?: boolean;
}

export const MAIN = 'refs/heads/main';

export function newHistory(): History {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-history-'));
  const dir = path.join(root, 'history');
  const staging = path.join(root, 'staging');
  fs.mkdirSync(staging);
  initHistory(dir);
  const env = {
    PATH: process.env['PATH'],
    GIT_CONFIG_NOSYSTEM: '1',
    HOME: root,
    GIT_CONFIG_GLOBAL: '/dev/null',
  };
  const pack = (fill: (writer: PackWriter) => void) => {
    const writer = new PackWriter(dir, staging);
    fill(writer);
    return writer.finish()?.pack;
  };
  return {
    dir,
    staging,
    git: (...args) =>
      execFileSync('git', ['--git-dir', dir, ...args], {
        env,
        encoding: 'utf8',
        maxBuffer: 1 << 28,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    pack,
    commit(files, options = {}) {
      let id = '' as GitId;
      pack((writer) => {
        const who = {
          name: 'Ann',
          email: 'ann@home',
          timeSec: options.timeSec ?? 1_800_000_000,
          offsetMinutes: 60,
        };
        const tree = addTrees(writer, files);
        const { parents = [], message = 'x\n' } = options;
        id = writer.addCommit({ tree, parents, author: who, committer: who, message });
      });
      if (options.main ?? false) updateRef(dir, MAIN, options.parents?.[0], id);
      return id;
    },
    [Symbol.dispose]: () => fs.rmSync(root, { recursive: true, force: true }),
  };
}

/** Writes nested trees for paths; a path that is also another's folder is left out. */
export function addTrees(writer: PackWriter, files: Readonly<Record<string, string>>): GitId {
  const folders = new Map<string, TreeEntry[]>([['', []]]);
  const enter = (folder: string): TreeEntry[] => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    enter(folder.slice(0, Math.max(folder.lastIndexOf('/'), 0)));
    folders.set(folder, []);
    return folders.get(folder)!;
  };
  for (const [file, content] of Object.entries(files)) {
    const slash = file.lastIndexOf('/');
    enter(file.slice(0, Math.max(slash, 0))).push({
      name: file.slice(slash + 1) as EncodedName,
      kind: 'blob',
      id: writer.addBlob(content),
    });
  }
  const ids = new Map<string, GitId>();
  for (const folder of [...folders.keys()].sort((a, b) => b.split('/').length - a.split('/').length)) {
    if (folder === '') continue;
    const id = writer.addTree(folders.get(folder)!);
    const slash = folder.lastIndexOf('/');
    folders
      .get(folder.slice(0, Math.max(slash, 0)))!
      .push({ name: folder.slice(slash + 1) as EncodedName, kind: 'tree', id });
    ids.set(folder, id);
  }
  return writer.addTree(folders.get(ROOT as RepoPath)!);
}

/** Names that share prefixes, sort differently in UTF-16 and UTF-8, or have odd characters (canonical for `git fsck`). */
export const nameArbitrary = fc
  .oneof(
    fc.constantFrom(
      'a',
      'a.b',
      'a-b',
      'a0',
      'ab',
      'B',
      '%0A',
      '\uE000',
      '\uFFFD',
      '😀',
      '\u{10FFFF}',
      'é',
      'e\u0301',
      ' ',
      '"',
    ),
    fc.string({
      unit: fc.constantFrom('a', '.', '-', '0', '\uFF5E', '😀', '\uE000'),
      minLength: 1,
      maxLength: 4,
    }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
  )
  .filter((name) => !/[/\\\u0000-\u001f\u007f]|^\.{1,2}$/.test(name) && !/git|\.bk|~1/i.test(name));

/** A few files in nested folders, no path being another's folder. */
export const filesArbitrary: fc.Arbitrary<Record<string, string>> = fc
  .array(fc.tuple(fc.array(nameArbitrary, { minLength: 1, maxLength: 3 }), fc.string({ maxLength: 20 })), {
    maxLength: 20,
  })
  .map((files) => {
    const kept: Record<string, string> = Object.create(null);
    for (const [names, content] of files) {
      const file = names.join('/');
      const clash = Object.keys(kept).some(
        (other) => other === file || other.startsWith(`${file}/`) || file.startsWith(`${other}/`),
      );
      if (!clash) kept[file] = content;
    }
    return kept;
  });
