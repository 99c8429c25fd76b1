/**
 * history: the bare git repository in `.bk/history` (SPEC 2.1), read and written without git.
 *
 * One pack a commit: staged, synced, linked into `objects/pack`, then the ref is moved by lock file and
 * compare-and-swap. Nothing is visible before it is durable. Small objects are stored, not compressed; `git gc` may
 * compress them later, the reader understands its deltas. Indexes are searched where they lie, every object is checked
 * against its name, and damage is an error that names the object and the pack, never an absence.
 */

export type { CommitFields, CommitObject, Signature } from './commit-object.ts';
export { deleteRef } from './delete-ref.ts';
export { initHistory } from './init.ts';
export { type Flaw, inspectPacks, inspectRefs, type RefInspection } from './inspect.ts';
export { type MovedFolder, movedFolders, type OneSided, recordsOfOne } from './moved-trees.ts';
export { type ObjectSink, Overlay } from './overlay.ts';
export { packFor } from './pack-copy.ts';
export { PACK_LIMITS, type PackLimits } from './pack-scan.ts';
export { PackWriter, type PackWriterOptions } from './pack-writer.ts';
export { type Received, type Receiving, receivePack } from './quarantine.ts';
export { HistoryReader, type ObjectReader } from './reader.ts';
export { isRefName, listRefs, readRef, type UpdateRefOptions, updateRef } from './refs.ts';
export { type RevContext, resolveRev } from './resolve.ts';
export { isAncestor, missingObjects, ObjectList, packOf } from './transfer.ts';
export { compareTreeEntries, type TreeEntry } from './tree-object.ts';
export { diffTrees, findInTree, type TreeDifference, type TreeFile, walkTree } from './tree-walk.ts';
export { removeUnfinishedPacks } from './unfinished.ts';
export { PRESENCE_REFS, type Tip } from './vetting.ts';
