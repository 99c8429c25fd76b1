import { BkError, compareTreeNames, type EncodedName, type GitId } from '@bk/core';

/** One line of a git tree: a folder (mode 40000) or the record of a file (mode 100644). bk writes no other modes. */
export interface TreeEntry {
  readonly name: EncodedName;
  readonly kind: 'tree' | 'blob';
  readonly id: GitId;
}

const FILE_MODE = '100644 ';
const FOLDER_MODE = '40000 ';

/** Git's order of tree entries: bytes of the UTF-8 name, a folder's name followed by `/`. 0 only for the same name and kind. */
export function compareTreeEntries(a: TreeEntry, b: TreeEntry): number {
  return compareTreeNames(a.name, a.kind === 'tree', b.name, b.kind === 'tree');
}

/** The entries in git's order (the same array if it is already). A name twice, or one git cannot hold, is a bug of the caller. */
export function sortTreeEntries(entries: readonly TreeEntry[]): readonly TreeEntry[] {
  let sorted = true;
  let folders = 0;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!;
    checkName(entry.name);
    if (entry.kind === 'tree') folders++;
    if (i > 0 && compareTreeEntries(entries[i - 1]!, entry) >= 0) sorted = false;
  }
  const result = sorted ? entries : [...entries].sort(compareTreeEntries);
  checkUnique(result, folders);
  return result;
}

function checkName(name: string): void {
  if (name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0')) return;
  throw new BkError('bug', `cannot write a tree: ${JSON.stringify(name)} is no name`);
}

/** A file and a folder of one name are not neighbours in git's order (`a`, `a.b`, `a/`), so they need a set. */
function checkUnique(sorted: readonly TreeEntry[], folders: number): void {
  const mixed = folders > 0 && folders < sorted.length;
  const names = mixed ? new Set<string>() : undefined;
  for (let i = 0; i < sorted.length; i++) {
    const { name } = sorted[i]!;
    if (names?.has(name) || (i > 0 && sorted[i - 1]!.name === name)) {
      throw new BkError('bug', `cannot write a tree: it has ${JSON.stringify(name)} twice`);
    }
    names?.add(name);
  }
}

/** Most bytes that `writeTree` can need. */
export function treeBound(entries: readonly TreeEntry[]): number {
  let bound = 0;
  for (const { name } of entries) bound += FILE_MODE.length + name.length * 3 + 21;
  return bound;
}

/** Writes the tree's body at `start`; the entries must be in git's order. @returns where it ends */
export function writeTree(entries: readonly TreeEntry[], target: Buffer, start: number): number {
  let at = start;
  for (const { name, kind, id } of entries) {
    at += target.write(kind === 'tree' ? FOLDER_MODE : FILE_MODE, at, 'latin1');
    at += target.write(name, at);
    target[at++] = 0;
    at += target.write(id, at, 20, 'hex');
  }
  return at;
}

/**
 * The entries of a tree's body, in the order they have there. Modes other than bk's, names that are not UTF-8 or no
 * names, a wrong order and a torn end are 'damaged'. Whether names are canonically encoded is checked at fetch.
 */
export function parseTree(body: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(32, at);
    const end = body.indexOf(0, at);
    if (space < 0 || end < space || end + 21 > body.length) throw new BkError('damaged', 'the tree is torn');
    const kind = kindOfMode(body.toString('latin1', at, space));
    const name = parseName(body, space + 1, end);
    const entry: TreeEntry = { name, kind, id: body.toString('hex', end + 1, end + 21) as GitId };
    const before = entries.at(-1);
    if (before !== undefined && compareTreeEntries(before, entry) >= 0) {
      throw new BkError('damaged', `the tree is not in order at ${JSON.stringify(name)}`);
    }
    entries.push(entry);
    at = end + 21;
  }
  return entries;
}

function kindOfMode(mode: string): 'tree' | 'blob' {
  if (mode === '100644') return 'blob';
  if (mode === '40000') return 'tree';
  throw new BkError('damaged', `the tree has an entry of mode ${JSON.stringify(mode.slice(0, 12))}`);
}

function parseName(body: Buffer, start: number, end: number): EncodedName {
  const name = body.toString('utf8', start, end);
  const replaced = name.includes('\ufffd') && !Buffer.from(name).equals(body.subarray(start, end));
  if (replaced || name === '' || name === '.' || name === '..' || name.includes('/')) {
    throw new BkError('damaged', `the tree has an impossible name ${JSON.stringify(name)}`);
  }
  return name as EncodedName;
}
