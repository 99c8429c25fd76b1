import type { RecordAt } from '../compare.ts';
import { foldersAbove } from '../folder-change.ts';
import { type RepoPath, ROOT } from '../path.ts';
import type { Rec } from '../record.ts';
import type { FolderTarget } from './layout-folders.ts';
import type { Situation } from './layout-rest-room.ts';
import type { Going } from './layout-tree.ts';

/** What becomes of the records of folders out of which everything went. */
export interface FolderRecords {
  /** They go with their folder. */
  readonly going: readonly Going[];
  /** They said nothing but the mode of a folder that is no more. */
  readonly emptied: readonly RecordAt[];
}

/**
 * A folder out of which everything went is no more, as one without a record; if its record has attributes, it goes
 * where the folder went, or the folder stays, empty. What still has anything in it keeps its record.
 * @param going everything that moves
 */
export function folderRecords(
  { chosen, other, settled }: Situation,
  going: readonly Going[],
  targetOf: (folder: RepoPath) => FolderTarget,
): FolderRecords {
  const records: { going: Going[]; emptied: RecordAt[] } = { going: [], emptied: [] };
  const isOpen = (entry: RecordAt): boolean =>
    entry.record.type === 'dir' &&
    entry.path !== ROOT &&
    other.filled.has(entry.path) &&
    other.wholeOf(entry.path) === undefined;
  const open = other.entries.filter(isOpen);
  if (open.length === 0) return records;
  const moved = new Map(going.map(({ entry, to }) => [entry, to]));
  const others = other.entries.filter((entry) => !isOpen(entry));
  const filled = foldersAbove(others.map((entry) => moved.get(entry) ?? entry.path));
  for (const entry of open.sort((a, b) => b.path.length - a.path.length)) {
    if (filled.has(entry.path)) continue;
    const target = targetOf(entry.path);
    const to = target.files ?? target.folders;
    if (!saysMore(entry.record)) records.emptied.push(entry);
    else if (to !== undefined && to !== ROOT && filled.has(to) && settled.ground.hasRoom(to, true)) {
      settled.ground.add(to, true);
      const twin = chosen.at.get(to);
      records.going.push(twin === undefined ? { entry, to } : { entry, to, twin });
    } else {
      for (const folder of foldersAbove([entry.path])) filled.add(folder);
    }
  }
  return records;
}

const PLAIN_FIELDS: ReadonlySet<string> = new Set(['v', 'id', 'type', 'mode', 'was']);

/** More than a mode. */
function saysMore(record: Rec): boolean {
  return Object.keys(record).some((field) => !PLAIN_FIELDS.has(field));
}
