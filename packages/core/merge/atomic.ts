import { compareNames, type EncodedName, joinPath, nameOf, parentOf, type RepoPath, ROOT } from '../path.ts';
import type { Rec } from '../record.ts';
import type { FolderNode, FolderNodes } from './folder-nodes.ts';
import { type Ground, SIDES, TREES } from './ground.ts';
import type { MergeEntry, SideNumber, Version, WhichTree } from './input.ts';
import type { MergeObject } from './objects.ts';
import { isMovedOn, parentFinder } from './places.ts';
import { compareVersions, latest } from './versions.ts';

/** A folder that is not blended: both sides changed what makes it one thing, each in another way. */
export interface Torn {
  readonly folder: FolderNode;
  /** A project, of which only its `.git` decides. */
  readonly isGit: boolean;
  /** The side whose folder stays at the path: that of the later version. */
  readonly winner: SideNumber;
  /** What the other side has is to be kept beside it. Not if that side deleted it: then the folder just stays. */
  readonly isKeptTwice: boolean;
  /** Of the side that does not stay. */
  readonly version: Version | undefined;
}

/** The spelling of `.git` in a history. */
export const GIT = '%2Egit' as EncodedName;

/** By path within the folder. */
type Content = ReadonlyMap<string, MergeEntry>;

/**
 * Projects that own a nested `.git` and were changed in it on both sides, and other atomic entities that were changed
 * anywhere. Of those in each other the outermost.
 */
export function findTorn(ground: Ground, nodes: FolderNodes): Torn[] {
  const projects = new Map<FolderNode, Project>();
  for (const tree of TREES) {
    for (const owner of gitOwners(entriesOf(ground, tree))) {
      const folder = nodeAt(nodes, tree, owner);
      const isGit = nameOf(owner) !== GIT && projects.get(folder)?.isGit !== false;
      projects.set(folder, { folder, isGit });
    }
  }
  for (const folder of atomicFolders(ground, nodes))
    if (!projects.has(folder)) projects.set(folder, { folder, isGit: false });
  if (projects.size === 0) return [];
  const contents = TREES.map((tree) => contentsOf(projects, ground, nodes, tree));
  const torn = [...projects.values()].flatMap((project) => {
    const [base, first, second] = contents.map((of) => of.get(project.folder) ?? new Map());
    return tear(project, [base as Content, first as Content, second as Content], ground, nodes) ?? [];
  });
  const folders = new Set(torn.map(({ folder }) => folder));
  return torn
    .filter(({ folder }) => !isInOne(folder.home?.parent, folders))
    .sort((a, b) => compareNames(keyOf(a.folder), keyOf(b.folder)));
}

function keyOf({ base, made }: FolderNode): string {
  return (
    base ??
    made
      .filter((path) => path !== undefined)
      .sort()
      .join('//')
  );
}

interface Project {
  readonly folder: FolderNode;
  /** Only its `.git` counts. */
  readonly isGit: boolean;
}

function isInOne(folder: FolderNode | undefined, folders: ReadonlySet<FolderNode>): boolean {
  for (let above = folder; above !== undefined; above = above.home?.parent)
    if (folders.has(above)) return true;
  return false;
}

function entriesOf({ input }: Ground, tree: WhichTree): readonly MergeEntry[] {
  return tree === 'base' ? input.base : input.sides[tree];
}

function nodeAt(nodes: FolderNodes, tree: WhichTree, path: RepoPath): FolderNode {
  return tree === 'base' ? nodes.inBase(path) : nodes.onSide(tree, path);
}

/** Folders that have a `.git` with something that differs in it. The root is not kept twice, but its `.git` can be. */
function gitOwners(entries: readonly MergeEntry[]): Set<RepoPath> {
  const owners = new Set<RepoPath>();
  for (const { path } of entries) {
    const owner = gitOwner(path);
    if (owner !== undefined && (owner !== ROOT || path.includes('/')))
      owners.add(owner === ROOT ? joinPath(ROOT, GIT) : owner);
  }
  return owners;
}

/** The folder whose `.git` has the path in it; of several, the outermost. */
function gitOwner(path: RepoPath): RepoPath | undefined {
  for (let at = path.indexOf(GIT); at >= 0; at = path.indexOf(GIT, at + 1)) {
    const [before, after] = [at === 0 ? '/' : path[at - 1], path[at + GIT.length] ?? '/'];
    if (before === '/' && after === '/') return path.slice(0, Math.max(0, at - 1)) as RepoPath;
  }
  return undefined;
}

function isAtomic(record: Rec | undefined): boolean {
  return record?.type === 'dir' && record.entity !== undefined && record.attrs?.atomic === true;
}

/** Entities whose record says so, in any tree; looked at where both sides changed something. */
function atomicFolders(ground: Ground, nodes: FolderNodes): Set<FolderNode> {
  const found = new Set<FolderNode>();
  for (const tree of TREES) {
    for (const { path, record } of entriesOf(ground, tree))
      if (isAtomic(record) && path !== ROOT) found.add(nodeAt(nodes, tree, path));
  }
  const { entryAt } = ground.facts;
  if (entryAt === undefined) return found;
  const touchedOn = (side: SideNumber): Touched => {
    return { side, objects: ground.files.filter((object) => isTouched(object, side)) };
  };
  const [first, second] = [touchedOn(0), touchedOn(1)];
  const [few, many] = first.objects.length <= second.objects.length ? [first, second] : [second, first];
  const atomic = [...touchedFolders(few, nodes)].filter(
    ({ base }) => base !== undefined && base !== ROOT && isAtomic(entryAt('base', base)?.record),
  );
  if (atomic.length === 0) return found;
  const touched = touchedFolders(many, nodes);
  for (const folder of atomic) if (touched.has(folder)) found.add(folder);
  return found;
}

interface Touched {
  readonly side: SideNumber;
  readonly objects: readonly MergeObject[];
}

function isTouched({ base, sides }: MergeObject, side: SideNumber): boolean {
  const now = sides[side];
  return base?.record.blake3 !== now?.record.blake3 || base?.path !== now?.path;
}

/** Folders in which a side changed a content, or which something came to or left. */
function touchedFolders({ side, objects }: Touched, nodes: FolderNodes): ReadonlySet<FolderNode> {
  const touched = new Set<FolderNode>();
  const parentsOf = parentFinder(nodes);
  for (const object of objects) {
    const parents = parentsOf(object);
    const isEdited = object.base?.record.blake3 !== object.sides[side]?.record.blake3;
    if (!isEdited && !isMovedOn(side, object, parents)) continue;
    for (const parent of [parents.base, parents.sides[side]]) {
      for (let above = parent; above !== undefined && !touched.has(above); above = above.home?.parent)
        touched.add(above);
    }
  }
  return touched;
}

/** What a tree has in each project, as far as it differs from another tree. */
function contentsOf(
  projects: ReadonlyMap<FolderNode, Project>,
  ground: Ground,
  nodes: FolderNodes,
  tree: WhichTree,
): Map<FolderNode, Map<string, MergeEntry>> {
  const places = new Map<RepoPath, Project>();
  for (const project of projects.values()) {
    const path = tree === 'base' ? project.folder.base : nodes.ownPathOn(tree, project.folder);
    if (path !== undefined) places.set(path, project);
  }
  const contents = new Map<FolderNode, Map<string, MergeEntry>>();
  for (const entry of entriesOf(ground, tree)) {
    if (entry.record.type === 'dir') continue;
    for (let above = parentOf(entry.path); above !== ROOT; above = parentOf(above)) {
      const project = places.get(above);
      if (project === undefined) continue;
      const within = entry.path.slice(above.length + 1);
      if (project.isGit && within !== GIT && !within.startsWith(`${GIT}/`)) continue;
      const known = contents.get(project.folder) ?? new Map<string, MergeEntry>();
      contents.set(project.folder, known.set(within, entry));
    }
  }
  return contents;
}

function tear(
  { folder, isGit }: Project,
  [base, first, second]: readonly [Content, Content, Content],
  ground: Ground,
  nodes: FolderNodes,
): Torn | undefined {
  if (isEqual(first, second) || isEqual(base, first) || isEqual(base, second)) return undefined;
  const x = versionOf(folder, [base, first], 0, ground);
  const y = versionOf(folder, [base, second], 1, ground);
  const [isGoneFirst, isGoneSecond] = SIDES.map((side) => {
    const path = nodes.ownPathOn(side, folder);
    const core = (isGit && path !== undefined ? `${path}/${GIT}` : path) as RepoPath | undefined;
    const content = side === 0 ? first : second;
    return content.size === 0 && (core === undefined || !ground.holdsUntouched(core));
  });
  if (isGoneFirst || isGoneSecond)
    return { folder, isGit, winner: isGoneFirst ? 1 : 0, isKeptTwice: false, version: undefined };
  const winner = isLater(x, y, first, second) ? 0 : 1;
  return { folder, isGit, winner, isKeptTwice: true, version: winner === 0 ? y : x };
}

function isLater(x: Version | undefined, y: Version | undefined, first: Content, second: Content): boolean {
  if (x === undefined || y === undefined)
    return x !== undefined || (y === undefined && textOf(first) > textOf(second));
  const order = compareVersions(x, y);
  return order === 0 ? textOf(first) > textOf(second) : order > 0;
}

function textOf(content: Content): string {
  return [...content]
    .map(([within, { record }]) => `${within} ${record.blake3}`)
    .sort()
    .join('\n');
}

function isEqual(a: Content, b: Content): boolean {
  if (a.size !== b.size) return false;
  for (const [within, entry] of a) if (!isSame(entry, b.get(within))) return false;
  return true;
}

function isSame({ record }: MergeEntry, other: MergeEntry | undefined): boolean {
  return other?.record.blake3 === record.blake3 && other?.record.type === record.type;
}

/** By what the side changed; if it only deleted something, by what is left of the folder. */
function versionOf(
  folder: FolderNode,
  [base, now]: readonly [Content, Content],
  side: SideNumber,
  { facts, untouchedBelow }: Ground,
): Version | undefined {
  const changed = [...now].filter(([within, entry]) => !isSame(entry, base.get(within)));
  const asked = (changed.length > 0 ? changed : [...now]).map(([, entry]) => entry);
  if (asked.length === 0 && folder.base !== undefined) asked.push(...untouchedBelow(folder.base));
  return latest(asked.map((entry) => facts.version(side, entry)));
}
