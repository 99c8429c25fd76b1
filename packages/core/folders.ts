import type { TrackedEntry } from './entry.ts';
import type { Claims } from './evidence.ts';
import { nameOf, parentOf, type RepoPath } from './path.ts';

/**
 * Where entries would be now if they went with their folders: a folder was moved as a whole if every object directly
 * in it left it and more than half of those that were matched went to one other folder. Folders above count too, as
 * far as everything on the way left as well: `a/b/x` follows `a` to `z` as `z/b/x`.
 * @param objectsIn how many files and symlinks the head has directly in a folder
 */
export function followFolders(
  claims: Claims,
  objectsIn: (folder: RepoPath) => number,
): Record<'ofFile' | 'ofFolder', (path: RepoPath) => RepoPath | undefined> {
  const departures = countDepartures(claims);
  const votes = countVotes(claims);
  const emptied = (folder: RepoPath): boolean => objectsIn(folder) === (departures.get(folder) ?? 0);
  const ofFile = (path: RepoPath): RepoPath | undefined => {
    let rest: string = nameOf(path);
    for (let folder = parentOf(path); emptied(folder); folder = parentOf(folder)) {
      const target = winner(votes.get(folder));
      if (target !== undefined) return (target === '' ? rest : `${target}/${rest}`) as RepoPath;
      if (folder === '') return undefined;
      rest = `${nameOf(folder)}/${rest}`;
    }
    return undefined;
  };
  const ofFolder = (path: RepoPath): RepoPath | undefined => {
    if (path === '' || !emptied(path)) return undefined;
    return winner(votes.get(path)) ?? ofFile(path);
  };
  return { ofFile, ofFolder };
}

/** How many objects left each folder, wherever they went. */
function countDepartures(claims: Claims): Map<RepoPath, number> {
  const departures = new Map<RepoPath, number>();
  const leave = (tracked: TrackedEntry): void => {
    if (tracked.type === 'dir') return;
    const folder = parentOf(tracked.path);
    departures.set(folder, (departures.get(folder) ?? 0) + 1);
  };
  for (const tracked of claims.lost) leave(tracked);
  for (const { tracked, seen } of claims.matches) {
    if (parentOf(tracked.path) !== parentOf(seen.path)) leave(tracked);
  }
  return departures;
}

type Votes = Map<RepoPath, number>;

/** Each moved object votes for its folder's move and, as far up as the names stayed, for those of the folders above. */
function countVotes(claims: Claims): Map<RepoPath, Votes> {
  const votes = new Map<RepoPath, Votes>();
  for (const { tracked, seen } of claims.matches) {
    let from = parentOf(tracked.path);
    let to = parentOf(seen.path);
    while (from !== to) {
      const targets = votes.get(from) ?? new Map<RepoPath, number>();
      targets.set(to, (targets.get(to) ?? 0) + 1);
      votes.set(from, targets);
      if (from === '' || to === '' || nameOf(from) !== nameOf(to)) break;
      from = parentOf(from);
      to = parentOf(to);
    }
  }
  return votes;
}

function winner(targets: Votes | undefined): RepoPath | undefined {
  if (targets === undefined) return undefined;
  let total = 0;
  for (const count of targets.values()) total += count;
  for (const [target, count] of targets) if (count * 2 > total) return target;
  return undefined;
}
