import {
  BkError,
  type ContentHash,
  type GitId,
  isHeldByHistory,
  nameOf,
  type PathProblem,
  parentOf,
  parseRecord,
  presenceRef,
  type RepoPath,
} from '@bk/core';
import { checkedRefs, type RefAt } from '@bk/remote';
import { diffTrees, HistoryReader, type Layout, receivePack, walkTree } from '@bk/store';
import { lastPresence, presenceAt } from '../exchange/refs.ts';
import { MAIN } from '../repository.ts';
import { type CloneResult, type CloneWork, planClone } from './plan.ts';
import type { FolderPart } from './selection.ts';
import type { CloneSource } from './source.ts';
import { withTemporary } from './target.ts';

/** What a source is known to hold. */
interface Known {
  readonly history: string;
  /** The tree of what is there; undefined: it said nothing, and is taken to have everything. */
  readonly present: GitId | undefined;
}

/**
 * What a clone would copy, by history and presence of its source; no content is asked for, and nothing is made where the
 * clone is to be. A history that is not here is brought for the time of the look, among the system's temporary files.
 * @param root as the clone is to be called
 */
export async function foresee(work: CloneWork, root: string, commit: GitId | null): Promise<CloneResult> {
  const { from } = work.options;
  const { repository } = from;
  if (commit === null) return { root, id: null, commit, files: 0, bytes: 0, missing: [], warnings: [] };
  if (repository === undefined) {
    return withTemporary(async (layout) => {
      const present = await bringHistory(layout, from, commit);
      return foreseen(work, { root, commit, history: layout.history, present });
    });
  }
  const present = lastPresence(repository, from.facts.id)?.present;
  return foreseen(work, { root, commit, history: repository.layout.history, present });
}

async function foreseen(
  work: CloneWork,
  { root, commit, history, present }: Known & { readonly root: string; readonly commit: GitId },
): Promise<CloneResult> {
  const { parts, totals, warnings } = await planClone(work, history, commit);
  const reader = new HistoryReader(history);
  try {
    const { tree } = reader.readCommit(commit);
    const holdsNothing = work.options.from.facts.historyOnly === true;
    const lacking = present === undefined && !holdsNothing ? [] : lackingOf(reader, { tree, present, parts });
    return {
      root,
      id: null,
      commit,
      files: totals.files - lacking.length,
      bytes: totals.bytes - lacking.reduce((sum, { size }) => sum + size, 0),
      missing: lacking.map(({ path }): PathProblem => ({ path, reason: 'the source does not have it' })),
      warnings,
    };
  } finally {
    reader.close();
  }
}

interface Lacking {
  readonly path: RepoPath;
  readonly blake3: ContentHash;
  readonly size: number;
}

/** Selected files whose contents are nowhere in what is present there. */
function lackingOf(
  reader: HistoryReader,
  { tree, present, parts }: { tree: GitId; present: GitId | undefined; parts: readonly FolderPart[] },
): Lacking[] {
  const selected = new Map(parts.map(({ path, files }) => [path, files === 'all' ? files : new Set(files)]));
  const lacking: Lacking[] = [];
  for (const { path, before } of diffTrees(reader, tree, present)) {
    const files = selected.get(parentOf(path));
    if (before === undefined || files === undefined || (files !== 'all' && !files.has(nameOf(path))))
      continue;
    const record = parseRecord(reader.readBlobText(before));
    if (!isHeldByHistory(record) && record.blake3 !== undefined)
      lacking.push({ path, blake3: record.blake3, size: record.size ?? 0 });
  }
  if (lacking.length === 0 || present === undefined) return lacking;
  const held = new Set<ContentHash | undefined>();
  for (const { id } of walkTree(reader, present)) held.add(parseRecord(reader.readBlobText(id)).blake3);
  return lacking.filter(({ blake3 }) => !held.has(blake3));
}

/** History of a commit, and what the source says that it holds. @returns the tree of that */
async function bringHistory(
  layout: Layout,
  { peer, facts }: CloneSource,
  commit: GitId,
): Promise<GitId | undefined> {
  const reader = new HistoryReader(layout.history);
  const bring = async (tips: readonly RefAt[]): Promise<void> => {
    await receivePack(
      peer.fetchPack(
        tips.map(({ id }) => id),
        [],
      ),
      tips,
      { layout, reader },
    );
  };
  try {
    const main = { name: MAIN, id: commit };
    const own = checkedRefs(await peer.refs()).find(({ name }) => name === presenceRef(facts.id));
    try {
      await bring(own === undefined ? [main] : [main, own]);
    } catch (error) {
      // As for a clone: a presence that is not as it should be is left out.
      if (!(error instanceof BkError) || error.code !== 'refused' || own === undefined) throw error;
      await bring([main]);
      return undefined;
    }
    return own === undefined ? undefined : presenceAt(reader, own.id, facts.id)?.present;
  } finally {
    reader.close();
  }
}
