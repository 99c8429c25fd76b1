import { type EncodedName, joinPath, nameOf, parentOf, type RepoPath, ROOT } from '../path.ts';
import type { FolderMove, SideFolders } from './folder-moves.ts';
import type { Ground } from './ground.ts';
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

/** The folders of three trees as nodes, made when they are asked for. */
export class FolderNodes {
  readonly #ground: Ground;
  readonly #sides: readonly [SideNodes, SideNodes];
  readonly #inBase = new Map<RepoPath, FolderNode>();
  readonly #made = new Map<FolderNode, Map<EncodedName, FolderNode>>();

  constructor(folders: readonly [SideFolders, SideFolders], ground: Ground) {
    const root: FolderNode = { base: ROOT, home: undefined, made: [undefined, undefined] };
    this.#ground = ground;
    this.#inBase.set(ROOT, root);
    this.#sides = [sideNodes(folders[0], root, ground), sideNodes(folders[1], root, ground)];
  }

  inBase(path: RepoPath): FolderNode {
    const known = this.#inBase.get(path);
    if (known !== undefined) return known;
    const home = { parent: this.inBase(parentOf(path)), name: nameOf(path) };
    const folder: FolderNode = { base: path, home, made: [undefined, undefined] };
    this.#inBase.set(path, folder);
    return folder;
  }

  /** The folder that a side has at a path. */
  onSide(side: SideNumber, path: RepoPath): FolderNode {
    const { at, moves, claims } = this.#sides[side];
    const known = at.get(path);
    if (known !== undefined) return known;
    const base = claims.get(path) ?? (isAt(moves, this.#ground, path) ? path : undefined);
    const folder = base === undefined ? this.#newOn(side, path) : this.inBase(base);
    at.set(path, folder);
    return folder;
  }

  /** The folder of an object, of which the folder in the base is known: it is still in that if it went where that went. */
  objectParentOnSide(side: SideNumber, path: RepoPath, before: FolderNode | undefined): FolderNode {
    return before !== undefined && this.moveOn(side, before)?.to === path ? before : this.onSide(side, path);
  }

  /** The same, of a folder: what went into another folder is no place for folders. */
  parentOnSide(side: SideNumber, path: RepoPath, before: FolderNode | undefined): FolderNode {
    const parent = this.objectParentOnSide(side, path, before);
    return this.absorber(side, parent) === undefined ? parent : this.onSide(side, path);
  }

  /** Where a side has it; undefined: gone. */
  pathOn(side: SideNumber, folder: FolderNode): RepoPath | undefined {
    if (folder.base === undefined) return folder.made[side] ?? this.#findNew(side, folder);
    const moved = this.moveOn(side, folder)?.to;
    return moved ?? (this.#ground.isFolder(side, folder.base) ? folder.base : undefined);
  }

  /** The same, but undefined too if what a side has there is rather another folder, into which this one went. */
  ownPathOn(side: SideNumber, folder: FolderNode): RepoPath | undefined {
    const path = this.pathOn(side, folder);
    return path !== undefined && this.onSide(side, path) === folder ? path : undefined;
  }

  moveOn(side: SideNumber, { base }: FolderNode): FolderMove | undefined {
    return base === undefined ? undefined : this.#sides[side].moves.get(base);
  }

  /** Undefined: gone, gone into another one, or the root. */
  placeOn(side: SideNumber, folder: FolderNode): FolderPlace | undefined {
    const path = this.pathOn(side, folder);
    if (path === undefined || folder.home === undefined) return undefined;
    if (this.absorber(side, folder) !== undefined) return undefined;
    if (folder.base === undefined) return folder.home;
    return { parent: this.parentOnSide(side, parentOf(path), folder.home.parent), name: nameOf(path) };
  }

  /** The side moved or renamed the folder itself, or put its objects into another one. */
  isMoved(side: SideNumber, folder: FolderNode): boolean {
    if (this.absorber(side, folder) !== undefined) return true;
    const place = this.placeOn(side, folder);
    return place !== undefined && (place.parent !== folder.home?.parent || place.name !== folder.home.name);
  }

  /** The folder into which a side put all the objects of this one, and which was a folder before. */
  absorber(side: SideNumber, { base }: FolderNode): FolderNode | undefined {
    const to = base === undefined ? undefined : this.#sides[side].absorbed.get(base);
    return to === undefined ? undefined : this.inBase(to);
  }

  /** A new folder that was met on the other side only. */
  #findNew(side: SideNumber, { home }: FolderNode): RepoPath | undefined {
    const parent = home && this.pathOn(side, home.parent);
    if (home === undefined || parent === undefined) return undefined;
    const path = joinPath(parent, home.name);
    if (!this.#ground.isFolder(side, path)) return undefined;
    return this.onSide(side, path).home === home ? path : undefined;
  }

  #newOn(side: SideNumber, path: RepoPath): FolderNode {
    const parent = this.onSide(side, parentOf(path));
    const name = nameOf(path);
    const inside = this.#made.get(parent) ?? new Map<EncodedName, FolderNode>();
    const fresh: FolderNode = { base: undefined, home: { parent, name }, made: [undefined, undefined] };
    const folder = inside.get(name) ?? fresh;
    this.#made.set(parent, inside.set(name, folder));
    folder.made[side] = path;
    return folder;
  }
}

/** What one side did to the folders of the base. */
interface SideNodes {
  readonly moves: SideFolders['moves'];
  /** Folders that went into one that was there before, and is. */
  readonly absorbed: ReadonlyMap<RepoPath, RepoPath>;
  /** Which folder of the base is at a path that it did not have. */
  readonly claims: ReadonlyMap<RepoPath, RepoPath>;
  readonly at: Map<RepoPath, FolderNode>;
}

/**
 * Of several folders that became one new one, the one with the most objects gives it its name and place. New is also one
 * at the path of a folder of which nothing is left.
 */
function sideNodes({ moves, kept }: SideFolders, root: FolderNode, ground: Ground): SideNodes {
  const absorbed = new Map<RepoPath, RepoPath>();
  const claims = new Map<RepoPath, RepoPath>();
  for (const [from, { to, weight }] of moves) {
    const isOccupied = kept.has(to) || ground.holdsUntouched(to);
    if (isOccupied && isAt(moves, ground, to)) {
      absorbed.set(from, to);
      continue;
    }
    const rival = claims.get(to);
    const rivalWeight = rival === undefined ? 0 : (moves.get(rival)?.weight ?? 0);
    if (rival === undefined || weight > rivalWeight || (weight === rivalWeight && from < rival))
      claims.set(to, from);
  }
  return { moves, absorbed, claims, at: new Map([[ROOT, root]]) };
}

/** A folder of the base that a side has at its old path. */
function isAt(moves: SideFolders['moves'], ground: Ground, path: RepoPath): boolean {
  return !moves.has(path) && ground.isFolder('base', path);
}
