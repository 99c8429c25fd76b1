import fs from 'node:fs';
import path from 'node:path';
import { type Answer, bk, explained, type Outcome } from './bk.ts';
import { fsckProblems, head, records } from './history.ts';
import { contentsOf, differences, type Snapshot, show, snapshot } from './snapshot.ts';

/** A repository (or the folder that is to become one) and its neighbours, as they were before the command under test. */
export interface Place {
  readonly point: string;
  readonly root: string;
  readonly tree: Snapshot;
  /** Everything else on this file system: no command may touch it, nor put anything there. */
  readonly neighbour: Snapshot;
  /** Hashes of all contents that were in the tree or the safety net. */
  readonly contents: ReadonlySet<string>;
}

/** What the command runs in, and the other repositories that it may reach. */
export interface World extends Place {
  readonly others: readonly Place[];
}

/** What a command is allowed to do to one repository. Empty: nothing to the person's files. */
export interface Allowed {
  /** Path to the hashes that may be there afterwards, besides the one that was. */
  readonly changes?: ReadonlyMap<string, readonly string[]>;
  /** Of these paths: they need not be there afterwards. */
  readonly gone?: ReadonlySet<string>;
  /** Contents that may be gone: their deletion was confirmed by the command, and it reached the history. */
  readonly released?: ReadonlySet<string>;
  /** Contents that may leave here, as long as another repository has them in a file of its head. */
  readonly dropped?: ReadonlySet<string>;
  /** Contents that a path may hold for a moment: a folder that moves carries them. */
  readonly passing?: ReadonlySet<string>;
  /** A command came after the fault: nothing may be in between any more, so what was there is there, old or new. */
  readonly settled?: boolean;
}

export function worldAt(point: string): { root: string; canary: string } {
  return { root: path.join(point, 'repo'), canary: path.join(point, 'canary') };
}

/** @param more the points of the other repositories */
export function observe(point: string, more: readonly string[] = []): World {
  return { ...placeAt(point), others: more.map(placeAt) };
}

export function placesOf(world: World): Place[] {
  return [world, ...world.others];
}

function placeAt(point: string): Place {
  const { root } = worldAt(point);
  const tree = fs.existsSync(root) ? snapshot(root) : new Map();
  const contents = new Set([...contentsOf(tree), ...netContents(root)]);
  return { point, root, tree, neighbour: neighbours(point), contents };
}

function neighbours(point: string): Snapshot {
  return snapshot(point, { without: 'repo', withBk: true });
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
 * RELIABILITY 4.3 at any moment, also right after a kill, in every repository: O1 every content is in the tree or in the
 * net (a dropped one: in a file of another repository's head), O2 the neighbours are as they were, O3 paths outside
 * the plan are as they were (inode included), O4 no name holds bytes that are neither old nor new.
 * @param allowed for each place in turn; none: nothing @returns what is wrong, as sentences
 */
export function losses(world: World, ...allowed: readonly Allowed[]): string[] {
  const places = placesOf(world);
  return places.flatMap((place, i) => {
    const found = lossesAt(place, places, allowed[i] ?? {});
    return found.map((what) => inOther(what, i));
  });
}

/** A finding in the i-th repository (0: the command's own), its oracle's number still in front. */
export function inOther(what: string, i: number): string {
  return i === 0 ? what : what.replace(/^(\w+: )?/, `$1in repository ${i}, `);
}

function lossesAt(place: Place, places: readonly Place[], allowed: Allowed): string[] {
  const tree = fs.existsSync(place.root) ? snapshot(place.root) : new Map();
  const held = new Set([...contentsOf(tree), ...netContents(place.root)]);
  if (allowed.settled !== true) for (const hash of stagedContents(place.root)) held.add(hash);
  const planned = allowed.changes ?? new Map<string, readonly string[]>();
  const missing = [...place.contents].filter((hash) => !held.has(hash) && !allowed.released?.has(hash));
  const elsewhere = missing.length === 0 ? new Set() : inHeadsOf(places.filter((other) => other !== place));
  const lost = missing.filter((hash) => !(allowed.dropped?.has(hash) && elsewhere.has(hash)));
  return [
    ...lost.map((hash) => {
      const dropped = allowed.dropped?.has(hash) ? ', nor in a file of another repository' : '';
      return `O1: content ${hash.slice(0, 12)} (${whereWas(place, hash)}) is in no file and not in the net${dropped}`;
    }),
    ...differences(place.neighbour, neighbours(place.point)).map((what) => `O2: outside the root: ${what}`),
    ...differences(place.tree, tree, { ignore: (at) => planned.has(at) }).map((what) => `O3: ${what}`),
    ...foreign(place, tree, allowed),
  ];
}

/** Contents of files that are as the head of their repository says. */
function inHeadsOf(places: readonly Place[]): Set<string> {
  const found = new Set<string>();
  for (const { root } of places) {
    if (head(root) === null) continue;
    const tree = snapshot(root);
    for (const [at, { record }] of records(root)) {
      if (record.blake3 !== undefined && tree.get(at)?.blake3 === record.blake3) found.add(record.blake3);
    }
  }
  return found;
}

function foreign(place: Place, tree: Snapshot, allowed: Allowed): string[] {
  const { changes: planned = new Map<string, readonly string[]>(), gone, passing, settled } = allowed;
  return [...planned].flatMap(([at, hashes]) => {
    const is = tree.get(at);
    const was = place.tree.get(at)?.blake3;
    if (is === undefined)
      return settled && was !== undefined && !gone?.has(at)
        ? [`O5: ${show(at)} is neither old nor new, it is gone`]
        : [];
    if (is.type === 'dir') return [];
    const passes = settled !== true && passing?.has(is.blake3) === true;
    return is.blake3 === was || hashes.includes(is.blake3) || passes
      ? []
      : [
          `O4: ${show(at)} holds bytes that are neither old nor new (${is.size} bytes, ${is.blake3.slice(0, 12)})`,
        ];
  });
}

function whereWas(place: Place, hash: string): string {
  for (const [at, entry] of place.tree) if (entry.blake3 === hash) return show(at);
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

/** O6: an index made anew says the same of the folder as the live one, also of what is not here. @returns what is wrong */
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
  const { entries } = bk(['-C', root, 'ls', '-r']);
  return JSON.stringify({ at, changes, skipped, unreadable, entries });
}

/** O7: a failing command says why, in words; a succeeding one does not fail. @returns what is wrong */
export function unexplained(done: Outcome, codes: readonly number[]): string[] {
  if (!codes.includes(done.code)) return [`O7: exit ${done.code}: ${done.stderr.slice(0, 1500)}`];
  return done.code < 2 || explained(done)
    ? []
    : [`O7: exit ${done.code} without an explanation: ${done.stderr.slice(0, 1500)}`];
}

/** What `status` says is deleted, by the paths of its answer. */
export function deletedBy(answer: Pick<Answer, 'changes'>): string[] {
  return answer.changes.filter(({ type }) => type === 'deleted').map((change) => change.path);
}

/** O8: the same command twice more changes neither heads nor folders. @returns what is wrong */
export function restless(
  again: () => Outcome,
  roots: readonly string[],
  codes: readonly number[] = [0, 1],
): string[] {
  const state = () => roots.map((root) => ({ at: head(root), tree: snapshot(root) }));
  const before = state();
  const said: string[] = [];
  for (let i = 0; i < 2; i++) said.push(...unexplained(again(), codes).map((what) => `O8: again: ${what}`));
  for (const [i, after] of state().entries()) {
    const was = before[i];
    if (was === undefined) continue;
    if (was.at !== after.at) said.push(inOther(`O8: the head moved from ${was.at} to ${after.at}`, i));
    said.push(...differences(was.tree, after.tree).map((what) => inOther(`O8: ${what}`, i)));
  }
  return said;
}

/** O6: bk itself finds nothing wrong with history, index, net and presence. @returns what is wrong */
export function checkProblems(root: string): string[] {
  const { problems } = bk(['-C', root, 'check'], { expect: [0, 1, 5] });
  return (problems as { kind: string; detail: string }[]).map(
    ({ kind, detail }) => `O6: check says ${kind}: ${detail}`,
  );
}
