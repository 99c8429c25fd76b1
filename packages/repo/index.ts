/**
 * repo: the verbs, one file each, and the only place where core, store, worktree and remote are wired
 * together.
 *
 * Every verb is observe → decide → do → record → report: only core decides, what makes a change visible is written
 * last, and the result is plain data, exactly the JSON document of SPEC 3. A verb is a function of an opened
 * repository, its options and a context (progress, clock, random bytes); it prints nothing and asks nobody.
 * What is expected (conflicts, unreadable files, unprotected contents) is part of the result; a BkError stops the verb.
 */

export * from './advance/advance.ts';
export type { Problem, ProblemKind } from './check/problems.ts';
export * from './check.ts';
export { type CloneToOptions, cloneTo } from './clone/there.ts';
export * from './clone.ts';
export * from './commit.ts';
export * from './config.ts';
export { type ConflictsResult, conflicts, type ListedConflict, type ListedVersion } from './conflicts.ts';
export * from './context.ts';
export * from './copies.ts';
export * from './covered.ts';
export * from './diff.ts';
export * from './doctor.ts';
export * from './drop.ts';
export { type Entity, type EntityOptions, type EntityResult, entity } from './entity.ts';
export { type FetchedPresence, type FetchedRemote, type FetchResult, fetch } from './fetch.ts';
export * from './find.ts';
export * from './get.ts';
export * from './history/revision.ts';
export * from './init.ts';
export * from './log.ts';
export * from './ls.ts';
export { type MediaRefreshResult, refreshMedia } from './media-refresh.ts';
export type { MergedOne, Standing } from './merge/merge-with.ts';
export { type MergedFrom, type MergeOptions, type MergeResult, merge } from './merge.ts';
export { type MetaFile, type MetaOptions, type MetaResult, type MetaVersion, meta } from './meta.ts';
export * from './observe/working-records.ts';
export type { LostMark } from './peers/lost.ts';
export { type PushedRemote, type PushOptions, type PushResult, push } from './push.ts';
export * from './recover.ts';
export * from './reindex.ts';
export {
  type RemoteAbout,
  type RemoteOptions,
  type RemoteResult,
  type RemoteValue,
  remote,
} from './remote.ts';
export * from './repair.ts';
export * from './repository.ts';
export { type ResolvedConflict, type ResolveOptions, type ResolveResult, resolve } from './resolve.ts';
export * from './restore.ts';
export * from './safety.ts';
export { type ServeOptions, type Stdio, serve } from './serve.ts';
export * from './show.ts';
export * from './status.ts';
export { type SubsetFiles, type SubsetOptions, type SubsetResult, subset } from './subset.ts';
export { type SyncedRemote, type SyncOptions, type SyncResult, sync } from './sync.ts';
export { type Tagged, type TagOptions, type TagResult, tag } from './tag.ts';
export { type ExportResult, exportXmp, importXmp, type TagXmpOptions } from './tag-xmp.ts';
export * from './verify.ts';
export {
  type WhereCopy,
  type WhereFile,
  type WhereLost,
  type WhereOptions,
  type WhereResult,
  where,
} from './where.ts';
