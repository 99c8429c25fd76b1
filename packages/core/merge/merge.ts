import { type RepoPath, ROOT } from '../path.ts';
import { findTorn } from './atomic.ts';
import { findCaseConflicts } from './case.ts';
import { settleCollisions } from './collide.ts';
import { recogniseMoves } from './folder-moves.ts';
import { type FolderNode, FolderNodes } from './folder-nodes.ts';
import { FolderPaths } from './folder-paths.ts';
import { dropNeedless, foldersAbove, placeFolderRecords } from './folder-records.ts';
import { type Ground, prepareGround, SIDES } from './ground.ts';
import type { Merged, MergeFacts, MergeInput, SideNumber } from './input.ts';
import { addKeptTwice, withoutTorn } from './kept-twice.ts';
import { type Folders, type Placed, placeObject } from './placed.ts';
import { parentFinder } from './places.ts';
import { type OpenConflict, reportMerged } from './report.ts';

/**
 * The three-way merge of trees (SPEC 6), per object and per field. Always completes; what cannot be decided by facts is
 * kept twice and reported. The result is the same whichever side is called first.
 */
export function mergeTrees(input: MergeInput, facts: MergeFacts): Merged {
  const ground = prepareGround(input, facts);
  const folders = mergeFolders(ground);
  const torn = findTorn(ground, folders.nodes);
  if (torn.length === 0) return mergeAll(folders, ground);
  const { nodes } = folders;
  const mended = prepareGround(withoutTorn(torn, ground, nodes), facts);
  const again = mergeFolders(mended);
  const pathOf = (folder: FolderNode, winner: SideNumber): RepoPath => {
    const path = folder.base === undefined ? nodes.pathOn(winner, folder) : undefined;
    return again.paths.pathOf(
      path === undefined ? again.nodes.inBase(folder.base ?? ROOT) : again.nodes.onSide(winner, path),
    );
  };
  return addKeptTwice(mergeAll(again, mended), torn, pathOf, { ground, nodes });
}

function mergeAll(folders: Folders, ground: Ground): Merged {
  const placed: Placed[] = [];
  const parentsOf = parentFinder(folders.nodes);
  for (const object of ground.files) {
    const item = placeObject(object, parentsOf(object), folders, ground);
    if (item !== undefined) placed.push(item);
  }
  const ofFolders = placeFolderRecords(ground.records, folders, ground);
  const paths = [...ofFolders].flatMap(([path, { isForsaken }]) => (isForsaken ? [] : [{ path }]));
  const filled = foldersAbove([...placed.map(({ entry }) => entry), ...paths]);
  const records = dropNeedless(ofFolders, filled, ground);
  for (const { entry } of records) filled.add(entry.path);
  const { free, contested, conflicts } = settleCollisions(placed, filled, ground);
  const open = [...folderConflicts(folders, filled), ...caseConflicts(free, folders, filled, ground)];
  return reportMerged({ alike: ground.alike, free: [...free, ...records], contested }, conflicts, open);
}

function mergeFolders(ground: Ground): Folders {
  const sides = [recogniseMoves(0, ground), recogniseMoves(1, ground)] as const;
  const nodes = new FolderNodes(sides, ground);
  return { sides, nodes, paths: new FolderPaths(nodes, ground) };
}

/** Folders that both sides renamed, each in its own way. */
function folderConflicts({ sides, nodes, paths }: Folders, filled: ReadonlySet<RepoPath>): OpenConflict[] {
  for (const path of sides[0].moves.keys())
    if (sides[1].moves.has(path)) paths.objectsPathOf(nodes.inBase(path));
  return paths.disputed().flatMap((folder): OpenConflict[] => {
    const path = paths.objectsPathOf(folder);
    const versions = SIDES.flatMap((side) => nodes.pathOn(side, folder) ?? []);
    return filled.has(path) ? [{ path, kind: 'rename-rename', kept: [], versions }] : [];
  });
}

function caseConflicts(
  files: readonly Placed[],
  { nodes, paths }: Folders,
  filled: ReadonlySet<RepoPath>,
  ground: Ground,
): OpenConflict[] {
  const known = [...paths.known()].filter(([, path]) => filled.has(path));
  return findCaseConflicts(files, { nodes, paths: known }, ground).map(({ path, others }) => {
    return { path, kind: 'case', kept: others, versions: [path, ...others] };
  });
}
