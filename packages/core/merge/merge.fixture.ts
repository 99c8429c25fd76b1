import { gitId } from '../ids.ts';
import { formatJson, type JsonObject } from '../json.ts';
import { comparePaths, parentOf, type RepoPath, ROOT } from '../path.ts';
import type { MergeConflict, Merged, MergeEntry, MergeFacts, MergeInput, Version } from './input.ts';
import { mergeTrees } from './merge.ts';
import { problemsOf } from './merge-checks.fixture.ts';
import {
  blobOf,
  learnDerived,
  parseTree,
  printTree,
  type Tree,
  type TreeText,
  textOfContent,
} from './merge-tree.fixture.ts';

export type VersionOf = (entry: MergeEntry) => Version;

/** A side of a merge: its whole tree, and who made its versions when. */
export interface Side {
  readonly tree: Tree;
  readonly version: VersionOf;
}

/** What the caller hands over: every path at which a side differs from the base, with what all three have there. */
export function inputOf(base: Tree, sides: readonly [Tree, Tree]): MergeInput {
  const paths = new Set<RepoPath>([base, ...sides].flatMap((tree) => [...tree.keys()]));
  const differing = [...paths]
    .filter((path) => sides.some((side) => side.get(path)?.blob !== base.get(path)?.blob))
    .sort(comparePaths);
  const pick = (tree: Tree): MergeEntry[] =>
    differing.flatMap((path) => {
      const entry = tree.get(path);
      return entry === undefined ? [] : [entry];
    });
  return { base: pick(base), sides: [pick(sides[0]), pick(sides[1])] };
}

export function factsOf(base: Tree, sides: readonly [Side, Side]): MergeFacts {
  const treeOf = (which: 'base' | 0 | 1): Tree => (which === 'base' ? base : sides[which].tree);
  const folders = new Map<Tree, Set<RepoPath>>();
  const foldersOf = (tree: Tree): Set<RepoPath> => {
    const known = folders.get(tree) ?? foldersIn(tree);
    folders.set(tree, known);
    return known;
  };
  return {
    kindAt: (which, path) => {
      const tree = treeOf(which);
      const there = tree.get(path);
      if (there !== undefined && there.record.type !== 'dir') return 'file';
      return there !== undefined || foldersOf(tree).has(path) ? 'folder' : undefined;
    },
    below: (which, folder) =>
      [...treeOf(which).values()].filter(({ path }) => path === folder || path.startsWith(`${folder}/`)),
    entryAt: (which, path) => treeOf(which).get(path),
    version: (side, entry) => sides[side].version(entry),
  };
}

function foldersIn(tree: Tree): Set<RepoPath> {
  const found = new Set<RepoPath>();
  for (const path of tree.keys()) {
    for (let above = parentOf(path); above !== ROOT && !found.has(above); above = parentOf(above))
      found.add(above);
  }
  return found;
}

export interface MergedTree {
  readonly tree: Tree;
  readonly conflicts: readonly MergeConflict[];
}

/**
 * Merges from both sides and holds the result against all that holds for every merge.
 * @throws Error naming what does not hold
 */
export function mergeBoth(base: Tree, sides: readonly [Side, Side]): MergedTree {
  const trees = [sides[0].tree, sides[1].tree] as const;
  const input = inputOf(base, trees);
  const merged = mergeTrees(input, factsOf(base, sides));
  const mirrored = mergeTrees(
    { base: input.base, sides: [input.sides[1], input.sides[0]] },
    factsOf(base, [sides[1], sides[0]]),
  );
  const tree = appliedTo(base, input, merged);
  const problems = problemsOf({ base, sides: trees, input, merged, tree });
  if (textOf(merged) !== textOf(mirrored)) {
    const other = appliedTo(base, input, mirrored);
    problems.unshift(`not symmetric, the other way round:\n${formatJson(printTree(other.values()))}`);
  }
  if (problems.length > 0) throw new Error(`${problems.join('\n')}\n${formatJson(printTree(tree.values()))}`);
  return { tree, conflicts: merged.conflicts };
}

/** What a commit would be made of: a record is written or taken as it lies, which is the same. */
function textOf({ entries, conflicts }: Merged): string {
  const told = entries.map(({ path, record, blob }) => ({ path, record, blob: blob ?? blobOf(record) }));
  return formatJson({ entries: told, conflicts } as never);
}

function appliedTo(base: Tree, input: MergeInput, merged: Merged): Tree {
  const tree = new Map(base);
  for (const { path } of [input.base, ...input.sides].flat()) tree.delete(path);
  for (const entry of merged.entries)
    tree.set(entry.path, { ...entry, blob: entry.blob ?? blobOf(entry.record) });
  return tree;
}

/** The sides of the tables: A of repository `A` at time 100, B of `B` at time 200, so B's versions are the later ones. */
export const DEFAULT_TIMES: readonly [number, number] = [100, 200];

/** Both texts of a table: what the merged tree is, and conflicts as `KIND PATH` or `KIND PATH | KEPT | …`. */
export interface MergedText {
  readonly tree: TreeText;
  readonly conflicts: readonly string[];
}

/**
 * Merges small trees, see `mergeBoth`. In the merged tree `!KIND` stands for a conflict of this merge whose versions
 * are exactly those that are there: at `path` and `kept`; any other is spelt out.
 */
export function merged(base: TreeText, a: TreeText, b: TreeText): MergedText {
  const sides = [sideOf(a, 0), sideOf(b, 1)] as const;
  const trees = [parseTree(base).tree, sides[0].tree, sides[1].tree];
  const entries = trees.flatMap((tree) => [...tree.values()]);
  const made = mergeBoth(trees[0] as Tree, sides);
  learnDerived(
    made.tree.values(),
    entries.map(({ record }) => record.id),
    new Set(
      entries.flatMap(({ record }) => (record.blake3 === undefined ? [] : [textOfContent(record.blake3)])),
    ),
  );
  return {
    tree: printTree([...made.tree.values()].map((entry) => shortened(entry, made))),
    conflicts: made.conflicts.map(({ kind, path, kept }) => [`${kind} ${path}`, ...kept].join(' | ')),
  };
}

export interface MergeCase {
  readonly name: string;
  readonly base: TreeText;
  readonly a: TreeText;
  readonly b: TreeText;
  /** What becomes of it, and the conflicts that this makes. */
  readonly tree: TreeText;
  readonly conflicts?: readonly string[];
}

/** As `merged` prints it. */
export function expected(tree: TreeText): TreeText {
  return printTree(parseTree(tree).tree.values());
}

export function sideOf(text: TreeText, side: 0 | 1): Side {
  const { tree, times } = parseTree(text);
  const commit = gitId((side === 0 ? 'a' : 'b').repeat(40));
  return {
    tree,
    version: ({ path }) => ({
      timeSec: times.get(path) ?? DEFAULT_TIMES[side],
      commit,
      repository: side === 0 ? 'A' : 'B',
    }),
  };
}

function shortened(entry: MergeEntry, made: MergedTree): MergeEntry {
  const conflict = entry.record.conflict as Told | undefined;
  if (
    conflict === undefined ||
    !made.conflicts.some((one) => isSaidBy(conflict, one, entry.path, made.tree))
  ) {
    return entry;
  }
  return { ...entry, record: { ...entry.record, conflict: { kind: conflict.kind, versions: [] } } };
}

/** The field `conflict` of a record. */
interface Told extends JsonObject {
  readonly kind: string;
  readonly versions: readonly { readonly path: string; readonly blake3?: string }[];
}

/** The record says what the report says. Of a folder that keeps the path, only the report. */
function isSaidBy({ kind, versions }: Told, conflict: MergeConflict, at: RepoPath, tree: Tree): boolean {
  const paths = [conflict.path, ...conflict.kept];
  if (kind !== conflict.kind || !paths.includes(at)) return false;
  const there = paths.sort(comparePaths).flatMap((path) => tree.get(path) ?? []);
  const named = kind === 'file-directory' ? there.filter(({ record }) => record.type !== 'dir') : there;
  const wanted = named.map(({ path, record: { blake3 } }) =>
    blake3 === undefined ? { path } : { path, blake3 },
  );
  return formatJson(versions) === formatJson(wanted);
}
