import {
  type ContentHash,
  DIRECTORY_RECORD,
  type GitId,
  mergeBases,
  nameOf,
  type ObjectId,
  parentOf,
  parseRecord,
  type Rec,
  type RepoPath,
} from '@bk/core';
import { type CommitObject, type HistoryReader, recordsOfOne, type TreeFile } from '@bk/store';
import { graphOf } from '../history/graph.ts';

/** A record at a path; of a folder's own, at the folder's. */
export interface Version {
  readonly path: RepoPath;
  readonly record: GitId;
  readonly rec: Rec;
}

/** From one parent of a commit to the commit. */
export interface Step extends Comparison {
  /** What another parent's side let go of before, which both had once, and the commits in which both had it. By `versionOf`. */
  readonly lost: () => ReadonlyMap<string, readonly GitId[]>;
}

/** One for each parent; of a first commit one from nothing. */
export function stepsTo(history: HistoryReader, { parents, tree }: CommitObject): Step[] {
  const only = parents.length < 2 ? [parents[0]] : parents;
  return only.map((parent) => {
    const others = parents.filter((other) => other !== parent);
    let lost: Map<string, GitId[]> | undefined;
    return {
      ...compare(history, treeOf(history, parent), tree),
      lost: () => {
        lost ??= lostOnTheWay(history, parent!, others);
        return lost;
      },
    };
  });
}

function lostOnTheWay(history: HistoryReader, has: GitId, lacking: readonly GitId[]): Map<string, GitId[]> {
  const lost = new Map<string, GitId[]>();
  for (const lacks of lacking) {
    for (const base of mergeBases(graphOf(history), has, lacks)) {
      const { gone, came } = compare(history, treeOf(history, base), history.readCommit(lacks).tree);
      for (const { rec } of gone.values()) {
        if (came.get(rec.id)?.rec.blake3 === rec.blake3) continue;
        const version = versionOf(rec);
        lost.set(version, [...(lost.get(version) ?? []), base]);
      }
    }
  }
  return lost;
}

/** Objects that there were not before, as themselves or as one that they were unified with. */
export function* backIn({ gone, came }: Comparison): Generator<[ObjectId, Version]> {
  for (const [id, now] of came) {
    const before = gone.get(id);
    if (before === undefined) yield [id, now];
    for (const other of now.rec.was ?? []) if (before?.rec.was?.includes(other) !== true) yield [other, now];
  }
}

export interface Left extends Version {
  /** The object lives on with another content. */
  readonly replaced: boolean;
  /** A merge took over what another side did since these commits; empty: nobody let go of it before. */
  readonly since: readonly GitId[];
}

/** Versions that the commit no longer has and a parent had. */
export function* leftIn({ gone, came, lost }: Step): Generator<Left> {
  let heirs: Map<ObjectId, Version> | undefined;
  for (const [id, version] of gone) {
    heirs ??= heirsIn(came);
    const after = came.get(id) ?? heirs.get(id);
    if (after !== undefined && after.rec.blake3 === version.rec.blake3) continue;
    yield { ...version, replaced: after !== undefined, since: lost().get(versionOf(version.rec)) ?? [] };
  }
}

/** Whom objects live on as. */
function heirsIn(came: ReadonlyMap<ObjectId, Version>): Map<ObjectId, Version> {
  const heirs = new Map<ObjectId, Version>();
  for (const version of came.values()) for (const id of version.rec.was ?? []) heirs.set(id, version);
  return heirs;
}

/** An object with a content. */
export function versionOf({
  id,
  blake3,
}: {
  readonly id: ObjectId;
  readonly blake3?: ContentHash | undefined;
}): string {
  return `${id} ${blake3 ?? ''}`;
}

function treeOf(history: HistoryReader, commit: GitId | undefined): GitId | undefined {
  return commit === undefined ? undefined : history.readCommit(commit).tree;
}

interface Comparison {
  readonly gone: ReadonlyMap<ObjectId, Version>;
  readonly came: ReadonlyMap<ObjectId, Version>;
}

function compare(history: HistoryReader, before: GitId | undefined, after: GitId): Comparison {
  const { gone, came } = recordsOfOne(history, before, after);
  return { gone: versionsIn(history, gone.records), came: versionsIn(history, came.records) };
}

function versionsIn(history: HistoryReader, files: readonly TreeFile[]): Map<ObjectId, Version> {
  const versions = new Map<ObjectId, Version>();
  for (const { path: blob, id: record } of files) {
    const rec = parseRecord(history.readBlobText(record));
    const path = nameOf(blob) === DIRECTORY_RECORD ? parentOf(blob) : blob;
    versions.set(rec.id, { path, record, rec });
  }
  return versions;
}
