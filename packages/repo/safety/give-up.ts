import { BkError, type RepositoryFacts } from '@bk/core';
import { type LostMark, lostMark, lostSince, markOf } from '../peers/lost.ts';
import { type Remote, remotesOf } from '../peers/peers.ts';
import { presences } from '../presence/presence.ts';
import type { Repository } from '../repository.ts';

/** A repository that was marked as lost and is no remote here. */
export interface LostRepository extends LostMark {
  readonly id: string;
  /** That it has for itself; null: it never said anything here. */
  readonly name: string | null;
}

/** Those that are marked, do not count, and are no remotes: in order of their ids. */
export function lostStrangers(repo: Repository): LostRepository[] {
  const ids = Object.keys(repo.config.lost ?? {});
  if (ids.length === 0) return [];
  const said = new Map(presences(repo).map(({ facts }) => [facts.id, facts]));
  const remotes = new Set(remotesOf(repo).map(({ id }) => id));
  return ids.flatMap((id) => {
    const mark = lostMark(lostSince(repo, id, said.get(id)));
    if (mark === undefined || remotes.has(id)) return [];
    return [{ id, name: said.get(id)?.name ?? null, ...mark }];
  });
}

/** A repository that is to be given up. */
export interface Doomed {
  readonly id: string;
  /** If it is one here. */
  readonly remote: Remote | undefined;
  /** What it said last; undefined: nothing that came here. */
  readonly said: RepositoryFacts | undefined;
}

/**
 * The repository that a person means: by the name of a remote, else by its id or by the name that it has for itself.
 * @throws BkError 'usage' if nobody or more than one is meant, 'refused' for this one and for a remote never reached
 */
export function doomedOf(repo: Repository, text: string): Doomed {
  const remotes = remotesOf(repo);
  const all = presences(repo).map(({ facts }) => facts);
  const byName = remotes.find(({ name }) => name === text);
  const id = byName === undefined ? idMeant(repo, text, all) : byName.id;
  if (id === undefined) {
    throw new BkError(
      'refused',
      `cannot mark ${text} as lost: it was never reached, so nothing counts on it`,
      {
        hint: `to forget its name: bk remote remove ${text}`,
      },
    );
  }
  if (id === repo.config.id)
    throw new BkError('refused', `cannot mark ${text} as lost: it is this repository itself`);
  const remote = byName ?? remotes.find((each) => each.id === id);
  return { id, remote, said: all.find((facts) => facts.id === id) };
}

function idMeant(repo: Repository, text: string, all: readonly RepositoryFacts[]): string {
  const wanted = text.toLowerCase();
  const ids = [repo.config.id, ...remotesOf(repo).map(({ id }) => id), ...all.map(({ id }) => id)];
  if (ids.includes(wanted) || markOf(repo, wanted) !== undefined) return wanted;
  const named = all.filter(({ name }) => name === text);
  const [one, ...others] = named;
  if (one !== undefined && others.length === 0) return one.id;
  if (one !== undefined) {
    throw new BkError(
      'usage',
      `cannot tell which ${text} is lost: ${named.length} repositories have that name`,
      {
        hint: `give an id: ${named.map((facts) => facts.id).join(', ')}`,
      },
    );
  }
  const known = all.filter((facts) => facts.id !== repo.config.id).map(({ name }) => name);
  throw new BkError('usage', `no such repository is known: ${text}`, {
    hint: known.length === 0 ? 'no other has said anything yet' : `known are ${known.join(', ')}`,
  });
}
