import type { Change, ChangeSummary, ChangeType, PathProblem } from '@bk/core';
import { count, counted, size, table } from './format.ts';
import { type Paint, type Style, shownPath } from './terminal.ts';

/** Changes that are shown as one line: a file, a moved folder, or a folder in which much happened. */
export interface ChangeLine {
  readonly type: ChangeType;
  readonly path: string;
  readonly from?: string;
  readonly files: number;
  readonly bytes: number;
  readonly notes: readonly string[];
  /** The line stands for a folder. */
  readonly folder: boolean;
}

const ORDER: readonly ChangeType[] = ['renamed', 'added', 'modified', 'typechange', 'metadata', 'deleted'];
const PAINTS: Readonly<Record<ChangeType, Paint>> = {
  renamed: 'cyan',
  added: 'green',
  modified: 'yellow',
  typechange: 'yellow',
  metadata: 'dim',
  deleted: 'red',
};
/** Lines for one type of change before folders stand for what is in them. */
const FEW = 30;

/** Changes as lines for people: grouped by what happened, moved folders as one line, long lists by folder. */
export function changesText(changes: readonly Change[], style: Style, long = false): string {
  return table(changeRows(changes, style, long));
}

export function changeRows(changes: readonly Change[], style: Style, long: boolean): string[][] {
  return ORDER.flatMap((type) => {
    const { shown, hidden } = firstOf(linesOf(changes, type, long), long);
    const rows = shown.map((line) => row(line, style));
    return hidden > 0 ? [...rows, moreRow(hidden, type, style)] : rows;
  });
}

/** As many lines as a person reads, and how many files the others stand for. */
export function firstOf<L extends { readonly files: number }>(lines: readonly L[], long: boolean) {
  const shown = long ? lines : lines.slice(0, FEW);
  return { shown, hidden: lines.slice(shown.length).reduce((sum, { files }) => sum + files, 0) };
}

export function moreRow(files: number, done: string, style: Style): string[] {
  return ['', style('dim', `… and ${counted(files, 'more file')} ${done} (--long lists them)`)];
}

/** `1,240 renamed, 3 added`; empty if nothing changed. */
export function summaryText(summary: ChangeSummary): string {
  return ORDER.filter((type) => summary[type] > 0)
    .map((type) => `${count(summary[type])} ${type}`)
    .join(', ');
}

/** What could not be looked at, and why. */
export function problemsText(title: string, problems: readonly PathProblem[], style: Style): string {
  if (problems.length === 0) return '';
  const shown = problems
    .slice(0, FEW)
    .map(({ path, reason }) => [`  ${shownPath(path)}`, style('dim', reason)]);
  const more = problems.length - shown.length;
  const rest = more > 0 ? `  … and ${count(more)} more\n` : '';
  return `${style('yellow', title)}\n${table(shown)}${rest}`;
}

export function linesOf(changes: readonly Change[], type: ChangeType, long: boolean): ChangeLine[] {
  const mine = changes.filter((change) => change.type === type);
  if (long) return mine.map(single);
  if (type === 'renamed') return movedFolders(mine);
  return mine.length <= FEW ? mine.map(single) : byFolder(mine);
}

function row(line: ChangeLine, style: Style): string[] {
  const at = line.folder ? `${line.path}/` : line.path;
  const from = line.from === undefined ? '' : `${line.from}${line.folder ? '/' : ''} → `;
  const amount = line.folder ? [counted(line.files, 'file')] : [];
  if (line.type === 'added' || line.type === 'modified') amount.push(size(line.bytes));
  const rot = line.notes.includes('rot');
  const notes = [...amount, ...line.notes.filter((note) => note !== 'rot')].join(', ');
  const warning = rot ? style('red', ' content changed, but neither size nor time: a failing disk?') : '';
  return [style(PAINTS[line.type], line.type), `${from}${at}`, style('dim', notes) + warning];
}

function single(change: Change): ChangeLine {
  return {
    type: change.type,
    path: shownPath(change.path),
    ...(change.from !== undefined && { from: shownPath(change.from) }),
    files: 1,
    bytes: change.size,
    notes: notesOf(change),
    folder: false,
  };
}

function notesOf({ type, fields = [], suspect }: Change): string[] {
  const notes = type === 'modified' || type === 'added' || type === 'deleted' ? [] : fields.map(fieldName);
  return suspect === undefined ? notes : [...notes, suspect];
}

function fieldName(field: string): string {
  return field === 'content' ? 'edited' : field;
}

/** Renames that carry the same folder to the same place become one line, named by the longest part that they share. */
function movedFolders(changes: readonly Change[]): ChangeLine[] {
  const groups = new Map<string, Change[]>();
  for (const change of changes) {
    const key = hasEdit(change) ? change.path : movedAs(change).join('\0');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [change]);
    else group.push(change);
  }
  return [...groups.values()].map((group) => (group.length === 1 ? single(group[0]!) : movedFolder(group)));
}

function hasEdit({ fields = [] }: Change): boolean {
  return fields.length > 0;
}

/** Old and new folder of a rename, without the names that stayed the same at the end; the file's own name counts as kept. */
function movedAs({ path, from = path }: Change): [from: string, to: string] {
  const a = from.split('/');
  const b = path.split('/');
  if (a.at(-1) !== b.at(-1)) return [from, path];
  while (a.length > 0 && b.length > 0 && a.at(-1) === b.at(-1)) {
    a.pop();
    b.pop();
  }
  return [a.join('/'), b.join('/')];
}

function movedFolder(group: readonly Change[]): ChangeLine {
  const [from, to] = movedAs(group[0]!);
  const below = sharedFolder(group.map(({ path }) => path.slice(to === '' ? 0 : to.length + 1)));
  return {
    type: 'renamed',
    path: shownPath(joined(to, below)),
    from: shownPath(joined(from, below)),
    files: group.length,
    bytes: sumOfSizes(group),
    notes: [],
    folder: true,
  };
}

/** The deepest folder that holds all of the paths; '' if there is none. */
function sharedFolder(paths: readonly string[]): string {
  let shared = (paths[0] ?? '').split('/').slice(0, -1);
  for (const path of paths) {
    const names = path.split('/');
    const end = shared.findIndex((name, i) => names[i] !== name || i >= names.length - 1);
    if (end >= 0) shared = shared.slice(0, end);
  }
  return shared.join('/');
}

/** One line a folder, as deep as few lines allow. */
function byFolder(changes: readonly Change[]): ChangeLine[] {
  let groups = groupsAt(changes, 1);
  for (let depth = 2; depth < 64; depth++) {
    const deeper = groupsAt(changes, depth);
    if (deeper.size > FEW || deeper.size === groups.size) break;
    groups = deeper;
  }
  return [...groups].map(([folder, group]) => {
    if (group.length === 1) return single(group[0]!);
    const below = sharedFolder(group.map(({ path }) => path.slice(folder.length + 1)));
    const path = shownPath(joined(folder, below));
    return {
      type: group[0]!.type,
      path,
      files: group.length,
      bytes: sumOfSizes(group),
      notes: [],
      folder: true,
    };
  });
}

function groupsAt(changes: readonly Change[], depth: number): Map<string, Change[]> {
  const groups = new Map<string, Change[]>();
  for (const change of changes) {
    const names = change.path.split('/');
    const key =
      names.length === 1 ? change.path : names.slice(0, Math.min(depth, names.length - 1)).join('/');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [change]);
    else group.push(change);
  }
  return groups;
}

function sumOfSizes(changes: readonly Change[]): number {
  return changes.reduce((sum, change) => sum + change.size, 0);
}

function joined(folder: string, name: string): string {
  return folder === '' || name === '' ? folder + name : `${folder}/${name}`;
}
