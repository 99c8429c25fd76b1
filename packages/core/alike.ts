import { pairNearest } from './nearest.ts';
import type { RepoPath } from './path.ts';

/**
 * Which entries of two sides are one and the same. `rough` is a number or text that is equal for such entries and
 * seldom for others, undefined for those of which nothing is known; `same` decides between two of equal `rough` (it is
 * an equivalence). Texts made of several fields would decide alone, but making and hashing them for 200,000 entries
 * takes longer than all the rest.
 */
export interface Criterion<E> {
  readonly rough: (entry: E) => number | string | undefined;
  readonly same: (a: E, b: E) => boolean;
}

/** Indices into the other side, -1: none. */
export interface Pairing {
  readonly foundOf: Int32Array;
  readonly lostOf: Int32Array;
}

/**
 * Pairs entries that are alike, each at most once, the nearest paths first where there are several. Groups are chains
 * of indices in typed arrays: nearly all have one entry on each side, and objects for them would cost more than the work.
 */
export function pairAlike<E extends { readonly path: RepoPath }, L extends E, F extends E>(
  lost: readonly L[],
  found: readonly F[],
  criterion: Criterion<E>,
): Pairing {
  const pairing = { foundOf: noneOf(lost.length), lostOf: noneOf(found.length) };
  if (lost.length === 0 || found.length === 0) return pairing;
  const groups = groupLost(lost, criterion);
  const firstFound = noneOf(lost.length);
  const nextFound = noneOf(found.length);
  for (let i = found.length - 1; i >= 0; i--) {
    const leader = groups.leaderOf(found[i]!);
    if (leader < 0) continue;
    nextFound[i] = firstFound[leader]!;
    firstFound[leader] = i;
  }
  const pair = (l: number, f: number): void => {
    pairing.foundOf[l] = f;
    pairing.lostOf[f] = l;
  };
  for (let leader = 0; leader < lost.length; leader++) {
    const f = firstFound[leader]!;
    if (f < 0) continue;
    if (groups.nextLost[leader]! < 0 && nextFound[f]! < 0) pair(leader, f);
    else {
      const pairs = pairNearest(chain(lost, leader, groups.nextLost), chain(found, f, nextFound));
      for (const [one, other] of pairs) pair(one.index, other.index);
    }
  }
  return pairing;
}

interface Groups<E> {
  /** Index of the lost entry that leads the group to which an entry belongs; -1: no group. */
  readonly leaderOf: (entry: E) => number;
  /** From its leader through a group. */
  readonly nextLost: Int32Array;
}

function groupLost<E, L extends E>(lost: readonly L[], { rough, same }: Criterion<E>): Groups<E> {
  const leaders = new Map<number | string, number>();
  const nextLeader = noneOf(lost.length);
  const nextLost = noneOf(lost.length);
  const leaderOf = (entry: E, key = rough(entry)): number => {
    let leader = key === undefined ? -1 : (leaders.get(key) ?? -1);
    while (leader >= 0 && !same(lost[leader]!, entry)) leader = nextLeader[leader]!;
    return leader;
  };
  for (const [i, entry] of lost.entries()) {
    const key = rough(entry);
    if (key === undefined) continue;
    const leader = leaderOf(entry, key);
    if (leader >= 0) {
      nextLost[i] = nextLost[leader]!;
      nextLost[leader] = i;
    } else {
      nextLeader[i] = leaders.get(key) ?? -1;
      leaders.set(key, i);
    }
  }
  return { leaderOf: (entry) => leaderOf(entry), nextLost };
}

function chain<E extends { readonly path: RepoPath }>(
  entries: readonly E[],
  first: number,
  next: Int32Array,
) {
  const indices: { readonly path: RepoPath; readonly index: number }[] = [];
  for (let i = first; i >= 0; i = next[i]!) indices.push({ path: entries[i]!.path, index: i });
  return indices;
}

function noneOf(length: number): Int32Array {
  return new Int32Array(length).fill(-1);
}
