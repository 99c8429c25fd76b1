import type { EntryType } from '../entry.ts';
import type { ContentHash } from '../ids.ts';
import { parentOf, type RepoPath } from '../path.ts';

/** A file of a tree, as far as contents are compared. */
export interface ContentAt {
  readonly path: RepoPath;
  readonly type: EntryType;
  readonly blake3: ContentHash;
  readonly size: number;
}

/** Whether an equal content shows that two files are the same: not so of empty files and links. */
export function isEvidence({
  type,
  size = 0,
}: {
  readonly type: EntryType;
  readonly size?: number;
}): boolean {
  return type === 'file' && size > 0;
}

/** What is deeper counts as lying in its folder of this level: people name no folders so deep, and cost grows with depth. */
const DEEPEST = 32;

/**
 * The folders of a tree that hold files, in preorder: what lies below folder i are the folders from i on, before
 * `end[i]`. A folder that holds nothing but one other folder is left out; the inner one stands for both.
 */
export interface FolderContents {
  readonly paths: readonly RepoPath[];
  readonly end: Int32Array;
  /** The folder above, -1: none. */
  readonly above: Int32Array;
  /** Numbers of the contents of all files, folder by folder. */
  readonly contents: Int32Array;
  /** Where a folder's files begin in `contents`, those below it included up to `firstFile[end[i]]`. */
  readonly firstFile: Int32Array;
}

/** @param numberOf gives every content a number: 0, 1, 2 … */
export function folderContents(
  files: readonly ContentAt[],
  numberOf: (content: ContentHash) => number,
): FolderContents {
  const byFolder = groupByFolder(files, numberOf);
  const keys = foldersThatBranch(byFolder);
  const count = keys.length;
  const end = new Int32Array(count).fill(count);
  const above = new Int32Array(count).fill(-1);
  const firstFile = new Int32Array(count + 1);
  const contents = new Int32Array(files.length);
  const open: number[] = [];
  let next = 0;
  for (const [i, key] of keys.entries()) {
    while (open.length > 0 && !key.startsWith(keys[open.at(-1)!]!)) end[open.pop()!] = i;
    above[i] = open.at(-1) ?? -1;
    open.push(i);
    firstFile[i] = next;
    for (const content of byFolder.get(key) ?? []) contents[next++] = content;
  }
  firstFile[count] = next;
  return { paths: keys.map((key) => key.slice(0, -1) as RepoPath), end, above, contents, firstFile };
}

/** Folders are written with a `/` at the end (the root is ''), so that whatever lies below one begins with it. */
function groupByFolder(
  files: readonly ContentAt[],
  numberOf: (content: ContentHash) => number,
): Map<string, number[]> {
  const byFolder = new Map<string, number[]>();
  const keys = new Map<RepoPath, number[]>();
  for (const { path, blake3 } of files) {
    const folder = parentOf(path);
    let contents = keys.get(folder);
    if (contents === undefined) {
      const key = folderKey(folder);
      contents = byFolder.get(key) ?? [];
      byFolder.set(key, contents);
      keys.set(folder, contents);
    }
    contents.push(numberOf(blake3));
  }
  return byFolder;
}

function folderKey(folder: RepoPath): string {
  if (folder === '') return '';
  let end = 0;
  for (let level = 0; level < DEEPEST && end >= 0; level++) end = folder.indexOf('/', end + 1);
  return `${end < 0 ? folder : folder.slice(0, end)}/`;
}

/** Those with files of their own or with several folders that have any, sorted. */
function foldersThatBranch(byFolder: ReadonlyMap<string, unknown>): string[] {
  const branches = new Map<string, number>();
  for (const key of byFolder.keys()) {
    let at = branches.has(key) ? '' : key;
    branches.set(key, 2);
    while (at !== '') {
      at = at.slice(0, at.lastIndexOf('/', at.length - 2) + 1);
      const known = branches.get(at);
      branches.set(at, (known ?? 0) + 1);
      if (known !== undefined) break;
    }
  }
  return [...branches].flatMap(([key, count]) => (count > 1 ? [key] : [])).sort();
}
