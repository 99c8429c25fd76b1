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
import { withPorts } from './transaction.ts';

/**
 * Finishes what killed commands left: transactions from their journals, then staging is emptied of what is bk's. What
 * was captured without a journal goes into the net. Only for the holder of the lock; does nothing if all is clean.
 */
export function replayJournal(layout: Layout): ApplyResult[] {
  const results: ApplyResult[] = [];
  if (hasPending(layout)) {
    for (const pending of pendingTransactions(layout)) {
      const journal = Journal.reopen(layout, pending.transaction.id);
      results.push(withPorts(layout, {}, (ports) => replayTransaction(pending, journal, ports)));
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
