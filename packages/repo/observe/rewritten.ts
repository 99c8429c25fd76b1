import { type Change, type ContentHash, type IdentifiedEntry, STAT, STAT_WIDTH, timeNs } from '@bk/core';
import { type Contents, type ReadOptions, readFound } from '../safety/contents.ts';
import { type Found, foundOf } from './draft.ts';

interface Sources extends Pick<ReadOptions, 'root' | 'pool'> {
  readonly entries: readonly IdentifiedEntry[];
  readonly contents: Contents;
  /** Of the head's record of an entry. */
  readonly payloadOf: (entry: IdentifiedEntry) => ContentHash | undefined;
}

/**
 * Takes the suspicion of rot from media that somebody wrote other tags into and whose time he put back, as players do:
 * pixels or sound are the same, and the change time is another one, which a failing disk does not move.
 */
export async function withoutRewritten(changes: readonly Change[], sources: Sources): Promise<Change[]> {
  const suspects = new Set(changes.flatMap(({ suspect, path }) => (suspect === 'rot' ? [path] : [])));
  if (suspects.size === 0) return [...changes];
  const open = sources.entries.filter(
    (entry) =>
      suspects.has(entry.seen.path) && ctimeMoved(foundOf(entry)) && sources.payloadOf(entry) !== undefined,
  );
  const facts = await factsOf(open.map(foundOf), sources);
  const rewritten = new Set(
    open.flatMap((entry) => {
      const { path } = entry.seen;
      return facts.get(path)?.payload === sources.payloadOf(entry) ? [path] : [];
    }),
  );
  return changes.map((change) => {
    if (change.suspect === undefined || !rewritten.has(change.path)) return change;
    const { suspect: _, ...innocent } = change;
    return innocent;
  });
}

/** Contents that were not read for their facts are read again: there are few. */
async function factsOf(
  found: readonly Found[],
  { root, pool, contents }: Sources,
): Promise<Contents['facts']> {
  const facts = new Map(contents.facts);
  const again: Contents = { hashes: new Map(), targets: new Map(), facts, failures: new Map() };
  const unread = found.filter(({ path }) => !facts.has(path));
  if (unread.length > 0) await readFound(unread, again, { root, pool, media: true });
  return facts;
}

function ctimeMoved({ draft, at, ctimeNs }: Found): boolean {
  const k = draft.knownPlace[at]!;
  const before = k < 0 ? undefined : draft.known?.listing.stats[k * STAT_WIDTH + STAT.ctime];
  return before !== undefined && timeNs(before) !== ctimeNs;
}
