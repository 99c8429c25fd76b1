import { type ObjectId, parseRecord } from '@bk/core';
import type { HistoryReader, IndexDb } from '@bk/store';
import { absentRecords } from '../index/rebuild.ts';

/** Whether a group of names of one inode (its smallest id) has one that is absent by design. */
export type LinksAway = (group: ObjectId) => boolean;

/**
 * A file of which other names are not here still shares its inode with them by the head: its record stays. Asked only of
 * files that had other names; what is absent is then read once.
 */
export function linksAway({ index, history }: { index: IndexDb; history: HistoryReader }): LinksAway {
  let groups: Set<ObjectId> | undefined;
  return (group) => {
    groups ??= new Set(
      [...absentRecords(index).values()].flatMap((id) => parseRecord(history.readBlobText(id)).linked ?? []),
    );
    return groups.has(group);
  };
}
