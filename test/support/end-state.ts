import fs from 'node:fs';
import path from 'node:path';
import { git, head, records } from './history.ts';
import { configOf, idOf, presencesSeen } from './presence.ts';
import { type Snapshot, show, snapshot } from './snapshot.ts';

/** What a repository is in the end, without what differs from run to run: for "the same end as an undisturbed run". */
export interface EndState {
  readonly tree: Snapshot;
  readonly records: ReadonlyMap<string, string>;
  /** What it knows: remotes, subset, refs, presences. */
  readonly knowledge: ReadonlyMap<string, string>;
}

/** Of repositories that know each other. @param times false: their files were made at another time */
export function endStates(roots: readonly string[], times = true): EndState[] {
  const known = knowledge(roots);
  return roots.map((root, i) => ({
    tree: fs.existsSync(root) ? snapshot(root) : new Map(),
    records: recordsWithoutIds(root, times),
    knowledge: known[i] ?? new Map(),
  }));
}

function recordsWithoutIds(root: string, times: boolean): Map<string, string> {
  if (head(root) === null) return new Map();
  return new Map(
    [...records(root)].map(([at, { record }]) => {
      const { id: _, was: __, linked, ...rest } = record;
      const { mtime } = rest;
      return [at, JSON.stringify({ ...rest, mtime: times ? mtime : '', linked: linked !== undefined })];
    }),
  );
}

/** Repositories and their heads under numbers instead of ids, which are new in every run. */
function knowledge(roots: readonly string[]): Map<string, string>[] {
  const names = new Map<string, string>();
  for (const [i, root] of roots.entries()) {
    const commit = fs.existsSync(path.join(root, '.bk/history/HEAD')) ? head(root) : null;
    if (commit !== null && !names.has(commit)) names.set(commit, `<head of ${i}>`);
    const id = idOf(root);
    if (id !== undefined) names.set(id, `<id of ${i}>`);
  }
  const renamed = (text: string): string =>
    [...names].reduce((all, [from, to]) => all.replaceAll(from, to), text);
  return roots.map((root) => new Map(knownBy(root).map(([what, text]) => [renamed(what), renamed(text)])));
}

function knownBy(root: string): [string, string][] {
  const config = configOf(root);
  if (config === undefined) return [['config.json', 'is not there']];
  const { name, subset = null, settings } = config;
  const remotes = Object.entries((config['remotes'] ?? {}) as Record<string, Record<string, unknown>>);
  const refs = git(root, ['for-each-ref', '--format=%(refname) %(objectname)'])
    .toString()
    .split('\n')
    .filter(Boolean);
  return [
    ['config.json', JSON.stringify({ name, subset, settings })],
    ...remotes.map(([remote, { address, id }]): [string, string] => [
      `remote ${remote}`,
      JSON.stringify({ address, id }),
    ]),
    ...refs
      .filter((line) => !line.startsWith('refs/bk/'))
      .map((line): [string, string] => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
    ...presencesSeen(root).map(({ id, present }): [string, string] => [
      `presence of ${id}`,
      [...present.keys()].join(),
    ]),
  ];
}

/** @returns how the end differs from the one an undisturbed run reaches; trees are compared by `differences` */
export function otherEnd(reached: EndState, wanted: EndState): string[] {
  return [
    ...otherValues(reached.records, wanted.records, 'is recorded as'),
    ...otherValues(reached.knowledge, wanted.knowledge, 'is'),
  ];
}

function otherValues(
  reached: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
  verb: string,
): string[] {
  const found: string[] = [];
  for (const [what, text] of wanted) {
    if (reached.get(what) !== text)
      found.push(`O5: ${show(what)} ${verb} ${reached.get(what) ?? 'nothing'}, not ${text}`);
  }
  for (const what of reached.keys())
    if (!wanted.has(what)) found.push(`O5: ${show(what)} is there, should not be`);
  return found;
}
