import type { SeenEntry, TrackedEntry } from './entry.ts';
import {
  claimByPlace,
  EMPTY_CONTENT,
  hasContent,
  hasLastingInode,
  low,
  type Observed,
  type Occupied,
  roughInode,
  sameInode,
} from './evidence.ts';
import type { ContentHash } from './ids.ts';

/**
 * Tells the content of every seen entry that needs no reading: empty files, and whatever has the inode, birth time,
 * size, mtime and type of a tracked entry that is no longer at its own path (moved, swapped, rotated, and further hard
 * links of it). The change time is not compared: renaming changes it. An entry still at its own path though its stat
 * differs is not settled; only reading tells a touched file from an edited or a rotten one.
 *
 * Which object an entry is, identify decides from these contents as from those that were read: what was settled and
 * what was not give one and the same answer.
 *
 * A racy entry (changed within the clock's grain) settles nothing: its stat is no proof of its content, only of its identity.
 */
export function settle(input: Observed): Observed {
  const contents = contentsByStat(input);
  const known = (seen: SeenEntry): SeenEntry => {
    if (seen.blake3 !== undefined) return seen;
    const blake3 = seen.type === 'file' && seen.size === 0 ? EMPTY_CONTENT : contents(seen);
    return blake3 === undefined ? seen : { ...seen, blake3 };
  };
  return {
    gone: input.gone,
    occupied: input.occupied.map((pair) => {
      if (sameInode(pair.tracked, pair.seen) && hasContent(pair.seen)) return pair;
      const seen = known(pair.seen);
      return seen === pair.seen ? pair : { tracked: pair.tracked, seen };
    }),
    added: input.added.map(known),
  };
}

/** Hard links whose contents the index gives differently prove nothing. */
function contentsByStat(input: Observed): (seen: SeenEntry) => ContentHash | undefined {
  const first = new Map<number, TrackedEntry>();
  const others = new Map<number, TrackedEntry[]>();
  const unclear = new Set<TrackedEntry>();
  const find = (entry: TrackedEntry | SeenEntry, rough: number): TrackedEntry | undefined => {
    const tracked = first.get(rough);
    if (tracked === undefined || sameStat(tracked, entry)) return tracked;
    return others.get(rough)?.find((other) => sameStat(other, entry));
  };
  const learn = (tracked: TrackedEntry): void => {
    if (tracked.racy === true || !hasStat(tracked) || tracked.blake3 === undefined) return;
    const rough = roughStat(tracked);
    const known = find(tracked, rough);
    if (known !== undefined) {
      if (known.blake3 !== tracked.blake3) unclear.add(known);
    } else if (!first.has(rough)) first.set(rough, tracked);
    else if (!others.get(rough)?.push(tracked)) others.set(rough, [tracked]);
  };
  for (const tracked of input.gone) learn(tracked);
  for (const { tracked, seen } of input.occupied) if (!sameInode(tracked, seen)) learn(tracked);
  return (seen) => {
    if (first.size === 0 || !hasStat(seen)) return undefined;
    const proof = find(seen, roughStat(seen));
    return proof === undefined || unclear.has(proof) ? undefined : proof.blake3;
  };
}

function hasStat(entry: TrackedEntry | SeenEntry): boolean {
  return hasContent(entry) && hasLastingInode(entry);
}

function sameStat(a: TrackedEntry, b: TrackedEntry | SeenEntry): boolean {
  return sameInode(a, b) && a.size === b.size && a.mtimeNs === b.mtimeNs && a.type === b.type;
}

function roughStat(entry: TrackedEntry | SeenEntry): number {
  return roughInode(entry) + entry.size + low(entry.mtimeNs);
}

/**
 * The seen entries that must still be read. With `all` (commit): every one whose content is unknown. Without
 * (status): only those whose content could change what is reported: at a known path with the size that was known (any
 * other size is an edit), and others if something of their type and size is missed, or if they have the inode of
 * something that is not at its path. Ask again after reading: what was read can free further objects. Media that were
 * moved and got other tags are not looked for: only a commit reads all that would have to be compared.
 */
export function wanted(settled: Observed, options: { readonly all: boolean }): readonly SeenEntry[] {
  const unknown = [...settled.added, ...settled.occupied.map((pair) => pair.seen)].filter(
    (seen) => seen.blake3 === undefined && hasContent(seen),
  );
  if (options.all || unknown.length === 0) return unknown;
  const claims = claimByPlace(settled);
  const missed = new Set(claims.lost.map(sizeKey));
  const found = new Set(claims.found);
  const sameSize = new Set(settled.occupied.filter(hasSameSize).map((pair) => pair.seen));
  const away = inodesAway(settled);
  return unknown.filter((seen) => {
    if (sameSize.has(seen)) return true;
    if (found.has(seen) && missed.has(sizeKey(seen))) return true;
    return hasLastingInode(seen) && away.has(roughInode(seen) + seen.size);
  });
}

function hasSameSize({ tracked, seen }: Occupied): boolean {
  return tracked.type === seen.type && tracked.size === seen.size;
}

function sizeKey(entry: TrackedEntry | SeenEntry): string {
  return `${entry.type}/${entry.size}`;
}

/** Rough: a needless reading once in a long while does no harm. */
function inodesAway(input: Observed): Set<number> {
  const away = new Set<number>();
  for (const tracked of input.gone) away.add(roughInode(tracked) + tracked.size);
  for (const { tracked, seen } of input.occupied) {
    if (!sameInode(tracked, seen)) away.add(roughInode(tracked) + tracked.size);
  }
  return away;
}
