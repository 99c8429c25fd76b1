import {
  type ContentHash,
  DIRECTORY_RECORD,
  decodeTarget,
  type EncodedName,
  escapeBytes,
  type FileAt,
  type FolderAt,
  type GitId,
  isInside,
  joinPath,
  PLAIN_FOLDER_MODE,
  parseMode,
  type Rec,
  type RepoPath,
  ROOT,
  type TreeChange,
  type WholeMove,
} from '@bk/core';
import type { ObjectReader, TreeEntry } from '@bk/store';
import { recordReader } from '../history/differences.ts';
import { factsOf } from '../recover/versions.ts';

/** Two trees of the history compared, with what the index needs to follow. */
export interface HistoryChange extends TreeChange {
  /** Folders that are the same in another place, and of which nothing is here nor wanted. */
  readonly movedAbsent: readonly WholeMove[];
  /** Folders of the tree after that differ, with their trees; not those inside of moved ones. */
  readonly trees: ReadonlyMap<RepoPath, GitId>;
}

export interface WholeFolders {
  /** Of everything below a folder of the tree before. */
  readonly stateOf: (folder: RepoPath) => 'here' | 'absent' | 'mixed';
  readonly holdsMore: (folder: RepoPath) => boolean;
  /** False: nothing below is wanted (a folder of the tree after). */
  readonly mayContain: (folder: RepoPath) => boolean;
}

/**
 * What differs between two trees (undefined: nothing there). Equal trees at one path are not read; those that are found
 * under another path are moved as a whole, whatever is in them, and their records are not read.
 */
export function treeChange(
  history: ObjectReader,
  before: GitId | undefined,
  after: GitId | undefined,
  whole: WholeFolders,
): HistoryChange {
  return new Comparison(history, whole).run(before, after);
}

/** A folder that differs, or is in one of the trees only. */
interface Node {
  readonly path: RepoPath;
  readonly before: GitId | undefined;
  readonly after: GitId | undefined;
  readonly parent: Node | undefined;
  readonly children: Node[];
  /** Where its tree before is found again, and where its tree after was before. */
  goes?: Node;
  comes?: Node;
}

type Side = 'before' | 'after';

class Comparison {
  readonly #history: ObjectReader;
  readonly #whole: WholeFolders;
  readonly #record: (blob: GitId) => Rec;
  readonly #entries = new Map<GitId, readonly TreeEntry[]>();
  readonly #came = new Map<GitId, Node>();
  readonly #lists = {
    before: { files: [] as FileAt[], folders: [] as FolderAt[] },
    after: { files: [] as FileAt[], folders: [] as FolderAt[] },
  };
  readonly #trees = new Map<RepoPath, GitId>();

  constructor(history: ObjectReader, whole: WholeFolders) {
    this.#history = history;
    this.#whole = whole;
    this.#record = recordReader(history);
  }

  run(before: GitId | undefined, after: GitId | undefined): HistoryChange {
    if (before === after) return { ...this.#lists, moved: [], movedAbsent: [], trees: this.#trees };
    const root = this.#grow(ROOT, before, after, undefined);
    const matched: Node[] = [];
    this.#match(root, matched);
    const isHere = ({ path }: Node): boolean => this.#whole.stateOf(path) === 'here';
    for (let no = unmatchImpossible(matched, isHere); no.length > 0; no = unmatchImpossible(matched, isHere))
      for (const { children } of no) for (const child of children) this.#match(child, matched);
    const here = matched.filter(isHere);
    this.#list(root, true, true);
    const moves = (nodes: readonly Node[]): WholeMove[] =>
      nodes.flatMap(({ path, before: tree, goes }) =>
        goes === undefined || tree === undefined
          ? []
          : [{ from: path, to: goes.path, files: this.#count(tree) }],
      );
    const absent = matched.filter((node) => !here.includes(node));
    return { ...this.#lists, moved: moves(here), movedAbsent: moves(absent), trees: this.#trees };
  }

  #grow(path: RepoPath, before: GitId | undefined, after: GitId | undefined, parent: Node | undefined): Node {
    const node: Node = { path, before, after, parent, children: [] };
    if (after !== undefined && path !== ROOT) this.#came.set(after, node);
    const names = new Map<EncodedName, { before?: GitId; after?: GitId }>();
    for (const side of ['before', 'after'] as const) {
      const tree = node[side];
      if (tree === undefined) continue;
      for (const { name, kind, id } of this.#read(tree))
        if (kind === 'tree') names.set(name, { ...names.get(name), [side]: id });
    }
    for (const [name, ids] of names)
      if (ids.before !== ids.after)
        node.children.push(this.#grow(joinPath(path, name), ids.before, ids.after, node));
    return node;
  }

  /** The topmost folders that are found again in another place. */
  #match(node: Node, matched: Node[]): void {
    const to = node.before === undefined || node.path === ROOT ? undefined : this.#came.get(node.before);
    if (to !== undefined && to !== node && isFree(to) && this.#mayMove(node, to)) {
      node.goes = to;
      to.comes = node;
      matched.push(node);
      return;
    }
    for (const child of node.children) this.#match(child, matched);
  }

  #mayMove({ path }: Node, to: Node): boolean {
    const state = this.#whole.stateOf(path);
    if (state === 'absent') return !this.#whole.mayContain(to.path);
    return state === 'here' && !this.#whole.holdsMore(path);
  }

  /** What is not moved as a whole: files and folders on each side, equal ones left out. */
  #list(node: Node, listBefore: boolean, listAfter: boolean): void {
    const isBefore = listBefore && node.before !== undefined && node.goes === undefined;
    const isAfter = listAfter && node.after !== undefined && node.comes === undefined;
    if (!isBefore && !isAfter) return;
    const both = isBefore && isAfter;
    const other = new Map(both ? this.#read(node.after!).map(({ name, id }) => [name, id]) : []);
    const stays =
      both &&
      this.#read(node.before!).some(({ name, id }) => name !== DIRECTORY_RECORD && other.get(name) === id);
    if (isBefore)
      this.#listSide(node, 'before', stays, (entry) => both && other.get(entry.name) === entry.id);
    const old = new Map(both ? this.#read(node.before!).map(({ name, id }) => [name, id]) : []);
    if (isAfter) {
      this.#trees.set(node.path, node.after!);
      this.#listSide(node, 'after', stays, (entry) => both && old.get(entry.name) === entry.id);
    }
    for (const child of node.children) this.#list(child, isBefore, isAfter);
  }

  #listSide(node: Node, side: Side, stays: boolean, isEqual: (entry: TreeEntry) => boolean): void {
    const { files, folders } = this.#lists[side];
    const entries = this.#read(node[side]!);
    const own = entries.find(({ name }) => name === DIRECTORY_RECORD);
    const rec = own === undefined ? undefined : this.#record(own.id);
    folders.push({
      path: node.path,
      mode: rec === undefined ? PLAIN_FOLDER_MODE : parseMode(rec.mode),
      ...(rec !== undefined && { id: rec.id }),
      stays,
    });
    const known = new Set(node.children.map(({ path }) => path));
    for (const entry of entries) {
      const path = joinPath(node.path, entry.name);
      if (entry.name === DIRECTORY_RECORD || isEqual(entry)) continue;
      if (entry.kind === 'blob') files.push(fileAt(path, this.#record(entry.id)));
      // An equal folder whose other side went elsewhere as a part of something: listed all the same.
      else if (!known.has(path))
        this.#list(this.#lone(path, entry.id, side), side === 'before', side === 'after');
    }
  }

  #lone(path: RepoPath, tree: GitId, side: Side): Node {
    return { path, before: undefined, after: undefined, [side]: tree, parent: undefined, children: [] };
  }

  #read(tree: GitId): readonly TreeEntry[] {
    let entries = this.#entries.get(tree);
    if (entries === undefined) {
      entries = this.#history.readTree(tree);
      this.#entries.set(tree, entries);
    }
    return entries;
  }

  #count(tree: GitId): number {
    let files = 0;
    for (const { name, kind, id } of this.#read(tree))
      if (kind === 'tree') files += this.#count(id);
      else if (name !== DIRECTORY_RECORD) files++;
    return files;
  }
}

/** Nothing came to it, to a folder around it or in it. */
function isFree(node: Node): boolean {
  for (let at: Node | undefined = node; at !== undefined; at = at.parent)
    if (at.comes !== undefined) return false;
  return node.children.every(isFreeBelow);
}

function isFreeBelow(node: Node): boolean {
  return node.comes === undefined && node.children.every(isFreeBelow);
}

/**
 * A folder can take a place only where no other stays, and leave one that is a folder afterwards only if another comes
 * to it (a swap) or if it goes into itself. @returns those that cannot go as a whole: what is in them may
 */
function unmatchImpossible(matched: Node[], isHere: (node: Node) => boolean): Node[] {
  const impossible: Node[] = [];
  for (let again = true; again; ) {
    again = false;
    for (const node of [...matched]) {
      const to = node.goes;
      if (to === undefined || !isHere(node)) continue;
      const free = to.before === undefined || to.goes !== undefined;
      const leaves = node.after === undefined || node.comes !== undefined || isInside(to.path, node.path);
      if (free && leaves) continue;
      delete node.goes;
      delete to.comes;
      matched.splice(matched.indexOf(node), 1);
      impossible.push(node);
      again = true;
    }
  }
  return impossible;
}

function fileAt(path: RepoPath, rec: Rec): FileAt {
  const { id, type, size, mtimeNs, mode, blake3, target } = factsOf(rec);
  const bytes = type === 'symlink' ? { target: escapeBytes(decodeTarget(target ?? '', size)) } : {};
  return {
    path,
    id,
    type: type as FileAt['type'],
    blake3: blake3 as ContentHash,
    size,
    mtimeNs,
    mode,
    ...bytes,
    ...(rec.was !== undefined && { was: rec.was }),
  };
}
