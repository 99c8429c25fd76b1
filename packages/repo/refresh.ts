import type { IdentifiedEntry } from '@bk/core';
import type { Decision } from './decide.ts';
import { type Extended, NOTHING_KEPT } from './net.ts';
import { indexUpdate } from './record-index.ts';
import type { Repository } from './repository.ts';

/** Entries that turned out to be just what the head has, though the index could not vouch for them. */
export function unchangedEntries(decision: Decision): IdentifiedEntry[] {
  return decision.identified.entries.filter(({ seen, object }) => {
    if (object.kind !== 'known' || seen.type === 'dir') return false;
    const { tracked } = object;
    return (
      tracked.path === seen.path &&
      tracked.type === seen.type &&
      seen.blake3 === tracked.blake3 &&
      seen.mode === tracked.mode &&
      seen.mtimeNs === tracked.mtimeNs
    );
  });
}

/** Lets the index vouch for them from now on. Only while writing, with the head that the decision was made for. */
export function refreshIndex(repo: Repository, decision: Decision, extended: Extended = NOTHING_KEPT): number {
  const entries = unchangedEntries(decision);
  if (entries.length === 0) return 0;
  const recorded = entries.map((entry) => {
    if (entry.object.kind !== 'known') throw new TypeError('only known entries are unchanged');
    return { entry, id: entry.object.tracked.id, record: entry.object.tracked.record };
  });
  const summary = { recorded, written: [], extended, deleted: [], commit: undefined, confirmed: false };
  repo.index.write(indexUpdate(repo, decision, summary).update);
  return entries.length;
}
