import { type EncodedName, nameOf, parentOf, type RepoPath, ROOT } from '../path.ts';
import type { SideFolders } from './folder-moves.ts';
import { type Ground, otherSide, SIDES } from './ground.ts';
import type { SideNumber } from './input.ts';

/**
 * A folder in all three trees, whatever it is called there: one of the base, or one that a side made (at the same
 * place on both sides: one). What a side did to the folder around it does not change its place.
 */
export interface FolderNode {
  /** Undefined: not in the base. */
  readonly base: RepoPath | undefined;
  /** Where it is in the base; of a new one, where it was made. Undefined: the root. */
  readonly home: FolderPlace | undefined;
  /** Of a new folder: its path on the sides that made it. */
  readonly made: [RepoPath | undefined, RepoPath | undefined];
}

export interface FolderPlace {
  readonly parent: FolderNode;
  readonly name: EncodedName;
}

/** The folders of three trees as nodes. */
export interface FolderNodes {
  readonly inBase: (path: RepoPath) => FolderNode;
  /** The folder that a side has at a path. */
  readonly onSide: (side: SideNumber, path: RepoPath) => FolderNode;
  /** The same, for the parent of something whose parent in the base is known: where folders became one, it is still the same. */
  readonly parentOnSide: (side: SideNumber, path: RepoPath, inBase: FolderNode | undefined) => FolderNode;
  /** Where a side has it; undefined: gone. */
  readonly pathOn: (side: SideNumber, node: FolderNode) => RepoPath | undefined;
  /** Undefined: gone, or the root. */
  readonly placeOn: (side: SideNumber, node: FolderNode) => FolderPlace | undefined;
  /** The side moved or renamed the folder itself, or put its objects into another one. */
  readonly isMoved: (side: SideNumber, node: FolderNode) => boolean;
  /** The folder into which a side put all the objects of this one, and which was a folder before. */
  readonly absorber: (side: SideNumber, node: FolderNode) => FolderNode | undefined;
}

export function folderNodes(folders: readonly [SideFolders, SideFolders], ground: Ground): FolderNodes {
  const root: FolderNode = { base: ROOT, home: undefined, made: [undefined, undefined] };
  const ofBase = new Map<RepoPath, FolderNode>([[ROOT, root]]);
  const ofSides = [new Map([[ROOT, root]]), new Map([[ROOT, root]])] as const;
  const made = new Map<FolderNode, Map<EncodedName, FolderNode>>();
  const claims = [claimsOf(folders[0], ground), claimsOf(folders[1], ground)] as const;

  const inBase = (path: RepoPath): FolderNode => {
    const known = ofBase.get(path);
    if (known !== undefined) return known;
    const home = { parent: inBase(parentOf(path)), name: nameOf(path) };
    const node: FolderNode = { base: path, home, made: [undefined, undefined] };
    ofBase.set(path, node);
    return node;
  };
  const onSide = (side: SideNumber, path: RepoPath): FolderNode => {
    const known = ofSides[side].get(path);
    if (known !== undefined) return known;
    const base = claims[side].get(path) ?? (isAt(folders[side], ground, path) ? path : undefined);
    const node = base === undefined ? newOn(side, path) : inBase(base);
    ofSides[side].set(path, node);
    return node;
  };
  const newOn = (side: SideNumber, path: RepoPath): FolderNode => {
    const parent = onSide(side, parentOf(path));
    const name = nameOf(path);
    const inside = made.get(parent) ?? new Map<EncodedName, FolderNode>();
    const fresh: FolderNode = { base: undefined, home: { parent, name }, made: [undefined, undefined] };
    const node = inside.get(name) ?? fresh;
    made.set(parent, inside.set(name, node));
    node.made[side] = path;
    return node;
  };
  const absorber = (side: SideNumber, { base }: FolderNode): FolderNode | undefined => {
    const to = base === undefined ? undefined : folders[side].moves.get(base)?.to;
    return to !== undefined && isAt(folders[side], ground, to) ? inBase(to) : undefined;
  };
  const parentOnSide = (side: SideNumber, path: RepoPath, before: FolderNode | undefined): FolderNode => {
    const moved = before?.base === undefined ? undefined : folders[side].moves.get(before.base);
    if (before !== undefined && moved?.to === path && absorber(side, before) === undefined) return before;
    return onSide(side, path);
  };
  const pathOn = (side: SideNumber, node: FolderNode): RepoPath | undefined => {
    if (node.base === undefined) return node.made[side];
    const moved = folders[side].moves.get(node.base)?.to;
    return moved ?? (ground.isFolder(side, node.base) ? node.base : undefined);
  };
  const placeOn = (side: SideNumber, node: FolderNode): FolderPlace | undefined => {
    const path = pathOn(side, node);
    if (path === undefined || node.home === undefined) return undefined;
    if (node.base === undefined) return node.home;
    return { parent: parentOnSide(side, parentOf(path), node.home.parent), name: nameOf(path) };
  };
  const isMoved = (side: SideNumber, node: FolderNode): boolean => {
    if (absorber(side, node) !== undefined) return true;
    const place = placeOn(side, node);
    return place !== undefined && (place.parent !== node.home?.parent || place.name !== node.home.name);
  };
  return { inBase, onSide, parentOnSide, pathOn, placeOn, isMoved, absorber };
}

/** A folder of the base that a side has at its old path. */
function isAt({ moves }: SideFolders, ground: Ground, path: RepoPath): boolean {
  return ground.isFolder('base', path) && !moves.has(path);
}

/** Of several folders that became one new one, the one with the most objects gives it its name and place. */
function claimsOf(folders: SideFolders, ground: Ground): Map<RepoPath, RepoPath> {
  const claims = new Map<RepoPath, RepoPath>();
  for (const [from, { to, weight }] of folders.moves) {
    if (isAt(folders, ground, to)) continue;
    const rival = claims.get(to);
    const rivalWeight = rival === undefined ? -1 : (folders.moves.get(rival)?.weight ?? 0);
    if (rival === undefined || weight > rivalWeight || (weight === rivalWeight && from < rival))
      claims.set(to, from);
  }
  return claims;
}

/**
 * The folder that a node's additions go to: itself, unless a side put all of its objects into another folder. One step:
 * not if the other side moved one of the two.
 */
export function receivingFolder(nodes: FolderNodes, node: FolderNode): FolderNode {
  for (const side of SIDES) {
    const other = otherSide(side);
    const target = nodes.absorber(side, node);
    if (target === undefined) continue;
    if (nodes.absorber(other, node) === target) return target;
    if (!nodes.isMoved(other, node) && !nodes.isMoved(other, target)) return receivingFolder(nodes, target);
  }
  return node;
}
