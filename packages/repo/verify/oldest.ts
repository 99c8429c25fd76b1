import { formatMtime } from '@bk/core';
import { VerifiedTimes } from '@bk/store';
import type { Repository } from '../repository.ts';

/**
 * Since when all contents that this repository holds were read and found right at least once, RFC 3339; what came later
 * was hashed when it came. Undefined: some never were. One look into a small table: `verify` works it out.
 */
export function oldestVerification(repo: Pick<Repository, 'layout'>): string | undefined {
  const timeMs = VerifiedTimes.oldestIn(repo.layout.index);
  return timeMs === undefined ? undefined : formatMtime(BigInt(timeMs) * 1_000_000n);
}
