import { formatMtime, parseMtime, type RepositoryFacts } from '@bk/core';
import { withoutLost } from '@bk/store';
import type { Context } from '../context.ts';
import { presences } from '../presence/read-presence.ts';
import type { Repository } from '../repository.ts';

/** Of whatever was marked as lost; in results. */
export interface LostMark {
  readonly lost: true;
  /** RFC 3339, UTC. */
  readonly lostSince: string;
}

type Configured = Pick<Repository, 'config'>;
type Said = { readonly verified?: RepositoryFacts['verified'] | undefined } | undefined;

/**
 * Since when a repository does not count, because it was marked as lost here; undefined: it counts. One that came back
 * counts as soon as it says that all it holds was read again and found right after that time.
 * @param said its presence, as far as it is known
 */
export function lostSince({ config }: Configured, id: string, said: Said): string | undefined {
  const since = markOf({ config }, id);
  if (since === undefined) return undefined;
  const isBack = said?.verified !== undefined && parseMtime(said.verified) > parseMtime(since);
  return isBack ? undefined : since;
}

export function lostMark(since: string | undefined): LostMark | undefined {
  return since === undefined ? undefined : { lost: true, lostSince: since };
}

/** From now on, and in any case from after its last verification: a clock that is ahead there must not undo the mark. */
export function lostFrom(said: Said, context: Pick<Context, 'nowMs'>): string {
  const now = BigInt(Math.floor(context.nowMs())) * 1_000_000n;
  const verified = said?.verified === undefined ? now : parseMtime(said.verified);
  return formatMtime(verified > now ? verified : now);
}

/**
 * Takes the marks off repositories that came back: from then on they count like all others, whatever is added there and
 * not verified yet. To be called when presences came, only while writing.
 */
export function takeBack(repo: Repository): void {
  if (repo.config.lost === undefined) return;
  const back = presences(repo).flatMap(({ facts: { id, verified } }) => {
    const isBack = markOf(repo, id) !== undefined && lostSince(repo, id, { verified }) === undefined;
    return isBack ? [id] : [];
  });
  if (back.length > 0) repo.reconfigure((config) => withoutLost(config, back));
}

/** The mark, whether the repository came back or not. */
export function markOf({ config: { lost } }: Configured, id: string): string | undefined {
  return lost !== undefined && Object.hasOwn(lost, id) ? lost[id] : undefined;
}
