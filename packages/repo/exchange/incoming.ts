import { Incoming } from '@bk/store';
import type { Repository } from '../repository.ts';

/** What was sent and never placed goes after so long: whoever sent it can send it again. */
const STALE_MS = 7 * 86_400_000;

/**
 * Lets go of contents that others sent and that are in the folder by now, and of those that nobody placed for a week.
 * Only while writing.
 */
export function clearIncoming(repo: Repository, nowMs: number): void {
  const incoming = new Incoming(repo.layout);
  const arrived = new Set(incoming.list());
  if (arrived.size > 0) for (const blake3 of repo.index.living(arrived)) incoming.remove(blake3);
  incoming.expire(nowMs - STALE_MS);
}
