import fs from 'node:fs';
import { KIND, PROTECTION, ROOT } from '@bk/core';
import { VerifiedTimes } from '@bk/store';
import type { Context } from './context.ts';
import { publishPresence } from './presence/presence.ts';
import { cannotWrite, type Repository } from './repository.ts';
import { columns, select, type VerifyOptions } from './verify/select.ts';
import { Verification, type VerifyResult } from './verify/verification.ts';

export type { VerifyOptions } from './verify/select.ts';
export type { VerifyFinding, VerifyResult } from './verify/verification.ts';

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
      warn: (rotten) => times?.addRotten(rotten),
    });
    const { rot, unreadable } = run.result();
    if (isOfAll(options)) times?.setRotten([...rot, ...unreadable].map(({ blake3 }) => blake3));
    if (started !== undefined) times?.endPass(key);
    times?.setOldest(oldestOf(repo, times));
  } finally {
    run.close();
    times?.close();
  }
  tellOthers(repo, context);
  return run.result();
}

function isOfAll({ paths, sample, olderThanMs, timeMs }: VerifyOptions): boolean {
  return paths.length === 0 && [sample, olderThanMs, timeMs].every((limit) => limit === undefined);
}

/** A late reader of the index: a commit may have replaced it meanwhile. */
function oldestOf(repo: Repository, times: VerifiedTimes): number | undefined {
  let oldest: number | undefined;
  for (const [, known] of repo.index.below(ROOT)) {
    for (let k = 1; k < known.listing.names.length; k++) {
      if (known.listing.kinds[k] === KIND.dir || known.protections[k] === PROTECTION.absent) continue;
      const { id, blake3 } = columns(known, k);
      const time = times.timeOf(id, blake3);
      if (time === undefined) return undefined;
      oldest = Math.min(oldest ?? time, time);
    }
  }
  return oldest;
}

/** The new date goes into the presence, if nobody else is writing; else the next command's presence has it. */
function tellOthers(repo: Repository, context: Context): void {
  try {
    if (!repo.tryWriting()) return;
    publishPresence(repo, context);
    repo.endWriting();
  } catch (error) {
    if (!cannotWrite(error)) throw error;
  }
}
