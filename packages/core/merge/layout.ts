import type { RecordAt } from '../compare.ts';
import type { ObjectId } from '../ids.ts';
import { sortByPath } from '../nearest.ts';
import { parentOf, type RepoPath } from '../path.ts';
import { pairContents, sharedIds } from './layout-pairs.ts';
import { folderRecords } from './layout-records.ts';
import { followers, targetsIn } from './layout-rest.ts';
import type { Situation } from './layout-rest-room.ts';
import { movesWithRoom } from './layout-room.ts';
import { type Going, isAtomic, isEntity, layoutTree, looseFiles } from './layout-tree.ts';
import { wholeMoves, wholesOf } from './layout-whole.ts';

/** An entry of the other tree, with the path that it gets. */
export interface LayoutMove {
  readonly from: RepoPath;
  /** The same as `from`: it is there already, only the objects become one. */
  readonly to: RepoPath;
  /** It becomes one object with the chosen tree's entry at `to`: the older id stays, the other goes into `was`. */
  readonly unified?: { readonly stays: ObjectId; readonly was: ObjectId };
}

export interface Layout {
  /** Sorted by `from`. To be made all at once: one may go where another comes from. */
  readonly moves: readonly LayoutMove[];
  /** Folders out of which everything went and whose record says nothing but a mode: it goes. Sorted. */
  readonly emptied: readonly RepoPath[];
}

/**
 * `merge --layout`: how the other tree gets the layout of the chosen one, before the two are merged. Each file of a
 * content that both have gets a path of the chosen tree, one to one (see pairContents for which). All else stays where
 * it is: what has no partner because there are more copies than in the chosen tree; what would come upon something of
 * the other tree that stays (see movesWithRoom); empty files and links, whose content tells nothing. With this exception:
 *
 * **The rest of a folder that as a whole went to another one follows it** (see folderTargets): what the chosen layout
 * does not have at all, empty files, links and empty folders. For who says `--layout ours` means "this disk is my
 * Pictures/2014 under another name": 31 new photos left behind alone in Fotos_alt, their sidecars elsewhere, would be
 * neither layout. It follows only where its place is free in both trees, so that it makes no conflict, and stays if the
 * chosen tree has something at the path where it is. Surplus copies do not follow: the chosen folder has no use for
 * them, and a person finds them together in the folder that is left.
 *
 * Folders that are never split (entities, owners of a `.git`) move only as a whole: to where the chosen layout has
 * exactly the same one, or along with the folder that they are in. Nothing goes into an atomic one of either tree.
 *
 * Afterwards the other tree is a valid one with the same contents; nothing is deleted, nothing overwritten, and what
 * moved has an equal entry of the chosen tree or nothing at its new path.
 * @param chosen all entries of the tree whose layout is kept; `other`: of the one that gets it
 */
export function layoutMoves(chosen: Iterable<RecordAt>, other: Iterable<RecordAt>): Layout {
  const kept = layoutTree(chosen, isAtomic);
  const changed = layoutTree(other, isEntity);
  const wholes = wholesOf(changed);
  const wholeGoing = wholeMoves(kept, wholes);
  const groups = [...wholeGoing.values()];
  const taken = new Set(groups.flatMap((group) => group.map(({ twin }) => twin)));
  const loose = looseFiles(kept);
  const partners = loose.filter(
    (entry) => !taken.has(entry) && changed.wholeOf(parentOf(entry.path)) === undefined,
  );
  const shared = sharedIds(kept.entries, changed.entries);
  for (const pair of pairContents(partners, looseFiles(changed), shared))
    groups.push([{ entry: pair.other, to: pair.chosen.path, twin: pair.chosen }]);
  const settled = movesWithRoom(changed.entries, groups);
  const situation: Situation = {
    chosen: kept,
    other: changed,
    settled,
    known: new Set(loose.map(({ record }) => record.blake3)),
    wholes: wholes.filter(({ root }) => !wholeGoing.has(root)),
  };
  const targetOf = targetsIn(situation);
  const going = [...settled.going.values(), ...followers(situation, targetOf)];
  const records = folderRecords(situation, going, targetOf);
  const unify = unifier(kept.entries, changed.entries, shared);
  return {
    moves: sortByPath([...going, ...records.going].map(unify), ({ from }) => from),
    emptied: sortByPath(records.emptied, ({ path }) => path).map(({ path }) => path),
  };
}

/** Two entries do not become one object if that object is another entry in either tree already. */
function unifier(
  chosen: readonly RecordAt[],
  other: readonly RecordAt[],
  shared: ReadonlySet<ObjectId>,
): (going: Going) => LayoutMove {
  const byId = (entries: readonly RecordAt[]): Map<ObjectId, RecordAt> =>
    new Map(entries.flatMap((entry) => (shared.has(entry.record.id) ? [[entry.record.id, entry]] : [])));
  const kept = byId(chosen);
  const changed = byId(other);
  return ({ entry, to, twin }) => {
    const move = { from: entry.path, to };
    if (twin === undefined || twin.record.id === entry.record.id) return move;
    const [a, b] = [entry.record.id, twin.record.id];
    if ((kept.get(a) ?? twin) !== twin || (changed.get(b) ?? entry) !== entry) return move;
    return { ...move, unified: a < b ? { stays: a, was: b } : { stays: b, was: a } };
  };
}
