import {
  DIRECTORY_RECORD,
  type EncodedName,
  type GitId,
  idlePatterns,
  isEverything,
  joinPath,
  parentOf,
  parseRecord,
  type Rec,
  type RecordAt,
  type RepoPath,
  ROOT,
  type Selector,
  type Subset,
  selectorFor,
} from '@bk/core';
import type { HistoryReader } from '@bk/store';

/** What a clone is to have of one folder of the commit's tree. */
export interface FolderPart {
  readonly path: RepoPath;
  readonly tree: GitId;
  /** Files and links that are wanted. */
  readonly files: 'all' | readonly EncodedName[];
  /** Whether the folder itself is to be here: something in it is, or its own record is wanted. */
  readonly made: boolean;
  /** Sub-folders that are to be here. */
  readonly folders: 'all' | readonly EncodedName[];
}

export interface Selected {
  /** Every folder of the tree, each before those in it. */
  readonly folders: readonly FolderPart[];
  /** Patterns that match nothing. */
  readonly idle: readonly string[];
}

interface Folder {
  readonly path: RepoPath;
  readonly tree: GitId;
  readonly files: readonly EncodedName[];
  readonly folders: readonly EncodedName[];
  /** The blob of its own record. */
  readonly own: GitId | undefined;
}

/** The parts of a commit's tree that a subset selects; of records only those of folders are read. */
export function selectFolders(history: HistoryReader, tree: GitId, subset: Subset): Selected {
  const folders = [...walk(history, tree)];
  if (isEverything(subset)) {
    const all = folders.map(
      ({ path, tree }) => ({ path, tree, files: 'all', made: true, folders: 'all' }) as const,
    );
    return { folders: all, idle: [] };
  }
  const entries = entriesOf(history, folders);
  return {
    folders: partsOf(folders, selectorFor(subset, entries)),
    idle: idlePatterns(entries, subset),
  };
}

function* walk(history: HistoryReader, root: GitId): Generator<Folder> {
  const waiting: { readonly path: RepoPath; readonly tree: GitId }[] = [{ path: ROOT, tree: root }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, tree } = next;
    const files: EncodedName[] = [];
    const folders: EncodedName[] = [];
    let own: GitId | undefined;
    const below: typeof waiting = [];
    for (const { name, kind, id } of history.readTree(tree)) {
      if (kind === 'tree') {
        folders.push(name);
        below.push({ path: joinPath(path, name), tree: id });
      } else if (name === DIRECTORY_RECORD) own = id;
      else files.push(name);
    }
    waiting.push(...below.reverse());
    yield { path, tree, files, folders, own };
  }
}

/** All that a selector asks of a file is its path. */
const FILE = { type: 'file' } as Rec;

function entriesOf(history: HistoryReader, folders: readonly Folder[]): RecordAt[] {
  return folders.flatMap(({ path, files, own }) => [
    ...(own === undefined ? [] : [{ path, record: parseRecord(history.readBlobText(own)) }]),
    ...files.map((name) => ({ path: joinPath(path, name), record: FILE })),
  ]);
}

function partsOf(folders: readonly Folder[], selector: Selector): FolderPart[] {
  const wanted = folders.map((folder) => wantedFiles(folder, selector));
  const made = new Set<RepoPath>([ROOT]);
  // Each comes before those in it: from the end, what is below is known.
  for (let i = folders.length - 1; i >= 0; i--) {
    const { path, own } = folders[i]!;
    const here = made.has(path) || wanted[i]!.length > 0 || (own !== undefined && selector.wants(path, true));
    if (!here) continue;
    made.add(path);
    made.add(parentOf(path));
  }
  return folders.map(({ path, tree, folders: names }, i) => ({
    path,
    tree,
    files: wanted[i]!,
    made: made.has(path),
    folders: names.filter((name) => made.has(joinPath(path, name))),
  }));
}

function wantedFiles({ path, files }: Folder, selector: Selector): readonly EncodedName[] {
  if (!selector.mayContain(path)) return [];
  if (selector.covers(path)) return files;
  return files.filter((name) => selector.wants(joinPath(path, name), false));
}
