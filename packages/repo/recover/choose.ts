import {
  type Change,
  foldersAbove,
  type IdentifiedEntry,
  nameOf,
  parentOf,
  type RepoPath,
  type TrackedEntry,
} from '@bk/core';
import { pathFilter } from '../observe/compare.ts';
import type { Decision } from '../observe/decide.ts';

/** The part of a decision that goes into a commit: it leaves no object out of the tree that it does not name. */
export interface Chosen {
  readonly changes: readonly Change[];
  readonly entries: readonly IdentifiedEntry[];
  readonly deleted: readonly TrackedEntry[];
  /** Records of folders above what was chosen: they come or go if that makes their folder bare or fills it. */
  readonly around: {
    readonly entries: readonly IdentifiedEntry[];
    readonly deleted: readonly TrackedEntry[];
  };
}

/** One thing that a commit does: an object gets to a path, leaves one, or both. */
interface Deed {
  readonly entry?: IdentifiedEntry;
  readonly deleted?: TrackedEntry;
  /** Where the head has its object. */
  readonly from?: RepoPath;
  /** Where it is put. */
  readonly to?: RepoPath;
  readonly folder: boolean;
}

const NOTHING_AROUND = { entries: [], deleted: [] };

/**
 * What is at or below the paths, and whatever it displaces: if a chosen object goes where the head has another one,
 * that one's move or deletion is part of the commit too, and so on.
 */
export function choose(decision: Decision, paths: readonly RepoPath[] | undefined): Chosen {
  const { entries, deleted } = decision.identified;
  if (paths === undefined || paths.length === 0) {
    return { changes: decision.changes, entries, deleted, around: NOTHING_AROUND };
  }
  const within = pathFilter(paths);
  const deeds = deedsOf(entries, deleted);
  const chosen = new Set(deeds.filter((deed) => isWithin(deed, within)));
  const displaced = closure(chosen, deeds, { at: ({ to }) => to, of: ({ from }) => from });
  const places = [...displaced].flatMap(({ from, to }) => [from ?? [], to ?? []].flat());
  const above = foldersAbove(places);
  const around = deeds.filter(
    (deed) => deed.folder && !displaced.has(deed) && above.has((deed.to ?? deed.from)!),
  );
  return { ...chosenOf(decision.changes, displaced, within), around: split(around) };
}

/** Leaves out what turned out to be busy, and whatever would go to a path that stays taken because of it. */
export function withoutBusy(
  chosen: Chosen,
  busy: ReadonlySet<RepoPath>,
): { chosen: Chosen; waiting: readonly RepoPath[] } {
  if (busy.size === 0) return { chosen, waiting: [] };
  const deeds = deedsOf(chosen.entries, chosen.deleted);
  const direct = new Set(
    deeds.filter(
      ({ to, from, deleted }) =>
        busy.has(to ?? ('' as RepoPath)) || (deleted !== undefined && busy.has(from!)),
    ),
  );
  const dropped = closure(direct, deeds, { at: ({ from }) => from, of: ({ to }) => to });
  const left = new Set(deeds.filter((deed) => !dropped.has(deed)));
  const waiting = [...dropped].flatMap(({ to, folder }) =>
    to === undefined || folder || busy.has(to) ? [] : [to],
  );
  return { chosen: { ...chosenOf(chosen.changes, left, () => false), around: chosen.around }, waiting };
}

function deedsOf(entries: readonly IdentifiedEntry[], deleted: readonly TrackedEntry[]): Deed[] {
  const deeds: Deed[] = entries.map((entry) => {
    const { seen, object } = entry;
    const from = object.kind === 'known' ? { from: object.tracked.path } : {};
    return { entry, to: seen.path, ...from, folder: seen.type === 'dir' };
  });
  for (const tracked of deleted)
    deeds.push({ deleted: tracked, from: tracked.path, folder: tracked.type === 'dir' });
  return deeds;
}

function isWithin({ from, to }: Deed, within: ReturnType<typeof pathFilter>): boolean {
  return within({ path: (to ?? from)!, ...(from !== undefined && { from }) });
}

interface Ends {
  readonly at: (deed: Deed) => RepoPath | undefined;
  readonly of: (deed: Deed) => RepoPath | undefined;
}

/** The deeds, and all others whose end `of` is, in one tree, incompatible with the end `at` of one of these. */
function closure(first: ReadonlySet<Deed>, deeds: readonly Deed[], { at, of }: Ends): Set<Deed> {
  const closed = new Set(first);
  const byPath = new Map<RepoPath, Deed[]>();
  for (const deed of deeds) {
    const path = of(deed);
    if (path === undefined || closed.has(deed)) continue;
    const others = byPath.get(path);
    if (others === undefined) byPath.set(path, [deed]);
    else others.push(deed);
  }
  if (byPath.size === 0) return closed;
  const above = foldersAbove(byPath.keys());
  for (const deed of closed) {
    const path = at(deed);
    if (path === undefined) continue;
    for (const other of clashing(path, deed, { byPath, above })) closed.add(other);
  }
  return closed;
}

function* clashing(
  path: RepoPath,
  { folder }: Deed,
  { byPath, above }: { byPath: ReadonlyMap<RepoPath, readonly Deed[]>; above: ReadonlySet<RepoPath> },
): Generator<Deed> {
  yield* byPath.get(path) ?? [];
  for (let parent = path; nameOf(parent) !== ''; ) {
    parent = parentOf(parent);
    for (const other of byPath.get(parent) ?? []) if (!other.folder) yield other;
  }
  if (folder || !above.has(path)) return;
  for (const [other, deeds] of byPath) if (other.startsWith(`${path}/`)) yield* deeds;
}

function chosenOf(
  changes: readonly Change[],
  deeds: ReadonlySet<Deed>,
  within: ReturnType<typeof pathFilter>,
): Omit<Chosen, 'around'> {
  const named = new Set<string>();
  for (const { entry, deleted, from, to } of deeds) {
    if (deleted !== undefined) named.add(`- ${from}`);
    if (entry !== undefined) named.add(`${entry.object.kind === 'known' ? from : ''} > ${to}`);
  }
  return {
    changes: changes.filter((change) => within(change) || keysOf(change).some((key) => named.has(key))),
    ...split(deeds),
  };
}

/** A folder's mode can change with a record that comes or goes. */
function keysOf({ type, path, from }: Change): string[] {
  if (type === 'deleted') return [`- ${path}`];
  if (type === 'added' || type === 'typechange') return [` > ${path}`];
  return type === 'metadata'
    ? [`${path} > ${path}`, ` > ${path}`, `- ${path}`]
    : [`${from ?? path} > ${path}`];
}

function split(deeds: Iterable<Deed>): Chosen['around'] {
  const entries: IdentifiedEntry[] = [];
  const deleted: TrackedEntry[] = [];
  for (const deed of deeds) {
    if (deed.entry !== undefined) entries.push(deed.entry);
    if (deed.deleted !== undefined) deleted.push(deed.deleted);
  }
  return { entries, deleted };
}
