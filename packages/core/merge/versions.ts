import { compareNames } from '../path.ts';
import { formatRecord } from '../record.ts';
import type { MergeEntry, MergeFacts, SideNumber, Version } from './input.ts';

/** The later version, ties by the greater commit id. */
export function compareVersions(a: Version, b: Version): number {
  return a.timeSec - b.timeSec || compareNames(a.commit, b.commit);
}

/** Which of two sides has the later version. By the entries themselves where versions do not tell, never by the number. */
export function laterSide(facts: MergeFacts, first: MergeEntry, second: MergeEntry): SideNumber {
  const order =
    compareVersions(facts.version(0, first), facts.version(1, second)) ||
    compareNames(formatRecord(first.record), formatRecord(second.record)) ||
    compareNames(first.path, second.path);
  return order >= 0 ? 0 : 1;
}

/** The latest of versions, of which there is at least one. */
export function latest(versions: readonly Version[]): Version | undefined {
  return [...versions].sort(compareVersions).at(-1);
}
