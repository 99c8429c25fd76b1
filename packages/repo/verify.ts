import fs from 'node:fs';
import { VerifiedTimes } from '@bk/store';
import type { Context } from './context.ts';
import type { Repository } from './repository.ts';
import { Verification, type VerifyResult } from './verification.ts';
import { select, type VerifyOptions } from './verify-select.ts';

export type { VerifyFinding, VerifyResult } from './verification.ts';
export type { VerifyOptions } from './verify-select.ts';

/** An interrupted run is gone on with for so long; later the command begins anew. */
const PASS_LIFE_MS = 7 * 86_400_000;

/**
 * Reads the contents of the head's files again, those verified longest ago first. A good one is noted at once, so that
 * an interrupted run goes on where it was when the same command is given again.
 * @throws BkError `not-found` for a path that the head does not have
 */
export async function verify(
  repo: Repository,
  options: VerifyOptions,
  context: Context,
): Promise<VerifyResult> {
  const { index } = repo;
  const times = fs.existsSync(repo.layout.index) ? VerifiedTimes.open(repo.layout.index) : undefined;
  const run = new Verification(repo, context);
  try {
    const key = JSON.stringify([options.paths, options.sample, options.olderThanMs]);
    const nowMs = context.nowMs();
    const started =
      options.timeMs === undefined ? times?.beginPass(key, nowMs, nowMs - PASS_LIFE_MS) : undefined;
    const candidates = select(repo, { options, times, started, nowMs });
    const until = options.timeMs === undefined ? Number.POSITIVE_INFINITY : nowMs + options.timeMs;
    await run.read(candidates, {
      until,
      known: (folder) => index.known(folder),
      note: (good) => times?.add(good),
    });
    if (started !== undefined) times?.endPass(key);
    return run.result();
  } finally {
    run.close();
    times?.close();
  }
}
