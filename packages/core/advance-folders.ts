import type { Arrival, DiskFacts, FolderAt, TreeChange } from './advance-change.ts';
import { compareNames, isInside, joinPath, nameOf, parentOf, type RepoPath, ROOT } from './path.ts';

/** Where the folders of the tree before go. */
export interface FolderMoves {
  /** Folders that get another name, themselves and not only with the one around them. */
  readonly moves: ReadonlyMap<RepoPath, RepoPath>;
  /** Where a folder is afterwards, carried or by itself; undefined: it dissolves. */
  readonly destinationOf: (folder: RepoPath) => RepoPath | undefined;
}

interface Node {
  readonly folder: FolderAt;
  stays: boolean;
  /** Files in it, directly and below, that live on. */
  alive: number;
  readonly votes: Map<RepoPath, number>;
}

/**
 * Recognises folders that moved, by their objects: nothing stayed, and more than half of what lives on went to one
 * place under its old name. A folder takes no place where another one stays, and leaves none that is still a folder
 * afterwards, unless another folder comes to it (a swap) or it went into itself (`a` to `a/b`).
 */
export function folderMoves(
  change: TreeChange,
  arrivals: readonly Arrival[],
  ground: DiskFacts,
): FolderMoves {
  const after = new Set(change.after.folders.map(({ path }) => path));
  for (const { to } of change.moved) after.add(to);
  const before = new Set(change.before.folders.map(({ path }) => path));
  for (const { from } of change.moved) before.add(from);
  const whole = new Map(change.moved.map(({ from, to }) => [from, to]));
  const candidates = vote(change, arrivals, ground);
  const accepted = settleMoves(candidates, whole, { before, after });
  return placeFolders(change, accepted, after);
}

interface Candidate {
  readonly from: RepoPath;
  readonly to: RepoPath;
  readonly weight: number;
}

function vote(change: TreeChange, arrivals: readonly Arrival[], ground: DiskFacts): Candidate[] {
  const nodes = new Map<RepoPath, Node>();
  for (const folder of change.before.folders)
    nodes.set(folder.path, { folder, stays: folder.stays, alive: 0, votes: new Map() });
  const leave = (from: RepoPath, to: RepoPath, weight: number): void => {
    const node = nodes.get(parentOf(from));
    if (node === undefined || from === ROOT) return;
    node.alive += weight;
    if (parentOf(to) === parentOf(from)) node.stays = true;
    else if (nameOf(to) === nameOf(from)) add(node.votes, parentOf(to), weight);
  };
  for (const { before, after, wasHere, here } of arrivals)
    if (before !== undefined && wasHere && here) leave(before.path, after.path, 1);
  for (const { from, to, files } of change.moved) leave(from, to, Math.max(1, files));
  voteByRecord(change, nodes, ground);
  const candidates: Candidate[] = [];
  for (const [path, node] of [...nodes].sort(([a], [b]) => depth(b) - depth(a) || compareNames(a, b))) {
    if (path === ROOT) continue;
    const parent = nodes.get(parentOf(path));
    if (node.stays) {
      if (parent !== undefined) parent.stays = true;
      continue;
    }
    const best = strongest(node.votes);
    if (best === undefined || best.weight * 2 <= node.alive || ground.holdsMore(path)) {
      if (parent !== undefined) parent.alive += node.alive;
      continue;
    }
    candidates.push({ from: path, ...best });
    leave(path, best.to, node.alive);
  }
  return candidates;
}

/** A folder's own record has an id: that is the only evidence of an empty one. */
function voteByRecord(change: TreeChange, nodes: ReadonlyMap<RepoPath, Node>, ground: DiskFacts): void {
  const records = new Map(
    change.after.folders.flatMap(({ id, path }) => (id === undefined ? [] : [[id, path]])),
  );
  for (const { id, path } of change.before.folders) {
    const to = id === undefined ? undefined : records.get(id);
    const node = nodes.get(path);
    if (to === undefined || node === undefined || !ground.isHere(path, true)) continue;
    if (to === path) node.stays = true;
    else if (node.alive === 0) {
      node.alive = 1;
      add(node.votes, to, 1);
    }
  }
}

function strongest(votes: ReadonlyMap<RepoPath, number>): { to: RepoPath; weight: number } | undefined {
  let best: { to: RepoPath; weight: number } | undefined;
  for (const [to, weight] of votes) {
    const better =
      best === undefined || weight > best.weight || (weight === best.weight && compareNames(to, best.to) < 0);
    if (better) best = { to, weight };
  }
  return best;
}

/** Takes candidates away until those that are left can all go. */
function settleMoves(
  candidates: readonly Candidate[],
  whole: ReadonlyMap<RepoPath, RepoPath>,
  folders: { readonly before: ReadonlySet<RepoPath>; readonly after: ReadonlySet<RepoPath> },
): Map<RepoPath, RepoPath> {
  const moves = new Map<RepoPath, RepoPath>(whole);
  const comers = new Map<RepoPath, RepoPath>([...whole].map(([from, to]) => [to, from]));
  const ranked = [...candidates].sort((a, b) => b.weight - a.weight || compareNames(a.from, b.from));
  for (const { from, to } of ranked) {
    if (comers.has(to) || moves.has(from) || !folders.after.has(to)) continue;
    moves.set(from, to);
    comers.set(to, from);
  }
  const isPossible = (from: RepoPath, to: RepoPath): boolean => {
    if (folders.before.has(to) && !moves.has(to)) return false;
    return !folders.after.has(from) || comers.has(from) || isInside(to, from);
  };
  const waiting = [...moves];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [from, to] = next;
    if (whole.has(from) || moves.get(from) !== to || isPossible(from, to)) continue;
    moves.delete(from);
    comers.delete(to);
    // Who wanted to come here, and who is at the place that nobody comes to now, is asked again.
    const comer = comers.get(from);
    if (comer !== undefined) waiting.push([comer, from]);
    const there = moves.get(to);
    if (there !== undefined) waiting.push([to, there]);
  }
  return moves;
}

function placeFolders(
  change: TreeChange,
  accepted: ReadonlyMap<RepoPath, RepoPath>,
  after: ReadonlySet<RepoPath>,
): FolderMoves {
  const claimed = new Set(accepted.values());
  const places = new Map<RepoPath, RepoPath | undefined>([[ROOT, ROOT]]);
  const moves = new Map<RepoPath, RepoPath>();
  const paths = [...change.before.folders.map(({ path }) => path), ...change.moved.map(({ from }) => from)];
  for (const path of paths.sort((a, b) => depth(a) - depth(b) || compareNames(a, b))) {
    if (path === ROOT) continue;
    const above = places.get(parentOf(path));
    const carried = above === undefined ? undefined : joinPath(above, nameOf(path));
    const to = accepted.get(path);
    if (to !== undefined) {
      places.set(path, to);
      if (to !== carried) moves.set(path, to);
    } else
      places.set(
        path,
        carried !== undefined && after.has(carried) && !claimed.has(carried) ? carried : undefined,
      );
  }
  return { moves, destinationOf: (folder) => (places.has(folder) ? places.get(folder) : folder) };
}

function add(votes: Map<RepoPath, number>, to: RepoPath, weight: number): void {
  votes.set(to, (votes.get(to) ?? 0) + weight);
}

export function depth(path: RepoPath): number {
  return path === ROOT ? 0 : path.split('/').length;
}
