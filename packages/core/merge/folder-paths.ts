import { compareNames, joinPath, type RepoPath, ROOT } from '../path.ts';
import type { FolderNode, FolderNodes, FolderPlace } from './folder-nodes.ts';
import { type Ground, otherSide, SIDES } from './ground.ts';
import type { SideNumber, Version } from './input.ts';
import { compareVersions, laterSide } from './versions.ts';

/** Where folders are in the merged tree. */
export class FolderPaths {
  readonly #nodes: FolderNodes;
  readonly #ground: Ground;
  readonly #places = new Map<FolderNode, FolderPlace>();
  readonly #paths = new Map<FolderNode, RepoPath>();
  readonly #disputed = new Set<FolderNode>();
  /** Folders whose additions do not follow, because that would lead them in a circle. */
  readonly #alone = new Set<FolderNode>();

  constructor(nodes: FolderNodes, ground: Ground) {
    this.#nodes = nodes;
    this.#ground = ground;
  }

  /** Where what was in a folder of the base goes with it, if it was not moved by itself. */
  objectsPathOf(folder: FolderNode): RepoPath {
    return this.pathOf(this.#absorber(folder) ?? folder);
  }

  /** Where a folder is, and what came to it goes. */
  pathOf(folder: FolderNode): RepoPath {
    const known = this.#paths.get(folder);
    if (known !== undefined) return known;
    this.#breakCircles(folder);
    const path = this.#findPath(folder);
    this.#paths.set(folder, path);
    return path;
  }

  /** All folders that were asked for, and those around them. */
  known(): Iterable<readonly [FolderNode, RepoPath]> {
    return this.#paths;
  }

  /** Folders that both sides moved, each to another place; those whose move was undone too. */
  disputed(): readonly FolderNode[] {
    return [...this.#disputed];
  }

  #findPath(folder: FolderNode): RepoPath {
    if (folder.home === undefined) return ROOT;
    const into = this.#receiver(folder);
    if (into !== undefined) return this.pathOf(into);
    const { parent, name } = this.#placeOf(folder, folder.home);
    const path = joinPath(this.pathOf(parent), name);
    if (path === folder.base || !this.#ground.isUntouched(path)) return path;
    // No file that all three trees have alike can be where a side has the folder.
    const literal = SIDES.flatMap((side) => this.#nodes.pathOn(side, folder) ?? []).sort(compareNames);
    return literal[0] ?? path;
  }

  /**
   * The folder that additions go to instead: the one that got all the objects. One step, no chains: not if the other
   * side moved that one.
   */
  #receiver(folder: FolderNode): FolderNode | undefined {
    const target = this.#alone.has(folder) ? undefined : this.#absorber(folder);
    if (target === undefined) return undefined;
    const isReached = SIDES.some((side) => {
      return this.#nodes.absorber(side, folder) === target && !this.#nodes.isMoved(otherSide(side), target);
    });
    return isReached ? target : undefined;
  }

  /** The folder into which all objects of this one went, on the side that prevails. */
  #absorber(folder: FolderNode): FolderNode | undefined {
    const [first, second] = SIDES.map((side) => this.#nodes.absorber(side, folder));
    if (first === second) return first;
    const isUndisputed = SIDES.some((side) => !this.#nodes.isMoved(side, folder));
    if (isUndisputed) return first ?? second;
    this.#disputed.add(folder);
    return this.#laterMove(folder) === 0 ? first : second;
  }

  #placeOf(folder: FolderNode, home: FolderPlace): FolderPlace {
    if (folder.base === undefined) return home;
    const place = this.#places.get(folder) ?? this.#mergePlace(folder, home);
    this.#places.set(folder, place);
    return place;
  }

  /** Name and folder around it, each by itself; of two that both sides changed, the later version's is taken. */
  #mergePlace(folder: FolderNode, home: FolderPlace): FolderPlace {
    const first = this.#nodes.placeOn(0, folder) ?? home;
    const second = this.#nodes.placeOn(1, folder) ?? home;
    const choose = <T>(base: T, a: T, b: T): T => {
      if (a === b || b === base) return a;
      if (a === base) return b;
      this.#disputed.add(folder);
      return this.#laterMove(folder) === 0 ? a : b;
    };
    return {
      parent: choose(home.parent, first.parent, second.parent),
      name: choose(home.name, first.name, second.name),
    };
  }

  #laterMove(folder: FolderNode): SideNumber {
    const [first, second] = [this.#nodes.moveOn(0, folder), this.#nodes.moveOn(1, folder)];
    if (first !== undefined && second !== undefined)
      return laterSide(this.#ground.facts, first.witness, second.witness);
    if (first !== undefined || second !== undefined) return first === undefined ? 1 : 0;
    const [x, y] = SIDES.map((side) => {
      const parent = this.#nodes.placeOn(side, folder)?.parent;
      return parent?.base ?? parent?.made[side] ?? '';
    });
    return compareNames(x ?? '', y ?? '') >= 0 ? 0 : 1;
  }

  /** A folder that would be in itself: of the moves in the circle, that of the oldest version is undone. */
  #breakCircles(start: FolderNode): void {
    for (let circle = this.#findCircle(start); circle !== undefined; circle = this.#findCircle(start)) {
      const [undone] = circle
        .filter((folder) => this.#isMoved(folder))
        .sort((a, b) => this.#compareMoves(a, b));
      if (undone?.home === undefined) {
        for (const folder of circle) this.#alone.add(folder);
        continue;
      }
      const { name } = this.#placeOf(undone, undone.home);
      this.#places.set(undone, { parent: undone.home.parent, name });
      this.#disputed.add(undone);
    }
  }

  #findCircle(start: FolderNode): FolderNode[] | undefined {
    const way = new Set<FolderNode>();
    for (let folder = start; folder.home !== undefined && !this.#paths.has(folder); ) {
      if (way.has(folder)) return [...way].slice([...way].indexOf(folder));
      way.add(folder);
      const into = this.#receiver(folder);
      folder = into ?? this.#placeOf(folder, folder.home).parent;
    }
    return undefined;
  }

  #isMoved(folder: FolderNode): boolean {
    const place = this.#places.get(folder);
    return place !== undefined && place.parent !== folder.home?.parent;
  }

  /** The older move first. */
  #compareMoves(a: FolderNode, b: FolderNode): number {
    const [x, y] = [this.#moveVersion(a), this.#moveVersion(b)];
    const order = x === undefined || y === undefined ? 0 : compareVersions(x, y);
    return order || compareNames(a.base ?? '', b.base ?? '');
  }

  #moveVersion(folder: FolderNode): Version | undefined {
    const versions = SIDES.flatMap((side) => {
      const move = this.#nodes.isMoved(side, folder) ? this.#nodes.moveOn(side, folder) : undefined;
      return move === undefined ? [] : [this.#ground.facts.version(side, move.witness)];
    });
    return versions.sort(compareVersions).at(-1);
  }
}
