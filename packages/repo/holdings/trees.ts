import {
  DIRECTORY_RECORD,
  type EncodedName,
  type GitId,
  joinPath,
  nameOf,
  parentOf,
  type RepoPath,
  ROOT,
} from '@bk/core';
import { type HistoryReader, type TreeEntry, type TreeFile, walkTree } from '@bk/store';

type Trees = Pick<HistoryReader, 'readTree'>;

/** What a folder of the head and the folder at its place in another tree have in common, where they are not equal. */
interface Common {
  /** Files with the same record. */
  readonly files: Set<EncodedName>;
  /** Sub-folders that are equal as a whole. */
  readonly folders: Set<EncodedName>;
}

const NOTHING: ReadonlySet<EncodedName> = new Set();

/**
 * The head's tree against what a repository holds: what both have at the same place is answered without reading it, so
 * that a repository which holds all of the head costs nothing. Only folders that differ are read, and remembered.
 */
export class SharedTree {
  /** Blobs that the head has not, or not there: in the order of their folders. */
  readonly others: readonly TreeFile[];
  readonly #whole: boolean;
  readonly #common = new Map<RepoPath, Common>();

  /** @param head tree of the head; undefined: nothing was committed @param held undefined: it holds nothing */
  constructor(trees: Trees, head: GitId | undefined, held: GitId | undefined) {
    this.#whole = head === held;
    this.others = this.#whole || held === undefined ? [] : this.#compare(trees, head, held);
  }

  /** Which files of a folder of the head it holds: all, or those named (never those of sub-folders). */
  filesOf(folder: RepoPath): 'all' | ReadonlySet<EncodedName> {
    if (this.#whole) return 'all';
    const common = this.#common.get(folder);
    if (common !== undefined) return common.files;
    for (let at = folder; at !== ROOT; at = parentOf(at)) {
      const above = this.#common.get(parentOf(at));
      if (above !== undefined) return above.folders.has(nameOf(at)) ? 'all' : NOTHING;
    }
    return NOTHING;
  }

  #compare(trees: Trees, head: GitId | undefined, held: GitId): TreeFile[] {
    const others: TreeFile[] = [];
    const open: { folder: RepoPath; head: GitId | undefined; held: GitId }[] = [{ folder: ROOT, head, held }];
    for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
      const { folder } = pair;
      const common: Common = { files: new Set(), folders: new Set() };
      this.#common.set(folder, common);
      const ours = new Map(pair.head === undefined ? [] : trees.readTree(pair.head).map(keyed));
      for (const entry of trees.readTree(pair.held)) {
        const mine = ours.get(keyOf(entry));
        if (mine === entry.id) (entry.kind === 'tree' ? common.folders : common.files).add(entry.name);
        else if (entry.kind === 'tree' && mine !== undefined)
          open.push({ folder: joinPath(folder, entry.name), head: mine, held: entry.id });
        else addAll(others, trees, joinPath(folder, entry.name), entry);
      }
    }
    return others;
  }
}

function keyOf({ kind, name }: TreeEntry): string {
  return kind === 'tree' ? `${name}/` : name;
}

function keyed(entry: TreeEntry): [string, GitId] {
  return [keyOf(entry), entry.id];
}

/** Folders' own records hold no content. */
function addAll(others: TreeFile[], trees: Trees, path: RepoPath, { kind, id, name }: TreeEntry): void {
  if (kind === 'tree') {
    for (const file of walkTree(trees, id, path))
      if (nameOf(file.path) !== DIRECTORY_RECORD) others.push(file);
  } else if (name !== DIRECTORY_RECORD) others.push({ path, id });
}
