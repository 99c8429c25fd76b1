import { nameOf, parentOf, type RepoPath, ROOT } from '../path.ts';
import type { Ground } from './ground.ts';
import type { MergeEntry, SideNumber } from './input.ts';
import type { MergeObject } from './objects.ts';
import { parentReader } from './parent-reader.ts';

/** A folder of the base is at another place on a side. */
export interface FolderMove {
  readonly to: RepoPath;
  /** How many objects say so. */
  readonly weight: number;
  /** The side's entry of one of them, always the same one. */
  readonly witness: MergeEntry;
}

/** What a side did to the folders of the base; all others are where they were, or gone without a place to look for them. */
export interface SideFolders {
  readonly moves: ReadonlyMap<RepoPath, FolderMove>;
  /** Gone, and there is no one place that most of their objects went to. */
  readonly split: ReadonlySet<RepoPath>;
  /** Something that was in them, or their own record, still is, or went no further than within them. */
  readonly kept: ReadonlySet<RepoPath>;
}

/**
 * Recognises the folders that a side renamed, as git does (Documentation/technical/directory-rename-detection): no
 * object stayed in it, and of those that live on elsewhere the most went to one place. Objects speak for the folders
 * above too, as far as the trailing names agree: `a/b/c` to `x/b/c` says that `a` is `x`. Beyond git, a folder whose
 * place was taken by another one in the same way (a swap) is recognised as well.
 * Folders' own records are evidence like any object, and the only one of empty folders.
 */
export function recogniseMoves(side: SideNumber, ground: Ground): SideFolders {
  const { trips, stay } = countTrips(ground.files, ground.records, side);
  const votes = countVotes(trips);
  const moves = new Map<RepoPath, FolderMove>();
  const split = new Set<RepoPath>();
  for (const [folder, targets] of votes) {
    if (stay.has(folder)) continue;
    const best = strongest(targets);
    if (best !== undefined) moves.set(folder, best);
    else if (!ground.isFolder(side, folder)) split.add(folder);
  }
  settleOccupied(moves, side, ground);
  return { moves, split, kept: stay };
}

interface Vote {
  weight: number;
  /** The path of the base that speaks for it, and its entry on the side. */
  from: RepoPath;
  witness: MergeEntry;
}
type Votes = Map<RepoPath, Map<RepoPath, Vote>>;

/** How many objects went from one folder to another, and the folders that some object did not leave. */
function countTrips(
  objects: readonly MergeObject[],
  records: readonly MergeObject[],
  side: SideNumber,
): { trips: Votes; stay: ReadonlySet<RepoPath> } {
  const trips: Votes = new Map();
  const stay = new Set<RepoPath>([ROOT]);
  const [before, after] = [parentReader(), parentReader()];
  let last: { readonly from: RepoPath; readonly to: RepoPath; readonly vote: Vote } | undefined;
  const travel = (from: RepoPath, to: RepoPath, base: MergeEntry, witness: MergeEntry): void => {
    if (from === to) pin(stay, from);
    else if (last?.from === from && last.to === to) join(last.vote, 1, base.path, witness);
    else last = { from, to, vote: addVote(trips, from, to, { weight: 1, from: base.path, witness }) };
  };
  for (const { base, sides } of objects) {
    const now = sides[side];
    if (base !== undefined && now !== undefined) travel(before(base.path), after(now.path), base, now);
  }
  for (const { base, sides } of records) {
    const now = sides[side];
    if (base !== undefined && now !== undefined) travel(base.path, now.path, base, now);
  }
  for (const [from, targets] of trips) for (const to of targets.keys()) pin(stay, commonFolder(from, to));
  return { trips, stay };
}

function pin(stay: Set<RepoPath>, folder: RepoPath): void {
  for (let path = folder; !stay.has(path); path = parentOf(path)) stay.add(path);
}

function commonFolder(a: RepoPath, b: RepoPath): RepoPath {
  let end = 0;
  for (let i = 0; ; i++) {
    const [x, y] = [i < a.length ? a[i] : '/', i < b.length ? b[i] : '/'];
    if (x !== y) break;
    if (x === '/') end = i;
    if (i >= a.length || i >= b.length) break;
  }
  return a.slice(0, end) as RepoPath;
}

function addVote(votes: Votes, from: RepoPath, to: RepoPath, vote: Vote): Vote {
  const targets = votes.get(from) ?? new Map<RepoPath, Vote>();
  if (targets.size === 0) votes.set(from, targets);
  const known = targets.get(to);
  if (known !== undefined) return join(known, vote.weight, vote.from, vote.witness);
  const first = { ...vote };
  targets.set(to, first);
  return first;
}

function join(vote: Vote, weight: number, from: RepoPath, witness: MergeEntry): Vote {
  vote.weight += weight;
  if (from < vote.from) {
    vote.from = from;
    vote.witness = witness;
  }
  return vote;
}

function countVotes(trips: Votes): Votes {
  const votes: Votes = new Map();
  for (const [start, targets] of trips) {
    for (const [end, vote] of targets) {
      let [from, to] = [start, end];
      while (from !== to) {
        addVote(votes, from, to, vote);
        if (from === ROOT || to === ROOT || nameOf(from) !== nameOf(to)) break;
        [from, to] = [parentOf(from), parentOf(to)];
      }
    }
  }
  return votes;
}

/** Undefined at a tie. */
function strongest(targets: ReadonlyMap<RepoPath, Vote>): FolderMove | undefined {
  let best: FolderMove | undefined;
  let isTie = false;
  for (const [to, { weight, witness }] of targets) {
    if (best !== undefined && weight < best.weight) continue;
    isTie = weight === best?.weight;
    best = { to, weight, witness };
  }
  return isTie ? undefined : best;
}

/**
 * A folder that is still there although its objects left is not the one that they went to, unless another folder came
 * to its place, or its own record went with them, or what is there goes with the folder around it.
 */
function settleOccupied(moves: Map<RepoPath, FolderMove>, side: SideNumber, ground: Ground): void {
  const occupied = new Set([...moves.keys()].filter((folder) => ground.isFolder(side, folder)));
  if (occupied.size === 0) return;
  const comers = new Map<RepoPath, number>();
  for (const { to } of moves.values()) comers.set(to, (comers.get(to) ?? 0) + 1);
  const inside = new Map<RepoPath, RepoPath[]>();
  for (const folder of occupied) {
    const siblings = inside.get(parentOf(folder));
    if (siblings === undefined) inside.set(parentOf(folder), [folder]);
    else siblings.push(folder);
  }
  const recordMoves = new Map<RepoPath, RepoPath>();
  for (const { base, sides } of ground.records) {
    const now = sides[side];
    if (base !== undefined && now !== undefined) recordMoves.set(base.path, now.path);
  }
  const waiting = [...occupied];
  const stays = (folder: RepoPath): void => {
    const move = moves.get(folder);
    if (move === undefined) return;
    moves.delete(folder);
    comers.set(move.to, (comers.get(move.to) ?? 0) - 1);
    waiting.push(move.to);
    waiting.push(...(inside.get(folder) ?? []));
  };
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const move = moves.get(folder);
    if (move === undefined || !occupied.has(folder)) continue;
    const above = moves.get(parentOf(folder));
    const isCarried = above?.to === parentOf(move.to) && nameOf(folder) === nameOf(move.to);
    if (isCarried) continue;
    const isReplaced = (comers.get(folder) ?? 0) > 0 || recordMoves.get(folder) === move.to;
    if (!isReplaced || ground.holdsUntouched(folder)) stays(folder);
  }
}
