import { BkError, type GitId, presenceRef, repositoryOfRef } from '@bk/core';
import { checkedRefs, type Peer, type RefAt } from '@bk/remote';
import {
  type HistoryReader,
  isAncestor,
  listRefs,
  missingObjects,
  ObjectList,
  PRESENCE_REFS,
  packOf,
  readRef,
  receivePack,
} from '@bk/store';
import type { Context } from '../context.ts';
import { type Presence, readPresence } from '../presence/read-presence.ts';
import { MAIN, type Repository } from '../repository.ts';

/** One ref of a remote that says something new, and the ref here that is to say the same. */
export interface Line {
  readonly name: string;
  readonly id: GitId;
  readonly before: GitId | undefined;
  /** Whose presence it is; absent: the remote's head. */
  readonly repository?: string;
}

/** Where the last known head of a remote is kept. */
export function remoteHeadRef(remote: string): string {
  return `refs/remotes/${remote}/main`;
}

/** What a remote's refs say that is not known here; never of this repository's own presence, which only it writes. */
export async function newLines(repo: Repository, remote: string, peer: Peer, id: string): Promise<Line[]> {
  const { history } = repo.layout;
  const lines: Line[] = [];
  for (const offered of checkedRefs(await peer.refs())) {
    const line = lineOf(repo, remote, offered);
    if (line === undefined || line.id === line.before) continue;
    // Of a third repository the other may know less than we do; of itself it must know best.
    if (line.repository === undefined || line.repository === id || !isKnown(repo.history, line))
      lines.push(line);
  }
  return lines;

  function lineOf({ config }: Repository, name: string, { name: ref, id: at }: RefAt): Line | undefined {
    if (ref === MAIN) {
      const own = remoteHeadRef(name);
      return { name: own, id: at, before: readRef(history, own) };
    }
    const repository = repositoryOfRef(ref);
    if (repository === undefined || repository === config.id) return undefined;
    return { name: ref, id: at, before: readRef(history, ref), repository };
  }
}

function isKnown(reader: HistoryReader, { id, before }: Line): boolean {
  return before !== undefined && reader.has(id) && isAncestor(reader, id, before);
}

/**
 * Brings what these refs name through the quarantine: all of it, or what can be had one by one, so that a presence
 * that is not as it should be keeps nothing else back. Only while writing.
 * @returns why a line was refused, by its ref's name
 * @throws BkError 'unreachable' and what else the peer throws
 */
export async function bringLines(
  repo: Repository,
  peer: Peer,
  lines: readonly Line[],
  context: Context,
): Promise<ReadonlyMap<string, string>> {
  const refused = new Map<string, string>();
  const rounds = lines.length > 1 ? [lines, ...lines.map((line) => [line])] : [lines];
  for (const [i, round] of rounds.entries()) {
    try {
      await bringPack(repo, peer, round, context);
      if (i === 0) break;
    } catch (error) {
      if (!(error instanceof BkError) || !['refused', 'damaged', 'not-found'].includes(error.code))
        throw error;
      if (round.length === 1) refused.set(round[0]!.name, error.message);
    }
  }
  for (const { name, id, repository } of lines) {
    if (repository === undefined || refused.has(name)) continue;
    if (presenceAt(repo.history, id, repository) === undefined)
      refused.set(name, 'it is not what that repository would say of itself');
  }
  return refused;
}

async function bringPack(
  { layout, history }: Repository,
  peer: Peer,
  lines: readonly Line[],
  { report }: Context,
): Promise<void> {
  const wants = [...new Set(lines.map(({ id }) => id))].filter((id) => !history.has(id));
  const haves = [...new Set(listRefs(layout.history, 'refs/').map(([, id]) => id))];
  const chunks =
    wants.length > 0
      ? counted(peer.fetchPack(wants, haves), (bytes) => report({ phase: 'fetch', files: 0, bytes }))
      : later(packOf(history, new ObjectList()));
  await receivePack(chunks, lines, { layout, reader: history });
}

/** A pack of everything below these commits that whoever has `haves` lacks; undefined: nothing. */
export function packFor(
  reader: HistoryReader,
  wants: readonly GitId[],
  haves: readonly GitId[],
): AsyncIterable<Uint8Array> | undefined {
  const objects = missingObjects(reader, wants, haves);
  return objects.count === 0 ? undefined : later(packOf(reader, objects));
}

/** What a presence says of its repository; undefined if this is no presence of that repository. */
export function presenceAt(reader: HistoryReader, commit: GitId, id: string): Presence | undefined {
  try {
    return readPresence(reader, id, commit);
  } catch (error) {
    if (error instanceof BkError && error.code === 'damaged') return undefined;
    throw error;
  }
}

/** What a repository said of itself last, as far as it is known here. */
export function lastPresence(
  { layout, history }: Pick<Repository, 'layout' | 'history'>,
  id: string,
): Presence | undefined {
  const commit = readRef(layout.history, presenceRef(id));
  return commit === undefined ? undefined : presenceAt(history, commit, id);
}

/** Presences known here that a remote lacks or has an earlier state of. */
export function presencesToSend(
  { layout, history }: Repository,
  theirs: ReadonlyMap<string, GitId>,
  id: string,
): { readonly name: string; readonly expected?: GitId; readonly next: GitId }[] {
  return listRefs(layout.history, PRESENCE_REFS).flatMap(([name, next]) => {
    if (repositoryOfRef(name) === undefined || repositoryOfRef(name) === id) return [];
    const expected = theirs.get(name);
    if (expected === undefined) return [{ name, next }];
    const isNew = expected !== next && history.has(expected) && isAncestor(history, expected, next);
    return isNew ? [{ name, expected, next }] : [];
  });
}

async function* later(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  tell: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    yield chunk;
    bytes += chunk.length;
    tell(bytes);
  }
}
