import type { EncodedName } from './path.ts';
import { parsePattern, type Segment } from './pattern.ts';

/** Many patterns as one tree of names. Matching keeps the set of branches that a folder's path leads to. */
export interface Matcher {
  readonly top: FolderMatch;
}

/** What patterns say about the inside of a folder. */
export interface FolderMatch {
  /** Everything inside matches. */
  readonly all: boolean;
  /** Where patterns go on; none, and not `all`: nothing inside can match. */
  readonly branches: readonly Branch[];
}

export const MATCHES_ALL: FolderMatch = { all: true, branches: [] };
const MATCHES_NONE: FolderMatch = { all: false, branches: [] };

type Reach = 'nothing' | 'folders' | 'anything';

interface Branch {
  readonly literals: Map<EncodedName, Branch>;
  readonly globs: Map<string, { readonly matches: (name: EncodedName) => boolean; readonly branch: Branch }>;
  /** After `**`: entered without a name. */
  beyond?: Branch;
  /** It is the inside of a `**`: every folder leads back to it. */
  readonly stays: boolean;
  /** Whether a pattern ends here, and for what. */
  ends: Reach;
  /** Whether a pattern takes whatever is inside (`x/**` and `x/*`). */
  takes: Reach;
}

/** @throws BkError as parsePattern does */
export function makeMatcher(patterns: readonly string[]): Matcher {
  const root = makeBranch(false);
  for (const text of patterns) {
    const { segments, foldersOnly } = parsePattern(text);
    insert(root, segments, foldersOnly ? 'folders' : 'anything');
  }
  return { top: matchAt([root]) };
}

/** What the patterns say about the inside of the folder `name` in a folder. */
export function into(match: FolderMatch, name: EncodedName): FolderMatch {
  if (match.all) return MATCHES_ALL;
  if (match.branches.length === 0) return MATCHES_NONE;
  if (hits(match, name, true)) return MATCHES_ALL;
  const next: Branch[] = [];
  for (const branch of match.branches) {
    if (branch.stays) next.push(branch);
    for (const child of childrenFor(branch, name)) next.push(child);
  }
  return next.length === 0 ? MATCHES_NONE : matchAt(next);
}

/** Whether the entry `name` in a folder matches. */
export function hits(match: FolderMatch, name: EncodedName, isFolder: boolean): boolean {
  if (match.all) return true;
  for (const branch of match.branches) {
    if (reaches(branch.takes, isFolder)) return true;
    const literal = branch.literals.get(name);
    if (literal !== undefined && reaches(literal.ends, isFolder)) return true;
    if (branch.globs.size === 0) continue;
    for (const { matches, branch: child } of branch.globs.values())
      if (reaches(child.ends, isFolder) && matches(name)) return true;
  }
  return false;
}

/** The names of files in a folder that patterns spell out; undefined: wildcards may hit others, too. */
export function spelledFiles({ all, branches }: FolderMatch): ReadonlySet<EncodedName> | undefined {
  const spelled = new Set<EncodedName>();
  for (const { globs, literals } of all ? [] : branches) {
    for (const { branch } of globs.values()) if (branch.ends === 'anything') return undefined;
    for (const [name, branch] of literals) if (branch.ends === 'anything') spelled.add(name);
  }
  return all ? undefined : spelled;
}

function reaches(reach: Reach, isFolder: boolean): boolean {
  return reach === 'anything' || (reach === 'folders' && isFolder);
}

function* childrenFor(branch: Branch, name: EncodedName): Iterable<Branch> {
  const literal = branch.literals.get(name);
  if (literal !== undefined) yield literal;
  for (const { matches, branch: child } of branch.globs.values()) if (matches(name)) yield child;
}

function matchAt(entered: readonly Branch[]): FolderMatch {
  const branches = new Set<Branch>();
  for (const branch of entered) {
    if (isOpen(branch)) branches.add(branch);
    if (branch.beyond !== undefined) branches.add(branch.beyond);
  }
  const all = [...branches].some(({ takes }) => takes === 'anything');
  return all ? MATCHES_ALL : branches.size === 0 ? MATCHES_NONE : { all, branches: [...branches] };
}

/** Whether anything below can still match. */
function isOpen(branch: Branch): boolean {
  return branch.literals.size > 0 || branch.globs.size > 0 || branch.takes !== 'nothing';
}

function insert(root: Branch, segments: readonly Segment[], reach: Reach): void {
  let branch = root;
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1;
    if (isLast && (segment.is === 'deep' || (segment.is === 'glob' && segment.source === '*'))) {
      branch.takes = wider(branch.takes, reach);
      return;
    }
    branch = follow(branch, segment);
  }
  branch.ends = wider(branch.ends, reach);
}

function follow(branch: Branch, segment: Segment): Branch {
  if (segment.is === 'deep') {
    branch.beyond ??= makeBranch(true);
    return branch.beyond;
  }
  if (segment.is === 'literal') {
    const child = branch.literals.get(segment.name) ?? makeBranch(false);
    branch.literals.set(segment.name, child);
    return child;
  }
  const known = branch.globs.get(segment.source);
  if (known !== undefined) return known.branch;
  const child = makeBranch(false);
  branch.globs.set(segment.source, { matches: segment.matches, branch: child });
  return child;
}

function wider(a: Reach, b: Reach): Reach {
  return a === 'anything' || b === 'nothing' ? a : b;
}

function makeBranch(stays: boolean): Branch {
  return { literals: new Map(), globs: new Map(), stays, ends: 'nothing', takes: 'nothing' };
}
