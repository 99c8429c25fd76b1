import fs from 'node:fs';
import path from 'node:path';
import { bk, explained, type Outcome, run } from './bk.ts';
import { fsckProblems, head, records } from './history.ts';
import { contentsOf, differences, type Snapshot, show, snapshot } from './snapshot.ts';

/** A repository and a neighbour that no command may touch, as they were before the command under test. */
export interface World {
  readonly root: string;
  readonly canary: string;
  readonly tree: Snapshot;
  readonly neighbour: Snapshot;
  /** Hashes of all contents that were in the tree or the safety net. */
  readonly contents: ReadonlySet<string>;
}

/** What a command is allowed to do. Empty: nothing to the person's files. */
export interface Allowed {
  /** Path to the hashes that may be there afterwards, besides the one that was. */
  readonly changes?: ReadonlyMap<string, readonly string[]>;
  /** Contents that may be gone: their deletion was confirmed by the command, and it reached the history. */
  readonly released?: ReadonlySet<string>;
  /** A command came after the fault: nothing may be in between any more, so what was there is there, old or new. */
  readonly settled?: boolean;
}

export function worldAt(point: string): { root: string; canary: string } {
  return { root: path.join(point, 'repo'), canary: path.join(point, 'canary') };
}

export function observe(point: string): World {
  const { root, canary } = worldAt(point);
  const tree = snapshot(root);
  return {
    root,
    canary,
    tree,
    neighbour: snapshot(canary),
    contents: new Set([...contentsOf(tree), ...netContents(root)]),
  };
}

/** What the net really holds, hashed; names are not believed. */
export function netContents(root: string): Set<string> {
  return contentsIn(path.join(root, '.bk/safety'));
}

/** What was captured and is on its way into the net; the next command brings it there. */
function stagedContents(root: string): Set<string> {
  return contentsIn(path.join(root, '.bk/staging'));
}

function contentsIn(folder: string): Set<string> {
  return fs.existsSync(folder) ? contentsOf(snapshot(folder)) : new Set();
}

/**
 * RELIABILITY 4.3 at any moment, also right after a kill: O1 every content is in the tree or in the net, O2 the neighbour is as
 * it was, O3 paths outside the plan are as they were (inode included), O4 no name holds bytes that are neither old nor
 * new. @returns what is wrong, as sentences
 */
export function losses(world: World, allowed: Allowed = {}): string[] {
  const tree = snapshot(world.root);
  const held = new Set([...contentsOf(tree), ...netContents(world.root)]);
  if (allowed.settled !== true) for (const hash of stagedContents(world.root)) held.add(hash);
  const planned = allowed.changes ?? new Map<string, readonly string[]>();
  const lost = [...world.contents].filter((hash) => !held.has(hash) && !allowed.released?.has(hash));
  return [
    ...lost.map(
      (hash) =>
        `O1: content ${hash.slice(0, 12)} (${whereWas(world, hash)}) is in no file and not in the net`,
    ),
    ...differences(world.neighbour, snapshot(world.canary)).map((what) => `O2: outside the root: ${what}`),
    ...differences(world.tree, tree, { ignore: (at) => planned.has(at) }).map((what) => `O3: ${what}`),
    ...foreign(world, tree, allowed),
  ];
}

function foreign(world: World, tree: Snapshot, { changes: planned = new Map(), settled }: Allowed): string[] {
  return [...planned].flatMap(([at, hashes]) => {
    const is = tree.get(at);
    const was = world.tree.get(at)?.blake3;
    if (is === undefined)
      return settled && was !== undefined ? [`O5: ${show(at)} is neither old nor new, it is gone`] : [];
    if (is.type === 'dir') return [];
    return is.blake3 === was || hashes.includes(is.blake3)
      ? []
      : [
          `O4: ${show(at)} holds bytes that are neither old nor new (${is.size} bytes, ${is.blake3.slice(0, 12)})`,
        ];
  });
}

function whereWas(world: World, hash: string): string {
  for (const [at, entry] of world.tree) if (entry.blake3 === hash) return show(at);
  return 'held by the net';
}

/**
 * After one more command: O5 nothing is left in journal and staging (nor half-made files elsewhere), O6 the history is
 * clean for git. @returns what is wrong
 */
export function leftovers(root: string): string[] {
  const dot = path.join(root, '.bk');
  if (!fs.existsSync(dot)) return [];
  const found = [...snapshot(dot).entries()].filter(([, entry]) => entry.type !== 'dir').map(([at]) => at);
  const stray = found.filter(
    (at) => /^(journal|staging)\//.test(at) || /(\.tmp|\.lock|\/tmp_[^/]*)$/.test(at),
  );
  return [
    ...stray.map((at) => `O5: .bk/${at} is left behind`),
    ...(fs.existsSync(path.join(dot, 'history/HEAD')) ? fsckProblems(root) : []).map((what) => `O6: ${what}`),
  ];
}

/** O6: an index made anew says the same of the folder as the live one. @returns what is wrong */
export function indexDisagreements(root: string): string[] {
  const live = statusOf(root);
  for (const name of ['index.sqlite', 'index.sqlite-wal', 'index.sqlite-shm']) {
    fs.rmSync(path.join(root, '.bk', name), { force: true });
  }
  const made = statusOf(root);
  return live === made ? [] : [`O6: status said ${live}, with a new index it says ${made}`];
}

function statusOf(root: string): string {
  const { changes, skipped, unreadable, head: at } = bk(['-C', root, 'status']);
  return JSON.stringify({ at, changes, skipped, unreadable });
}

/** O7: a failing command says why, in words; a succeeding one does not fail. @returns what is wrong */
export function unexplained(done: Outcome, codes: readonly number[]): string[] {
  if (!codes.includes(done.code)) return [`O7: exit ${done.code}: ${done.stderr.slice(0, 1500)}`];
  return done.code < 2 || explained(done)
    ? []
    : [`O7: exit ${done.code} without an explanation: ${done.stderr.slice(0, 1500)}`];
}

/** O8: the same command twice more changes neither head nor folder nor the answer of status. @returns what is wrong */
export function restless(root: string, command: readonly string[]): string[] {
  const state = () => ({ at: head(root), tree: snapshot(root) });
  const before = state();
  const said: string[] = [];
  for (let i = 0; i < 2; i++)
    said.push(...unexplained(run(['-C', root, ...command]), [0, 1]).map((what) => `O8: again: ${what}`));
  const after = state();
  if (before.at !== after.at) said.push(`O8: the head moved from ${before.at} to ${after.at}`);
  return [...said, ...differences(before.tree, after.tree).map((what) => `O8: ${what}`)];
}

/** The head's tree without what differs from run to run (new ids): for "same end state as an undisturbed run". */
export function endState(root: string, times = true): Map<string, string> {
  if (head(root) === null) return new Map();
  return new Map(
    [...records(root)].map(([at, { record }]) => {
      const { id: _, was: __, linked, ...rest } = record;
      const { mtime } = rest;
      return [at, JSON.stringify({ ...rest, mtime: times ? mtime : '', linked: linked !== undefined })];
    }),
  );
}

/** @returns how the end state differs from the one an undisturbed run reaches */
export function otherEnd(
  reached: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
): string[] {
  const found: string[] = [];
  for (const [at, record] of wanted) {
    if (reached.get(at) !== record)
      found.push(`O5: ${show(at)} is recorded as ${reached.get(at) ?? 'nothing'}, not as ${record}`);
  }
  for (const at of reached.keys())
    if (!wanted.has(at)) found.push(`O5: ${show(at)} is recorded, should not be`);
  return found;
}
