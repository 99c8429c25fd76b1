import { BkError, type GitId, repositoryOfRef } from '@bk/core';
import { checkedRefs, type Peer, type RefAt } from '@bk/remote';
import { listRefs, PRESENCE_REFS, readRef, receivePack, updateRef } from '@bk/store';
import type { Pool } from '../observe/pool.ts';
import { MAIN, type Repository } from '../repository.ts';

export const ORIGIN = 'refs/remotes/origin/main';

/** Where the history comes from: through the port, or, from a repository that is open here, aside in another thread. */
export interface HistorySource {
  readonly peer: Peer;
  readonly aside: { readonly pool: Pool; readonly history: string } | undefined;
}

/**
 * Brings the history up to a commit, and all presences, into a new repository: checked in quarantine, then the refs.
 * Presences that are not as they should be are left out. Only while writing. Does nothing the second time.
 * @param commit null: there is none yet
 */
export async function fetchHistory(
  repo: Repository,
  { peer, aside }: HistorySource,
  commit: GitId | null,
): Promise<void> {
  if (commit === null) return;
  const main = { name: MAIN, id: commit };
  const presences = checkedRefs(await peer.refs()).filter(({ name }) =>
    isOthersPresence(name, repo.config.id),
  );
  let taken: readonly RefAt[] = [main, ...presences];
  try {
    await receive(repo, { peer, aside }, taken);
  } catch (error) {
    if (!(error instanceof BkError) || error.code !== 'refused' || presences.length === 0) throw error;
    taken = [main];
    await receive(repo, { peer, aside }, taken);
  }
  repo.history.refresh();
  for (const { name, id } of [...taken, { name: ORIGIN, id: commit }]) move(repo, name, id);
}

function isOthersPresence(name: string, own: string): boolean {
  const id = repositoryOfRef(name);
  return id !== undefined && id !== own;
}

async function receive(
  repo: Repository,
  { peer, aside }: HistorySource,
  tips: readonly RefAt[],
): Promise<void> {
  const { layout, history } = repo;
  const refs = [...listRefs(layout.history, PRESENCE_REFS).map(([, id]) => id)];
  const main = readRef(layout.history, MAIN);
  const haves = main === undefined ? refs : [main, ...refs];
  const wants = [...new Set(tips.map(({ id }) => id))].filter((id) => !haves.includes(id));
  if (wants.length === 0) return;
  if (aside === undefined) {
    await receivePack(peer.fetchPack(wants, haves), tips, { layout, reader: history });
    return;
  }
  const { history: into, staging } = layout;
  await aside.pool.run('takeHistory', {
    from: aside.history,
    layout: { history: into, staging },
    wants,
    haves,
    tips,
  });
}

function move({ layout }: Repository, name: string, id: GitId): void {
  const before = readRef(layout.history, name);
  if (before !== id) updateRef(layout.history, name, before, id, { exclusive: true });
}
