import type { ContentHash, HeadMove, RepoPath, Step, StepResult, Transaction } from '@bk/core';
import {
  type Config,
  Incoming,
  Journal,
  type Layout,
  listRefs,
  makeStaging,
  newTransactionId,
  readRef,
  removeStaging,
  SafetyNet,
  settingsOf,
  syncFileSystem,
  updateRef,
} from '@bk/store';
import { type ApplyPorts, type ApplyResult, applySteps, TreeFs } from '@bk/worktree';

export interface TransactionOptions {
  /** Give set-uid and set-gid as recorded. */
  readonly special?: boolean;
  readonly onFile?: (bytes: number) => void;
  /** See ApplyPorts. */
  readonly tells?: boolean;
}

/** Whether set-uid and set-gid come back as recorded: if all records were made here, or the owner said so (rule 11). */
export function mayGiveSpecial(repo: { readonly layout: Layout; readonly config: Config }): boolean {
  return settingsOf(repo.config).setuid || listRefs(repo.layout.history, 'refs/remotes/').length === 0;
}

/** Carries out a plan as one transaction: journal, staging and net of this repository behind worktree's one writer. */
export function applyPlan(
  layout: Layout,
  plan: Pick<Transaction, 'verb' | 'steps' | 'head' | 'placedFor'>,
  options: TransactionOptions = {},
): ApplyResult {
  return withPorts(layout, options, (ports) => applySteps(plan.verb, plan.steps, ports, plan));
}

/** Where something should have come to and could not. What was there already, and only lacks a mode or a time, is here. */
export function lackingPaths(results: readonly StepResult[]): RepoPath[] {
  return results
    .filter(({ outcome }) => outcome !== 'done')
    .flatMap(({ step }) => (COMING.has(step.do) ? [step.path] : []));
}

const COMING: ReadonlySet<Step['do']> = new Set(['place', 'symlink', 'move', 'mkdir']);

/** The head follows the files, also when a killed command is finished; if it is elsewhere by now it stays there. */
function moveHead({ history }: Layout, { ref, from, to }: HeadMove): void {
  const now = readRef(history, ref);
  if (now !== to && now === (from ?? undefined)) updateRef(history, ref, now, to, { exclusive: true });
}

/**
 * The same into a folder that is not the repository's (`recover --to`): nothing is replaced there, so there is nothing
 * to finish after a kill; asked again, the verb goes on.
 */
export function applyElsewhere(
  layout: Layout,
  folder: string,
  plan: { readonly verb: string; readonly steps: readonly Step[] },
  options: TransactionOptions = {},
): ApplyResult {
  const journal = { creating() {}, done() {}, commit() {}, end() {}, leave() {} };
  const tree = new TreeFs(folder);
  try {
    return withPorts(layout, options, (ports) =>
      applySteps(plan.verb, plan.steps, { ...ports, tree, beginJournal: () => journal }),
    );
  } finally {
    tree.close();
  }
}

function forgetContents(layout: Layout, contents: readonly ContentHash[]): void {
  const incoming = new Incoming(layout);
  for (const blake3 of contents) if (incoming.has(blake3)) incoming.remove(blake3);
}

/** Store and worktree brought together; the tree is let go afterwards. */
export function withPorts<T>(layout: Layout, options: TransactionOptions, work: (ports: ApplyPorts) => T): T {
  const tree = new TreeFs(layout.root);
  const net = new SafetyNet(layout);
  try {
    return work({
      tree,
      dot: layout.dot,
      newId: newTransactionId,
      makeStaging: (id) => makeStaging(layout, id),
      removeStaging: (id) => void removeStaging(layout, id),
      beginJournal: (transaction) => Journal.begin(layout, transaction),
      adopt: (captured, blake3) => net.adopt(captured, blake3),
      syncNet: () => net.makeDurable(),
      syncFileSystem,
      moveHead: (head) => moveHead(layout, head),
      forgetContents: (contents) => forgetContents(layout, contents),
      ...options,
    });
  } finally {
    tree.close();
  }
}
