import type { EntryType, SeenEntry } from './entry.ts';
import { hasContent } from './evidence.ts';
import type { ContentHash, ObjectId } from './ids.ts';
import { pairNearest, sortByPath } from './nearest.ts';
import { compareNames, type RepoPath } from './path.ts';

/** An object that an earlier commit deleted, as it was last; its id is not alive. */
export interface DepartedObject {
  readonly id: ObjectId;
  readonly path: RepoPath;
  /** Absent for folders. */
  readonly blake3?: ContentHash;
  readonly size: number;
  readonly type: EntryType;
  readonly inode?: bigint;
}

/**
 * Which new entries are departed objects that came back (recovered, moved in again): equal content and the same path,
 * else the same inode, else the nearest path. Empty files and folders come back only at their own path. No id comes
 * back twice.
 */
export function claimReturned(
  found: readonly SeenEntry[],
  departed: readonly DepartedObject[],
): Map<SeenEntry, DepartedObject> {
  const returned = new Map<SeenEntry, DepartedObject>();
  if (found.length === 0 || departed.length === 0) return returned;
  const taken = new Set<ObjectId>();
  const byId = [...departed].sort((a, b) => compareNames(a.id, b.id));
  const sorted = sortByPath(byId, (object) => object.path);
  const take = (seen: SeenEntry, object: DepartedObject): void => {
    returned.set(seen, object);
    taken.add(object.id);
  };
  const arrivals = sortByPath(found, (seen) => seen.path);
  const taking = { returned, taken, take };
  takeByKey(arrivals, sorted, taking, pathKey);
  takeByKey(arrivals, sorted, taking, contentAndInodeKey);
  const stillNew = arrivals.filter((seen) => !returned.has(seen));
  const groups = groupByContent(stillNew, sorted);
  for (const key of [...groups.keys()].sort()) {
    const group = groups.get(key)!;
    const objects = onePerId(group.objects.filter((object) => !taken.has(object.id)));
    for (const [object, seen] of pairNearest(objects, group.found)) take(seen, object);
  }
  return returned;
}

interface Taking {
  readonly returned: ReadonlyMap<SeenEntry, DepartedObject>;
  readonly taken: ReadonlySet<ObjectId>;
  readonly take: (seen: SeenEntry, object: DepartedObject) => void;
}

type Arrival = SeenEntry | DepartedObject;

/** Names type and content, if it is evidence. */
function contentKey(entry: Arrival): string | undefined {
  return hasContent(entry) && entry.blake3 !== undefined ? `${entry.type}/${entry.blake3}` : undefined;
}

/** Folders and empty files need no equal content here: only their own path brings them back. */
function pathKey(entry: Arrival): string | undefined {
  if (entry.type === 'dir' || entry.size === 0) return `${entry.type}//${entry.path}`;
  const content = contentKey(entry);
  return content === undefined ? undefined : `${content}/${entry.path}`;
}

function contentAndInodeKey(entry: Arrival): string | undefined {
  const content = contentKey(entry);
  return content === undefined || !entry.inode ? undefined : `${content}/${entry.inode}`;
}

/** Each entry takes the first object of its key that is not taken. */
function takeByKey(
  found: readonly SeenEntry[],
  departed: readonly DepartedObject[],
  taking: Taking,
  keyOf: (entry: Arrival) => string | undefined,
): void {
  const byKey = new Map<string, { readonly objects: DepartedObject[]; next: number }>();
  for (const object of departed) {
    const key = keyOf(object);
    if (key === undefined) continue;
    const queue = byKey.get(key);
    if (queue === undefined) byKey.set(key, { objects: [object], next: 0 });
    else queue.objects.push(object);
  }
  for (const seen of found) {
    if (taking.returned.has(seen)) continue;
    const key = keyOf(seen);
    const queue = key === undefined ? undefined : byKey.get(key);
    if (queue === undefined) continue;
    while (queue.next < queue.objects.length && taking.taken.has(queue.objects[queue.next]!.id)) queue.next++;
    const object = queue.objects[queue.next];
    if (object !== undefined) taking.take(seen, object);
  }
}

function groupByContent(
  found: readonly SeenEntry[],
  departed: readonly DepartedObject[],
): Map<string, { readonly objects: DepartedObject[]; readonly found: SeenEntry[] }> {
  const groups = new Map<string, { readonly objects: DepartedObject[]; readonly found: SeenEntry[] }>();
  for (const seen of found) {
    const key = contentKey(seen);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { objects: [], found: [seen] });
    else group.found.push(seen);
  }
  for (const object of departed) {
    const key = contentKey(object);
    if (key !== undefined) groups.get(key)?.objects.push(object);
  }
  return groups;
}

/** An object may have been deleted more than once; the first by path stands for it. */
function onePerId(objects: readonly DepartedObject[]): DepartedObject[] {
  const ids = new Set<ObjectId>();
  return objects.filter((object) => !ids.has(object.id) && ids.add(object.id));
}
