import type { RecordAt } from '../compare.ts';
import { joinPath, nameOf, parentOf, type RepoPath } from '../path.ts';
import { isEvidence } from './folder-contents.ts';
import { type FolderTarget, folderTargets, type Sign } from './layout-folders.ts';
import { RoomForRest, type Situation } from './layout-rest-room.ts';
import type { Going } from './layout-tree.ts';

/** Where the rest of each folder follows to. */
export function targetsIn(situation: Situation): (folder: RepoPath) => FolderTarget {
  const { settled, other, known } = situation;
  const signs: Sign[] = [];
  for (const entry of other.entries) {
    const { path, record } = entry;
    if (!isEvidence(record) || other.wholeOf(parentOf(path)) !== undefined) continue;
    if (settled.asked.has(entry)) signs.push({ path, to: settled.going.get(entry)?.to ?? path });
    else if (!known.has(record.blake3)) signs.push({ path, to: undefined });
  }
  return folderTargets(signs);
}

/**
 * What goes because its folder went: what the chosen layout knows neither by its content nor by its path, as far as its
 * place there is free in both trees. Adds to `settled.ground`, so the tree stays valid whatever is taken.
 */
export function followers(situation: Situation, targetOf: (folder: RepoPath) => FolderTarget): Going[] {
  const { chosen, settled } = situation;
  const room = new RoomForRest(situation);
  const going: Going[] = [];
  const go = (entry: RecordAt, to: RepoPath): void => {
    settled.ground.add(to, entry.record.type === 'dir');
    const twin = chosen.at.get(to);
    going.push(twin === undefined ? { entry, to } : { entry, to, twin });
  };
  const isPlaced = (path: RepoPath, to: RepoPath): boolean =>
    to === path || chosen.at.has(path) || chosen.folders.has(path);
  for (const { root, entries } of situation.wholes) {
    const target = targetOf(parentOf(root)).folders;
    const to = target === undefined ? root : joinPath(target, nameOf(root));
    if (isPlaced(root, to) || !room.takeWhole(root, to)) continue;
    for (const entry of entries) go(entry, `${to}${entry.path.slice(root.length)}` as RepoPath);
  }
  for (const entry of restOf(situation)) {
    const target = targetOf(parentOf(entry.path))[entry.record.type === 'dir' ? 'folders' : 'files'];
    const to = target === undefined ? entry.path : joinPath(target, nameOf(entry.path));
    if (!isPlaced(entry.path, to) && room.take(entry, to)) go(entry, to);
  }
  return going;
}

/** Unique files, empty ones, links and empty folders; surplus copies of what the chosen layout has are not of it. */
function restOf({ other, settled, known }: Situation): RecordAt[] {
  return other.entries.filter((entry) => {
    const { path, record } = entry;
    if (settled.asked.has(entry)) return false;
    if (record.type === 'dir') return !other.filled.has(path) && other.wholeOf(path) === undefined;
    return other.wholeOf(parentOf(path)) === undefined && !(isEvidence(record) && known.has(record.blake3));
  });
}
