import type { RepoPath } from '@bk/core';
import {
  clearReplacing,
  clearStaging,
  hasPending,
  Incoming,
  Journal,
  type Layout,
  leasesFile,
  pendingTransactions,
  removeUnfinishedPacks,
  SafetyNet,
} from '@bk/store';
import { type ApplyResult, contentOf, replayTransaction } from '@bk/worktree';
import { lackingPaths, withPorts } from './transaction.ts';

/**
 * Finishes what killed commands left: transactions from their journals, then staging is emptied of what is bk's. What
 * was captured without a journal goes into the net. Only for the holder of the lock; does nothing if all is clean.
 * @param onLacking given, once the head has moved, the paths of it to which nothing could be brought: they are not
 * here, and must not seem to be deleted
 */
export function replayJournal(
  layout: Layout,
  onLacking: (paths: readonly RepoPath[]) => void = () => {},
): ApplyResult[] {
  const results: ApplyResult[] = [];
  if (hasPending(layout)) {
    for (const pending of pendingTransactions(layout)) {
      const journal = Journal.reopen(layout, pending.transaction.id);
      const result = withPorts(layout, { tells: true }, (ports) =>
        replayTransaction(pending, journal, ports),
      );
      if (result.end !== undefined) {
        onLacking(lackingPaths(result.results));
        result.end();
      }
      results.push(result);
    }
  }
  removeUnfinishedPacks(layout);
  adoptCaptured(layout);
  new Incoming(layout).tidy();
  for (const file of [layout.config, leasesFile(layout)]) clearReplacing(file);
  return results;
}

function adoptCaptured(layout: Layout): void {
  const { captured } = clearStaging(layout, new Set());
  if (captured.length === 0) return;
  const net = new SafetyNet(layout);
  for (const file of captured) net.adopt(file, contentOf(file));
  net.makeDurable();
  clearStaging(layout, new Set());
}
