import { setImmediate } from 'node:timers/promises';
import {
  DIRECTORY_RECORD,
  type GitId,
  joinPath,
  nameOf,
  parentOf,
  parseRecord,
  type Rec,
  type RepoPath,
  type Report,
  ROOT,
} from '@bk/core';
import {
  diffTrees,
  findInTree,
  type HistoryReader,
  type Left,
  type SearchDb,
  type SearchEntry,
  type TreeEntry,
  type TreeFile,
} from '@bk/store';
import { commitsBetween } from '../history/graph.ts';

interface Filling {
  readonly search: SearchDb;
  readonly history: HistoryReader;
  readonly report: Report;
}

/** Files between turns that other work (a signal, the progress line) gets. */
const TURN = 1_000;

/**
 * Brings the rows of the head to a commit: from the commit that they are of by what changed, from nothing by all there
 * is, and then the indexes are made in the end. Between `begin` and `commit` of the tables.
 */
export async function fillHead(filling: Filling, head: GitId): Promise<void> {
  const { search, history } = filling;
  const tree = history.readCommit(head).tree;
  if (search.head !== undefined && history.has(search.head)) {
    await fillDifferences(filling, history.readCommit(search.head).tree, tree);
  } else {
    search.clear();
    const files = await putAll(filling, entriesBelow(history, { folder: ROOT, tree, entity: undefined }));
    for (const _ of search.makeIndexes()) await turn(filling.report, files);
  }
  search.stands({ head });
}

/** Brings the rows of what left to a commit. They hold every version that a commit's parent had and it has not there. */
export async function fillPast(filling: Filling, head: GitId): Promise<void> {
  const { search, history } = filling;
  const from = search.past !== undefined && history.has(search.past) ? search.past : undefined;
  const { commits } = commitsBetween(history, from, head);
  let order = search.lastOrder;
  for (const { id: commit, tree, parents } of commits) {
    order++;
    for (const parent of parents) {
      const before = history.readCommit(parent).tree;
      await putLeft(filling, { before, after: tree }, { commit, order });
    }
  }
  search.stands({ past: head });
}

async function putLeft(
  { search, history, report }: Filling,
  { before, after }: { readonly before: GitId; readonly after: GitId },
  left: Left,
): Promise<void> {
  const described = new Describer(history, before);
  let files = 0;
  for (const { path, before: blob } of diffTrees(history, before, after)) {
    if (blob === undefined || nameOf(path) === DIRECTORY_RECORD) continue;
    if (!search.leftAgain(path, blob, left)) search.put(described.entry({ path, id: blob }), left);
    if (++files % TURN === 0) await turn(report, files);
  }
}

async function fillDifferences(filling: Filling, before: GitId, after: GitId): Promise<void> {
  const { search, history, report } = filling;
  const described = new Describer(history, after);
  const redone = new Set<RepoPath>();
  let files = 0;
  for (const difference of diffTrees(history, before, after)) {
    const { path } = difference;
    if (nameOf(path) === DIRECTORY_RECORD) {
      const records = [difference.before, difference.after].filter((blob) => blob !== undefined);
      const isEntity = records.some((blob) => read(history, blob).entity !== undefined);
      if (isEntity && parentOf(path) !== ROOT) redone.add(parentOf(path));
      continue;
    }
    if (difference.before !== undefined) search.remove(path);
    if (difference.after !== undefined) search.put(described.entry({ path, id: difference.after }));
    if (++files % TURN === 0) await turn(report, files);
  }
  for (const folder of redone) await fillFolder(filling, folder, after);
}

/** What is said of an entity is said of all that is in it: if its record changed, so did they. */
async function fillFolder(filling: Filling, folder: RepoPath, root: GitId): Promise<void> {
  const { search, history } = filling;
  const tree = findInTree(history, root, folder);
  if (tree?.kind !== 'tree') return;
  for (const path of search.below(folder)) search.remove(path);
  const entity = new Describer(history, root).entityAround(folder);
  await putAll(filling, entriesBelow(history, { folder, tree: tree.id, entity }));
}

async function putAll({ search, report }: Filling, entries: Iterable<SearchEntry>): Promise<number> {
  let files = 0;
  for (const entry of entries) {
    search.put(entry);
    if (++files % TURN === 0) await turn(report, files);
  }
  return files;
}

async function turn(report: Report, files: number): Promise<void> {
  report({ phase: 'index', files, bytes: 0 });
  await setImmediate();
}

interface Entity {
  readonly record: Rec;
  readonly blob: GitId;
}

interface Folder {
  readonly folder: RepoPath;
  readonly tree: GitId;
  /** The nearest one, itself included. */
  readonly entity: Entity | undefined;
}

/** Files and links below a folder, in the order of `git ls-tree -r`. */
function* entriesBelow(history: HistoryReader, top: Folder): Generator<SearchEntry> {
  const open = ({ folder, tree, entity }: Folder) => {
    const entries = history.readTree(tree);
    return { folder, entries, entity: entityOf(history, folder, entries) ?? entity, next: 0 };
  };
  const stack = [open(top)];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const entry = frame.entries[frame.next++];
    if (entry === undefined) {
      stack.pop();
      continue;
    }
    const path = joinPath(frame.folder, entry.name);
    if (entry.kind === 'tree') stack.push(open({ folder: path, tree: entry.id, entity: frame.entity }));
    else if (entry.name !== DIRECTORY_RECORD) yield entryOf(history, { path, id: entry.id }, frame.entity);
  }
}

/** Files of a tree, met in any order; folders on the way are read once. */
class Describer {
  readonly #history: HistoryReader;
  readonly #root: GitId;
  readonly #entities = new Map<RepoPath, Entity | undefined>();

  constructor(history: HistoryReader, root: GitId) {
    this.#history = history;
    this.#root = root;
  }

  entry(file: TreeFile): SearchEntry {
    return entryOf(this.#history, file, this.entityAround(parentOf(file.path)));
  }

  /** The nearest entity that a folder is or lies in. */
  entityAround(folder: RepoPath): Entity | undefined {
    if (folder === ROOT) return undefined;
    if (!this.#entities.has(folder)) {
      const tree = findInTree(this.#history, this.#root, folder);
      const entries = tree?.kind === 'tree' ? this.#history.readTree(tree.id) : [];
      const own = entityOf(this.#history, folder, entries);
      this.#entities.set(folder, own ?? this.entityAround(parentOf(folder)));
    }
    return this.#entities.get(folder);
  }
}

function entityOf(
  history: HistoryReader,
  folder: RepoPath,
  entries: readonly TreeEntry[],
): Entity | undefined {
  if (folder === ROOT) return undefined;
  const own = entries.find(({ name, kind }) => name === DIRECTORY_RECORD && kind === 'blob');
  if (own === undefined) return undefined;
  const record = read(history, own.id);
  return record.entity === undefined ? undefined : { record, blob: own.id };
}

function entryOf(history: HistoryReader, { path, id }: TreeFile, entity: Entity | undefined): SearchEntry {
  const around = entity && { entity: entity.record, entityBlob: entity.blob };
  return { path, record: read(history, id), blob: id, ...around };
}

function read(history: HistoryReader, blob: GitId): Rec {
  return parseRecord(history.readBlobText(blob));
}
