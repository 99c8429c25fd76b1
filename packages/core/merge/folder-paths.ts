import { compareNames, joinPath, type RepoPath, ROOT } from '../path.ts';
import type { FolderMove, SideFolders } from './folder-moves.ts';
import { type FolderNode, type FolderNodes, type FolderPlace, receivingFolder } from './folder-nodes.ts';
import { type Ground, SIDES } from './ground.ts';
import type { SideNumber } from './input.ts';
import { compareVersions, laterSide } from './versions.ts';

/** Where folders are in the merged tree. */
export interface FolderPaths {
  /** Where what belongs to the folder goes. */
  readonly pathOf: (node: FolderNode) => RepoPath;
  /** Folders that both sides moved, each to another place. */
  readonly disputed: () => Disputed[];
  /** The nodes that are at a path, as far as they were asked for. */
  readonly nodesAt: (path: RepoPath) => readonly FolderNode[];
}

export interface Disputed {
  readonly node: FolderNode;
  readonly path: RepoPath;
}

export function folderPaths(
  nodes: FolderNodes,
  folders: readonly [SideFolders, SideFolders],
  ground: Ground,
): FolderPaths {
  const places = new Map<FolderNode, FolderPlace>();
  const paths = new Map<FolderNode, RepoPath>();
  const byPath = new Map<RepoPath, FolderNode[]>();
  const disputes = new Set<FolderNode>();
  const alone = new Set<FolderNode>();
  const receiver = (node: FolderNode): FolderNode => (alone.has(node) ? node : receivingFolder(nodes, node));

  const placeOf = (node: FolderNode, home: FolderPlace): FolderPlace => {
    const known = places.get(node);
    if (known !== undefined) return known;
    const merged = node.base === undefined ? { place: home, disputed: false } : mergePlace(node, home);
    places.set(node, merged.place);
    if (merged.disputed) disputes.add(node);
    return merged.place;
  };
  const mergePlace = (node: FolderNode, home: FolderPlace): { place: FolderPlace; disputed: boolean } => {
    const first = nodes.placeOn(0, node) ?? home;
    const second = nodes.placeOn(1, node) ?? home;
    let disputed = false;
    const choose = <T>(base: T, a: T, b: T): T => {
      if (a === b || b === base) return a;
      if (a === base) return b;
      disputed = true;
      return laterMove(node, nodes, folders, ground) === 0 ? a : b;
    };
    const parent = choose(home.parent, first.parent, second.parent);
    return { place: { parent, name: choose(home.name, first.name, second.name) }, disputed };
  };
  const pathOf = (node: FolderNode): RepoPath => {
    const known = paths.get(node);
    if (known !== undefined) return known;
    breakCycle(node);
    const path = findPath(node);
    paths.set(node, path);
    byPath.set(path, [...(byPath.get(path) ?? []), node]);
    return path;
  };
  const findPath = (node: FolderNode): RepoPath => {
    if (node.home === undefined) return ROOT;
    const into = receiver(node);
    if (into !== node) return pathOf(into);
    const { parent, name } = placeOf(node, node.home);
    const path = joinPath(pathOf(parent), name);
    return path !== node.base && ground.isUntouched(path) ? literalPath(node, nodes, path) : path;
  };
  /** A folder that would be in itself: of the moves in the circle, that of the oldest version is undone. */
  const breakCycle = (start: FolderNode): void => {
    for (let circle = findCircle(start); circle !== undefined; circle = findCircle(start)) {
      const moved = circle.filter(
        (node) =>
          node.base !== undefined && placeOf(node, node.home as FolderPlace).parent !== node.home?.parent,
      );
      const [undone] = moved.sort((a, b) => compareMoves(a, b, nodes, folders, ground));
      if (undone?.home === undefined) {
        for (const node of circle) alone.add(node);
        continue;
      }
      places.set(undone, { parent: undone.home.parent, name: placeOf(undone, undone.home).name });
      disputes.add(undone);
    }
  };
  const findCircle = (start: FolderNode): FolderNode[] | undefined => {
    const way: FolderNode[] = [];
    const met = new Set<FolderNode>();
    for (let node = start; node.home !== undefined && !paths.has(node); ) {
      if (met.has(node)) return way.slice(way.indexOf(node));
      met.add(node);
      way.push(node);
      const into = receiver(node);
      node = into === node ? placeOf(node, node.home).parent : into;
    }
    return undefined;
  };
  return {
    pathOf,
    nodesAt: (path) => byPath.get(path) ?? [],
    disputed: () => {
      for (const path of folders[0].moves.keys()) if (folders[1].moves.has(path)) pathOf(nodes.inBase(path));
      return [...disputes].map((node) => ({ node, path: pathOf(node) }));
    },
  };
}

function moveOn(
  folders: readonly [SideFolders, SideFolders],
  side: SideNumber,
  node: FolderNode,
): FolderMove | undefined {
  return node.base === undefined ? undefined : folders[side].moves.get(node.base);
}

function laterMove(
  node: FolderNode,
  nodes: FolderNodes,
  folders: readonly [SideFolders, SideFolders],
  ground: Ground,
): SideNumber {
  const [first, second] = [moveOn(folders, 0, node), moveOn(folders, 1, node)];
  if (first !== undefined && second !== undefined)
    return laterSide(ground.facts, first.witness, second.witness);
  if (first !== undefined || second !== undefined) return first === undefined ? 1 : 0;
  const [x, y] = SIDES.map((side) => {
    const parent = nodes.placeOn(side, node)?.parent;
    return parent?.base ?? parent?.made[side] ?? '';
  });
  return compareNames(x ?? '', y ?? '') >= 0 ? 0 : 1;
}

/** The older move first. */
function compareMoves(
  a: FolderNode,
  b: FolderNode,
  nodes: FolderNodes,
  folders: readonly [SideFolders, SideFolders],
  ground: Ground,
): number {
  const [x, y] = [a, b].map((node) => {
    const versions = SIDES.filter((side) => nodes.isMoved(side, node)).flatMap((side) => {
      const witness = moveOn(folders, side, node)?.witness;
      return witness === undefined ? [] : [ground.facts.version(side, witness)];
    });
    return versions.sort(compareVersions).at(-1);
  });
  const order = x === undefined || y === undefined ? 0 : compareVersions(x, y);
  return order || compareNames(a.base ?? '', b.base ?? '');
}

/** Where a side has it: no file that all have alike can be there. */
function literalPath(node: FolderNode, nodes: FolderNodes, otherwise: RepoPath): RepoPath {
  const found = SIDES.flatMap((side) => nodes.pathOn(side, node) ?? []);
  return found.sort(compareNames)[0] ?? otherwise;
}
