import {
  BkError,
  EVERYTHING,
  formatMtime,
  formatRepositoryFacts,
  type GitId,
  needsPresence,
  PRESENT_TREE,
  parseSubset,
  presenceMessage,
  presenceRef,
  REPOSITORY_FILE,
  type RepositoryFacts,
  subsetHash,
} from '@bk/core';
import { PackWriter, readRef, type Signature, updateRef, withPartial } from '@bk/store';
import { volumeOf } from '@bk/worktree';
import type { Context } from '../context.ts';
import { signatureOf } from '../history/signature.ts';
import { cannotWrite, type Repository } from '../repository.ts';
import { oldestVerification } from '../verify/oldest.ts';
import { type PresentTreeSources, presentTree } from './present-tree.ts';
import { ownPresence, type Presence } from './read-presence.ts';

export { ownPresence, type Presence, presences } from './read-presence.ts';

/** A presence in a pack that is not finished yet. */
export interface NewPresence {
  readonly commit: GitId;
  /** Where the chain stands until then. */
  readonly previous: GitId | undefined;
  readonly whole: boolean;
}

/**
 * Writes this repository's presence, if it says anything new: the head's tree without what the index says is absent.
 * Only while writing, after the head moved and the index was written. @returns the new commit
 */
export function publishPresence(repo: Repository, context: Context): GitId | undefined {
  const { head, history, index } = repo;
  if (head === undefined) return undefined;
  const made = publishPresent(repo, { history, index, put: new Map() }, context);
  if (made !== undefined) index.write({ presence: made });
  return made;
}

/**
 * A copy that got an id of its own says for the first time what it holds, before others ask. Where that cannot be
 * written now, the next command does. Does nothing in a repository that has said something before.
 */
export function introduce(repo: Repository, context: Context): void {
  const { config, layout, head, isCopy } = repo;
  if (isCopy || head === undefined || readRef(layout.history, presenceRef(config.id)) !== undefined) return;
  const mine = !repo.locked;
  try {
    if (repo.tryWriting()) publishPresence(repo, context);
  } catch (error) {
    if (!cannotWrite(error)) throw error;
  } finally {
    if (mine) repo.endWriting();
  }
}

/** As publishPresence, for rows that the index is about to have: it has to get them with the new commit as `presence`. */
export function publishPresent(
  repo: Repository,
  sources: PresentTreeSources,
  context: Context,
): GitId | undefined {
  const { head, history, layout } = repo;
  if (head === undefined) return undefined;
  const writer = new PackWriter(layout.history, layout.staging, { reader: history });
  try {
    const { tree } = history.readCommit(head);
    const present = presentTree(tree, sources, writer);
    const signature = signatureOf(repo, context);
    const made = addPresence(repo, { writer, present, signature, whole: present === tree });
    if (made === undefined) return undefined;
    writer.finish();
    movePresence(repo, made);
    history.refresh();
    return made.commit;
  } finally {
    writer.abort();
  }
}

export interface PresenceToAdd {
  readonly writer: PackWriter;
  readonly present: GitId;
  readonly signature: Signature;
  /** It is all that the head has. */
  readonly whole: boolean;
}

/** Adds the presence to a pack, unless the last one says the same. The pack must be finished before movePresence. */
export function addPresence(
  repo: Repository,
  { writer, present, signature, whole }: PresenceToAdd,
): NewPresence | undefined {
  const { id, name } = repo.config;
  const last = lastPresence(repo);
  const facts = { ...factsOf(repo, signature.timeSec, last?.said), ...(whole && { whole }) };
  const said = last?.said;
  const before = said?.present === undefined ? undefined : { facts: said.facts, present: said.present };
  if (!needsPresence(before, { facts, present })) {
    notePartial(repo, whole);
    return undefined;
  }
  const tree = writer.addTree([
    { name: REPOSITORY_FILE, kind: 'blob', id: writer.addBlob(formatRepositoryFacts(facts)) },
    { name: PRESENT_TREE, kind: 'tree', id: present },
  ]);
  const commit = writer.addCommit({
    tree,
    parents: last === undefined || last.said === undefined ? [] : [last.commit],
    author: signature,
    committer: signature,
    message: presenceMessage({ id, name }),
  });
  return { commit, previous: last?.commit, whole };
}

/** Makes a presence that is in the history now the one that counts. */
export function movePresence(repo: Repository, { commit, previous, whole }: NewPresence): void {
  updateRef(repo.layout.history, presenceRef(repo.config.id), previous, commit, { exclusive: true });
  notePartial(repo, whole);
}

/** Should both presence and index be lost, the config tells what was let go of from what was deleted. */
function notePartial(repo: Repository, whole: boolean): void {
  if ((repo.config.partial === true) === whole) repo.reconfigure((config) => withPartial(config, !whole));
}

/** Where the own chain stands; one that cannot be read is begun anew. */
function lastPresence(repo: Repository): { commit: GitId; said: Presence | undefined } | undefined {
  const commit = readRef(repo.layout.history, presenceRef(repo.config.id));
  if (commit === undefined) return undefined;
  try {
    return { commit, said: ownPresence(repo) };
  } catch (error) {
    if (error instanceof BkError && error.code === 'damaged') return { commit, said: undefined };
    throw error;
  }
}

function factsOf(
  { config, layout }: Repository,
  timeSec: number,
  last: Presence | undefined,
): RepositoryFacts {
  const address = last?.facts.address;
  const verified = oldestVerification({ layout });
  return {
    v: 1,
    id: config.id,
    name: config.name,
    volume: config.volume?.id ?? volumeOf(layout.root).uuid ?? `bk:${config.id}`,
    subset: subsetFacts(config.subset) ??
      last?.facts.subset ?? { ...EVERYTHING, hash: subsetHash(EVERYTHING) },
    kind: 'folder',
    time: formatMtime(BigInt(timeSec) * 1_000_000_000n),
    ...(address !== undefined && { address }),
    ...(verified !== undefined && { verified }),
  };
}

/** Undefined if it was changed by hand: the others go on believing what was said last. */
function subsetFacts(subset: Repository['config']['subset']): RepositoryFacts['subset'] | undefined {
  if (subset === undefined) return { ...EVERYTHING, hash: subsetHash(EVERYTHING) };
  try {
    const parsed = parseSubset(subset.include, subset.exclude);
    return subsetHash(parsed) === subset.hash ? { ...parsed, hash: subset.hash } : undefined;
  } catch (error) {
    if (error instanceof BkError) return undefined;
    throw error;
  }
}
