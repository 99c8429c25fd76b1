import { companionStem } from './companions.ts';
import {
  type FolderMatch,
  hits,
  into,
  MATCHES_ALL,
  type Matcher,
  makeMatcher,
  spelledFiles,
} from './matcher.ts';
import { type EncodedName, nameOf, parentOf, type RepoPath } from './path.ts';
import type { Subset } from './subset.ts';

/** A subset made ready for many paths: compiled once, cheapest if paths come folder by folder. */
export interface Selector {
  /** Whether the repository wants the entry at this path. The root is always wanted. */
  readonly wants: (path: RepoPath, isFolder?: boolean) => boolean;
  /** False only if nothing below the folder is wanted, so a walk may leave it out. */
  readonly mayContain: (folder: RepoPath) => boolean;
  /** True only if everything below the folder is wanted, so a walk may take its whole tree. */
  readonly covers: (folder: RepoPath) => boolean;
}

/**
 * What of a tree the patterns do not cut: folders that are one thing (albums, projects, owners of a `.git`), which are
 * wanted whole or not at all, and companions.
 */
export interface Wholes {
  readonly roots: Iterable<RepoPath>;
  /** The files below a root; asked at most once a root, and only if a pattern may match some of them. */
  readonly filesIn: (root: RepoPath) => Iterable<RepoPath>;
  /** The names of the files directly in a folder; asked only where a pattern may match some and not all of them. */
  readonly namesIn?: (folder: RepoPath) => Iterable<EncodedName>;
}

/**
 * Decides by patterns, and whole entities by these rules: an entity is out if an exclude matches its root, a folder above
 * it or all that is in it; else it is in if an include matches one of these or any file in it. An exclude that matches
 * only a part of it cuts nothing. Of nested entities the outer one decides; the root of the repository is none here.
 * A file that is wanted takes its companions along, but for those that an exclude matches: who names the raw files in an
 * exclude wants the JPEGs without them.
 * @throws BkError as parsePattern does
 */
export function selectorOf(subset: Subset, wholes?: Wholes): Selector {
  const include = subset.include.length === 0 ? undefined : makeMatcher(subset.include);
  const exclude = makeMatcher(subset.exclude);
  const roots = outermost(wholes?.roots ?? []);
  const positionAt = rememberLast((folder) => locate(folder, include, exclude, roots));
  const wantsEntity = entityRule(positionAt, include, wholes?.filesIn ?? (() => []));
  const isAlong = companionRule(positionAt, wholes?.namesIn);
  return {
    wants(path, isFolder = false) {
      if (path === '') return true;
      const folder = parentOf(path);
      const { included, excluded, entity } = positionAt(folder);
      if (entity !== undefined) return wantsEntity(entity);
      if (roots.size > 0 && roots.has(path)) return wantsEntity(path);
      if (excluded.all) return false;
      if (included.all && excluded.branches.length === 0) return true;
      if (!included.all && included.branches.length === 0) return false;
      const name = nameOf(path);
      if (hits(excluded, name, isFolder)) return false;
      return hits(included, name, isFolder) || (!isFolder && isAlong(folder, name));
    },
    mayContain(folder) {
      const { included, excluded, entity } = positionAt(folder);
      if (entity !== undefined) return wantsEntity(entity);
      return !excluded.all && (included.all || included.branches.length > 0);
    },
    covers(folder) {
      const { included, excluded, entity } = positionAt(folder);
      if (entity !== undefined) return wantsEntity(entity);
      return included.all && !excluded.all && excluded.branches.length === 0;
    },
  };
}

/** What is known of everything inside one folder. */
interface Position {
  readonly included: FolderMatch;
  readonly excluded: FolderMatch;
  /** The entity that the folder is, or is in; the matches are then those of its root. */
  readonly entity?: RepoPath;
}

function locate(
  folder: RepoPath,
  include: Matcher | undefined,
  exclude: Matcher,
  roots: ReadonlySet<RepoPath>,
): Position {
  let included = include?.top ?? MATCHES_ALL;
  let excluded = exclude.top;
  for (let start = 0; start < folder.length; ) {
    const slash = folder.indexOf('/', start);
    const end = slash < 0 ? folder.length : slash;
    const name = folder.slice(start, end) as EncodedName;
    included = into(included, name);
    excluded = into(excluded, name);
    if (roots.size > 0) {
      const entity = folder.slice(0, end) as RepoPath;
      if (roots.has(entity)) return { included, excluded, entity };
    }
    start = end + 1;
  }
  return { included, excluded };
}

function entityRule(
  positionAt: (folder: RepoPath) => Position,
  include: Matcher | undefined,
  filesIn: Wholes['filesIn'],
): (root: RepoPath) => boolean {
  const decided = new Map<RepoPath, boolean>();
  const decide = (root: RepoPath): boolean => {
    const { included, excluded } = positionAt(root);
    if (excluded.all) return false;
    if (included.all) return true;
    if (include === undefined || included.branches.length === 0) return false;
    const matchAt = rememberLast((folder) => matchOf(include, folder));
    for (const path of filesIn(root)) if (hits(matchAt(parentOf(path)), nameOf(path), false)) return true;
    return false;
  };
  return (root) => {
    const known = decided.get(root);
    if (known !== undefined) return known;
    const wanted = decide(root);
    decided.set(root, wanted);
    return wanted;
  };
}

/**
 * Whether a companion of a file is wanted by the patterns themselves. Cost: a look at the names of its folder, once, and
 * none where patterns spell out names of which none could be a companion.
 */
function companionRule(
  positionAt: (folder: RepoPath) => Position,
  namesIn: Wholes['namesIn'],
): (folder: RepoPath, name: EncodedName) => boolean {
  if (namesIn === undefined) return () => false;
  const spelledAt = rememberSome((folder) => spelledStems(positionAt(folder).included));
  const wantedAt = rememberSome((folder) => {
    const { included, excluded } = positionAt(folder);
    const stems = new Set<EncodedName>();
    for (const name of namesIn(folder))
      if (hits(included, name, false) && !hits(excluded, name, false)) stems.add(companionStem(name));
    return stems;
  });
  return (folder, name) => {
    const spelled = spelledAt(folder);
    if (spelled?.size === 0) return false;
    const stem = companionStem(name);
    return spelled?.has(stem) !== false && wantedAt(folder).has(stem);
  };
}

/** Undefined: there are wildcards, so it may be any. */
function spelledStems(match: FolderMatch): ReadonlySet<EncodedName> | undefined {
  const names = spelledFiles(match);
  return names && new Set([...names].map(companionStem));
}

function matchOf(matcher: Matcher, folder: RepoPath): FolderMatch {
  let match = matcher.top;
  if (folder !== '') for (const name of folder.split('/')) match = into(match, name as EncodedName);
  return match;
}

function outermost(roots: Iterable<RepoPath>): ReadonlySet<RepoPath> {
  const all = new Set(roots);
  all.delete('' as RepoPath);
  const outer = new Set<RepoPath>();
  for (const root of all) {
    let above = parentOf(root);
    while (above !== '' && !all.has(above)) above = parentOf(above);
    if (above === '') outer.add(root);
  }
  return outer;
}

/** Paths mostly come folder by folder, so one remembered folder saves nearly all the work. */
function rememberLast<T>(find: (folder: RepoPath) => T): (folder: RepoPath) => T {
  let last: RepoPath | undefined;
  let found: T | undefined;
  return (folder) => {
    if (folder !== last || found === undefined) {
      found = find(folder);
      last = folder;
    }
    return found;
  };
}

/** As rememberLast, for what costs more to find than to keep. */
function rememberSome<T>(find: (folder: RepoPath) => T): (folder: RepoPath) => T {
  const known = new Map<RepoPath, T>();
  return (folder) => {
    if (known.has(folder)) return known.get(folder) as T;
    if (known.size === MOST_FOLDERS) known.clear();
    const found = find(folder);
    known.set(folder, found);
    return found;
  };
}

const MOST_FOLDERS = 1_000;
