import type { JsonObject } from '../json.ts';
import { type EncodedName, isInside, joinPath, nameOf, parentOf, type RepoPath, ROOT } from '../path.ts';
import type { Rec } from '../record.ts';
import { entryAt, parseTree, type Tree } from './merge-tree.fixture.ts';

/** What a person does to a tree, as numbers: what is done, and to what, where, how. */
export type Deed = readonly [kind: number, what: number, where: number, how: number];

/** Largest number of a deed. */
export const DEED_RANGE = 1000;

type Records = Map<RepoPath, Rec>;

const NAMES = ['a', 'b', 'c', 'd', 'A', 'n.txt'] as const;
/** Few, so that equal contents meet. */
const CONTENTS = ['x', 'y', 'z', 'empty'] as const;
const WORDS = ['k', 'l', 'm'] as const;

/**
 * A tree after some deeds. Deeds that cannot be done (no such thing, or a file in the way) are left out. The ids of
 * what is made begin with `tag`, so that what different tags make is different.
 */
export function perturb(tree: Tree, deeds: readonly Deed[], tag: string): Tree {
  const records: Records = new Map([...tree].map(([path, { record }]) => [path, record]));
  deeds.forEach((deed, i) => {
    const [kind] = deed;
    DEEDS[kind % DEEDS.length]?.(records, deed, `${tag}${i}`);
  });
  dropNeedless(records);
  return new Map([...records].map(([path, record]) => [path, entryAt(path, record)]));
}

export function randomTree(deeds: readonly Deed[], tag: string): Tree {
  const start = parseTree({
    a: '0 x',
    'b/a': '1 y',
    'b/b': '2 z',
    'c/a/a': '3 v',
    'c/a/b': '4 w',
    'c/d': '5 u',
  });
  return perturb(start.tree, deeds, tag);
}

type Do = (records: Records, deed: Deed, fresh: string) => void;

const edit: Do = (records, [, what, where, how], fresh) =>
  changeFile(records, what, (record) => {
    const text = how % 3 === 0 ? CONTENTS[where % CONTENTS.length] : `e${fresh}`;
    return { ...record, ...contentFields(record.type, text ?? 'x', 1 + (how % 28)) };
  });

const touch: Do = (records, [, what, , how]) =>
  changeFile(records, what, (record) => ({ ...record, mtime: made(`0 x t=${1 + (how % 28)}`).mtime ?? '' }));

const chmod: Do = (records, [, what, , how]) =>
  changeAny(records, what, (record) => ({ ...record, mode: ['0600', '0700', '0640'][how % 3] ?? '' }));

const describe: Do = (records, [, what, where, how]) =>
  changeAny(records, what, (record) => {
    const { tags = [], ...others } = record.attrs ?? {};
    const word = WORDS[where % WORDS.length] ?? '';
    const list = tags as readonly string[];
    if (how % 3 === 0) return withAttrs(record, { ...others, tags, title: word });
    const changed = list.includes(word) ? list.filter((tag) => tag !== word) : [...list, word].sort();
    return withAttrs(record, { ...others, tags: changed });
  });

const changeType: Do = (records, [, what, where, how]) =>
  changeFile(records, what, ({ target: _, ...record }) => {
    const type = record.type === 'file' ? 'symlink' : 'file';
    const text = CONTENTS[where % (CONTENTS.length - 1)] ?? 'x';
    return { ...record, type, ...contentFields(type, text, 1 + (how % 28)) };
  });

const rename: Do = (records, [, what, where]) => {
  const path = pick(filesOf(records), what);
  if (path !== undefined) moveTo(records, path, joinPath(parentOf(path), nameBy(where)));
};

const move: Do = (records, [, what, where]) => {
  const path = pick(filesOf(records), what);
  const folder = pick(foldersOf(records), where);
  if (path !== undefined && folder !== undefined) moveTo(records, path, joinPath(folder, nameOf(path)));
};

const moveFolder: Do = (records, [, what, where, how]) => {
  const folder = pick(foldersOf(records).slice(1), what);
  if (folder === undefined) return;
  const into = how % 2 === 0 ? parentOf(folder) : pick(foldersOf(records), where);
  const name = how % 3 === 0 ? nameOf(folder) : nameBy(where);
  if (into !== undefined && !isInside(into, folder)) moveTo(records, folder, joinPath(into, name));
};

/** Its files go into another folder, where they find room. */
const emptyInto: Do = (records, [, what, where]) => {
  const folder = pick(foldersOf(records).slice(1), what);
  const into = pick(foldersOf(records), where);
  if (folder === undefined || into === undefined || isInside(into, folder)) return;
  for (const path of filesOf(records)) {
    if (parentOf(path) === folder) moveTo(records, path, joinPath(into, nameOf(path)));
  }
};

const swap: Do = (records, [, what, where]) => {
  const [a, b] = [pick(filesOf(records), what), pick(filesOf(records), where)];
  if (a !== undefined && b !== undefined) exchange(records, a, b);
};

const swapFolders: Do = (records, [, what, where]) => {
  const folders = foldersOf(records).slice(1);
  const [a, b] = [pick(folders, what), pick(folders, where)];
  if (a !== undefined && b !== undefined && !isInside(a, b) && !isInside(b, a)) exchange(records, a, b);
};

const remove: Do = (records, [, what]) => {
  const path = pick(filesOf(records), what);
  if (path !== undefined) records.delete(path);
};

const removeFolder: Do = (records, [, what]) => {
  const folder = pick(foldersOf(records).slice(1), what);
  if (folder !== undefined) for (const path of below(records, folder)) records.delete(path);
};

const add: Do = (records, [, what, where, how], fresh) => {
  const folder = pick(foldersOf(records), where) ?? ROOT;
  const place =
    how % 4 === 0 ? joinPath(joinPath(folder, nameBy(what)), nameBy(how)) : joinPath(folder, nameBy(what));
  const text = how % 3 === 0 ? CONTENTS[what % CONTENTS.length] : `n${fresh}`;
  if (isFree(records, place))
    records.set(place, made(`${fresh} ${how % 7 === 0 ? '->t' : text} t=${1 + (how % 28)}`));
};

const addFolder: Do = (records, [, what, where, how], fresh) => {
  const path = joinPath(pick(foldersOf(records), where) ?? ROOT, nameBy(what));
  const words = ['', 'mode=0700', 'entity=album title=k', 'entity=film title=l atomic'][how % 4];
  const taken = records.get(path);
  if (taken === undefined && !isBlocked(records, path)) records.set(path, made(`${fresh} dir ${words}`));
};

/** A folder becomes a project of its own, or something is committed in it. */
const commitIn: Do = (records, [, , where, how], fresh) => {
  const folder = pick(foldersOf(records), where) ?? ROOT;
  const path = joinPath(joinPath(folder, '%2Egit' as EncodedName), 'HEAD' as EncodedName);
  const head = records.get(path) ?? (isFree(records, path) ? made(`${fresh} x`) : undefined);
  if (head?.type === 'file')
    records.set(path, { ...head, ...contentFields('file', `h${fresh}`, 1 + (how % 28)) });
};

const DEEDS: readonly Do[] = [
  edit,
  edit,
  touch,
  chmod,
  describe,
  changeType,
  rename,
  rename,
  move,
  move,
  moveFolder,
  moveFolder,
  moveFolder,
  emptyInto,
  swap,
  swapFolders,
  remove,
  removeFolder,
  add,
  add,
  add,
  addFolder,
  commitIn,
];

/** Names of the kinds of deeds, each at its number; the likely ones more than once. */
export const DEED_KINDS: readonly string[] = DEEDS.map((deed) => deed.name);

function made(spec: string): Rec {
  const { tree } = parseTree({ it: spec });
  return [...tree.values()][0]?.record as Rec;
}

function contentFields(type: Rec['type'], text: string, day: number): Partial<Rec> {
  const { blake3, size, mtime, target } = made(`0 ${type === 'symlink' ? '->' : ''}${text} t=${day}`);
  return { blake3, size, mtime, target } as Partial<Rec>;
}

function withAttrs(record: Rec, attrs: JsonObject): Rec {
  const { attrs: _, ...others } = record;
  const kept = Object.entries(attrs).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  return kept.length === 0 ? others : { ...others, attrs: Object.fromEntries(kept) };
}

function changeFile(records: Records, what: number, change: (record: Rec) => Rec): void {
  const path = pick(filesOf(records), what);
  const record = path === undefined ? undefined : records.get(path);
  if (path !== undefined && record !== undefined) records.set(path, withoutUndefined(change(record)));
}

function changeAny(records: Records, what: number, change: (record: Rec) => Rec): void {
  const path = pick([...records.keys()], what);
  const record = path === undefined ? undefined : records.get(path);
  if (path !== undefined && record !== undefined) records.set(path, change(record));
}

function withoutUndefined(record: Rec): Rec {
  return Object.fromEntries(
    Object.entries(record).filter(([, value]) => value !== undefined),
  ) as unknown as Rec;
}

function nameBy(number: number): EncodedName {
  return NAMES[number % NAMES.length] as string as EncodedName;
}

function pick<T>(list: readonly T[], number: number): T | undefined {
  return list[number % Math.max(1, list.length)];
}

function filesOf(records: Records): RepoPath[] {
  return [...records].filter(([, { type }]) => type !== 'dir').map(([path]) => path);
}

/** The root first. */
function foldersOf(records: Records): RepoPath[] {
  const found = new Set<RepoPath>([ROOT]);
  for (const [path, { type }] of records) {
    for (let at = type === 'dir' ? path : parentOf(path); at !== ROOT; at = parentOf(at)) found.add(at);
  }
  return [...found];
}

function below(records: Records, folder: RepoPath): RepoPath[] {
  return [...records.keys()].filter((path) => isInside(path, folder));
}

/** A file is where a folder would have to be. */
function isBlocked(records: Records, path: RepoPath): boolean {
  for (let above = parentOf(path); above !== ROOT; above = parentOf(above)) {
    if ((records.get(above)?.type ?? 'dir') !== 'dir') return true;
  }
  return false;
}

function isFree(records: Records, path: RepoPath): boolean {
  return below(records, path).length === 0 && !isBlocked(records, path);
}

function moveTo(records: Records, from: RepoPath, to: RepoPath): void {
  const moved = below(records, from).map((path) => [path, records.get(path)] as const);
  for (const [path] of moved) records.delete(path);
  const target = isFree(records, to) ? to : from;
  for (const [path, record] of moved) {
    if (record !== undefined) records.set(`${target}${path.slice(from.length)}` as RepoPath, record);
  }
}

function exchange(records: Records, a: RepoPath, b: RepoPath): void {
  if (a === b) return;
  const [left, right] = [a, b].map((at) =>
    below(records, at).map((path) => [path, records.get(path)] as const),
  );
  for (const [path] of [...(left ?? []), ...(right ?? [])]) records.delete(path);
  const put = (list: typeof left, from: RepoPath, to: RepoPath): void => {
    for (const [path, record] of list ?? []) {
      if (record !== undefined) records.set(`${to}${path.slice(from.length)}` as RepoPath, record);
    }
  };
  put(left, a, b);
  put(right, b, a);
}

/** A folder's record that says nothing is there only if nothing else is in the folder. */
function dropNeedless(records: Records): void {
  for (const [path, record] of [...records]) {
    if (record.type !== 'dir') continue;
    const saysSomething = record.attrs !== undefined || record.entity !== undefined || record.mode !== '0755';
    if (!saysSomething && below(records, path).length > 1) records.delete(path);
  }
}
