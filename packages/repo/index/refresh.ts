import { type IdentifiedEntry, parseRecord, type RepoPath } from '@bk/core';
import type { HistoryReader } from '@bk/store';
import { groupOf, linkedId, type Recorded } from '../history/records.ts';
import type { Decision } from '../observe/decide.ts';
import { type LinksAway, linksAway } from '../presence/absent-links.ts';
import type { Repository } from '../repository.ts';
import { type Extended, NOTHING_KEPT } from '../safety/net.ts';
import { indexUpdate } from './record-index.ts';

/** Entries that turned out to be just what the head has, though the index could not vouch for them. */
export function unchangedEntries(
  decision: Decision,
  repo: Pick<Repository, 'history' | 'index'>,
): IdentifiedEntry[] {
  const same = decision.identified.entries.filter(isSame);
  const ids = new Map(same.map((entry) => [entry.seen.path, recordedAs(entry).id]));
  const names = { decision, ids, history: repo.history, away: linksAway(repo) };
  return same.filter((entry) => entry.seen.type !== 'file' || keepsItsNames(entry, names));
}

function isSame({ seen, object }: IdentifiedEntry): boolean {
  if (object.kind !== 'known' || seen.type === 'dir') return false;
  const { tracked } = object;
  return (
    tracked.path === seen.path &&
    tracked.type === seen.type &&
    seen.blake3 === tracked.blake3 &&
    seen.mode === tracked.mode &&
    seen.mtimeNs === tracked.mtimeNs
  );
}

interface Names {
  readonly decision: Decision;
  readonly ids: ReadonlyMap<RepoPath, Recorded['id']>;
  readonly history: HistoryReader;
  readonly away: LinksAway;
}

/** Whether its record says right which other names its inode has: if not, the next commit must see it. */
function keepsItsNames(entry: IdentifiedEntry, { decision, ids, history, away }: Names): boolean {
  const group = decision.linked.get(entry.seen.path);
  if (group?.some((path) => !ids.has(path))) return false;
  const record = parseRecord(history.readBlobText(recordedAs(entry).record));
  return record.linked === groupOf(record, linkedId(group, ids), away);
}

interface Refreshing {
  /** Those of unchangedEntries. */
  readonly entries: readonly IdentifiedEntry[];
  readonly extended?: Extended;
}

/** Lets the index vouch for entries from now on. Only while writing, with the head that the decision was made for. */
export function refreshIndex(
  repo: Repository,
  decision: Decision,
  { entries, extended = NOTHING_KEPT }: Refreshing,
): void {
  if (entries.length + decision.observation.mounted.length === 0) return;
  const recorded = entries.map(recordedAs);
  const summary = { recorded, written: [], extended, deleted: [], commit: undefined, confirmed: false };
  repo.index.write(indexUpdate(repo, decision, summary).update);
}

function recordedAs(entry: IdentifiedEntry): Recorded {
  if (entry.object.kind !== 'known') throw new TypeError('only known entries are unchanged');
  const { id, record } = entry.object.tracked;
  return { entry, id, record };
}
