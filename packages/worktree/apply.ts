import fs from 'node:fs';
import path from 'node:path';
import {
  BkError,
  type ContentHash,
  type HeadMove,
  type Step,
  type StepResult,
  type Transaction,
} from '@bk/core';
import { act, finishTree, unmakeFolders } from './act.ts';
import { hashBytes } from './hash.ts';
import { diskError, hashPath, isDiskTrouble, type Staged, stageSteps } from './stage.ts';
import type { TreeFs } from './treefs.ts';
import type { OpenJournal, Work } from './work.ts';

/**
 * Carries out plans (RELIABILITY 3.2): stage the contents, write the journal, then for each step look, capture what is
 * to be replaced, place by `link`; set times and modes, make folders durable, take what was captured into the net,
 * mark the journal committed, clean up. Killed anywhere, `replayTransaction` goes on by looking at the disk.
 */
export interface ApplyPorts {
  readonly tree: TreeFs;
  /** Absolute path of `.bk`. */
  readonly dot: string;
  readonly newId: () => string;
  /** Makes a transaction's folder in staging. @returns its absolute path */
  readonly makeStaging: (id: string) => string;
  /** Removes what is expendable of it. */
  readonly removeStaging: (id: string) => void;
  readonly beginJournal: (transaction: Transaction) => OpenJournal;
  /** Takes a captured file into the safety net under its content's name. */
  readonly adopt: (captured: string, blake3: ContentHash) => void;
  /** Makes what was adopted durable. */
  readonly syncNet: () => void;
  readonly syncFileSystem: (dir: string) => boolean;
  /** Give set-uid and set-gid as recorded. */
  readonly special?: boolean;
  readonly onFile?: (bytes: number) => void;
  /** Whoever asked records what steps could not do, and calls `end` then. */
  readonly tells?: boolean;
  /** Moves the head as the transaction says, if it is still where it was; durable, and no harm when done again. */
  readonly moveHead?: (head: HeadMove) => void;
  /** What was fetched for these is not needed any more. */
  readonly forgetContents?: (contents: readonly ContentHash[]) => void;
}

export interface ApplyResult {
  /** One for each step, in order. */
  readonly results: readonly StepResult[];
  /** The disk failed meanwhile: the steps after it were not tried. For the exit code. */
  readonly stopped?: BkError;
  /**
   * There if the head moved though steps could not be done, and the caller `tells` of it: what they were about is not
   * here. Called when that is on record; until then the journal stays, so that the next command puts it there.
   */
  readonly end?: () => void;
}

/** @throws BkError `no-space`, `io`: before the journal, nothing was changed; after it, the next command finishes */
export function applySteps(
  verb: string,
  steps: readonly Step[],
  ports: ApplyPorts,
  { head, placedFor }: Pick<Transaction, 'head' | 'placedFor'> = {},
): ApplyResult {
  if (steps.length === 0) {
    if (head !== undefined) ports.moveHead?.(head);
    return { results: [] };
  }
  const id = ports.newId();
  const folder = ports.makeStaging(id);
  const { work, staged } = begin(
    { id, verb, steps, ...(head && { head }), ...(placedFor !== undefined && { placedFor }) },
    ports,
    folder,
  );
  const end = carryOut(work, ports);
  const results = work.results.map((result, n) => {
    const each = staged[n];
    return each?.ready === false ? each.result : { ...result, step: steps[n] ?? result.step };
  });
  return { results, ...(work.stopped && { stopped: work.stopped }), ...(end && { end }) };
}

/** Stages and writes the journal; if that fails, all is as it was. */
function begin(
  plan: Omit<Transaction, 'placing'>,
  ports: ApplyPorts,
  folder: string,
): { work: Work; staged: Staged[] } {
  try {
    const staged = stageSteps({ ...ports, folder, special: ports.special ?? false }, plan.steps);
    const placing = linksWork(folder) ? 'link' : 'create';
    const transaction: Transaction = { ...plan, placing, steps: staged.map(({ step }) => step) };
    const journal = ports.beginJournal(transaction);
    return {
      work: newWork(transaction, ports, { folder, journal, creating: new Set(), replaying: false }),
      staged,
    };
  } catch (error) {
    ports.removeStaging(plan.id);
    throw isDiskTrouble(error) ? diskError(error, folder) : error;
  }
}

/**
 * Finishes a transaction that was interrupted. Idempotent; may be killed itself.
 * @param pending as the journal has it
 */
export function replayTransaction(
  pending: {
    readonly transaction: Transaction;
    readonly committed: boolean;
    readonly failed: readonly number[];
    readonly creating: ReadonlySet<number>;
  },
  journal: OpenJournal,
  ports: ApplyPorts,
): ApplyResult {
  const { transaction } = pending;
  const folder = path.join(ports.dot, 'staging', transaction.id);
  const creating = new Set(pending.creating);
  const work = newWork(transaction, ports, { folder, journal, creating, replaying: true });
  const end = pending.committed ? cleanUp(work, ports, pending.failed) : carryOut(work, ports);
  const results = pending.committed ? pending.failed.map((n) => undone(transaction, n)) : work.results;
  return { results, ...(work.stopped && { stopped: work.stopped }), ...(end && { end }) };
}

function undone({ steps }: Transaction, n: number): StepResult {
  return { step: steps[n]!, outcome: 'failed', path: steps[n]!.path, reason: 'it could not be done' };
}

function newWork(
  transaction: Transaction,
  ports: ApplyPorts,
  how: Pick<Work, 'folder' | 'journal' | 'creating' | 'replaying'>,
): Work {
  const { tree, dot } = ports;
  return {
    transaction,
    tree,
    dot,
    special: ports.special ?? false,
    ...how,
    again: false,
    refused: new Set(),
    remade: new Map(),
    apart: 0,
    results: [],
    touches: [],
    folders: [],
    dirty: new Set(),
    ours: new Map(),
    stopped: undefined,
  };
}

/** @returns see ApplyResult.end */
function carryOut(work: Work, ports: ApplyPorts): ApplyResult['end'] {
  try {
    act(work);
    // Where the head is to follow, all of it has to be done: the next command goes on.
    if (work.stopped !== undefined && work.transaction.head !== undefined) throw work.stopped;
    if (isWhollyRefused(work)) {
      giveUp(work, ports);
      return undefined;
    }
    finishTree(work);
    return cleanUp(work, ports, failedSteps(work));
  } catch (error) {
    work.journal.leave();
    throw isDiskTrouble(error) ? diskError(error, work.folder) : error;
  }
}

/** The head is to follow, and the system let nothing be done: it stays where it is. */
function isWhollyRefused({ transaction, results, refused }: Work): boolean {
  const isDone = ({ outcome, step }: StepResult): boolean =>
    outcome.startsWith('done') && step.do !== 'rmdir' && step.do !== 'mkdir';
  return transaction.head !== undefined && refused.size > 0 && !results.some(isDone);
}

/** Folders that were made for nothing go; without the journal nobody tries this plan again. */
function giveUp(work: Work, ports: ApplyPorts): void {
  unmakeFolders(work);
  adoptCaptured(work, ports);
  work.journal.end();
  ports.removeStaging(work.transaction.id);
  const first = work.results[Math.min(...work.refused)];
  work.stopped = new BkError('io', `cannot change ${first?.step.path}: ${first?.reason}`, {
    hint: 'nothing was changed; see to it, then give the same command again',
    ...(first !== undefined && { path: first.step.path }),
  });
}

function adoptCaptured(work: Work, ports: ApplyPorts): void {
  for (const [file, step] of capturedFiles(work)) {
    const expect =
      step !== undefined && 'expect' in step && step.expect.is === 'entry' ? step.expect.blake3 : undefined;
    ports.adopt(file, expect ?? contentOf(file));
  }
  ports.syncNet();
}

/** Where the head follows all the same. */
function failedSteps({ transaction, results }: Work): number[] {
  if (transaction.head === undefined) return [];
  return results.flatMap(({ outcome }, n) => (outcome === 'done' ? [] : [n]));
}

/** After the tree is durable: what was captured is safe in the net before anything says that all is done. */
function cleanUp(work: Work, ports: ApplyPorts, failed: readonly number[]): ApplyResult['end'] {
  adoptCaptured(work, ports);
  work.journal.commit(failed);
  const { head, steps } = work.transaction;
  if (head !== undefined) {
    ports.moveHead?.(head);
    ports.forgetContents?.(steps.flatMap((step) => (step.do === 'place' ? [step.content.blake3] : [])));
  }
  const end = (): void => {
    ports.removeStaging(work.transaction.id);
    work.journal.end();
  };
  if (failed.length > 0 && ports.tells === true) return end;
  end();
  return undefined;
}

function* capturedFiles(work: Work): Generator<[string, Step | undefined]> {
  if (!fs.existsSync(work.folder)) return;
  for (const name of fs.readdirSync(work.folder)) {
    const file = path.join(work.folder, name);
    if (/^c\d+$/.test(name)) yield [file, work.transaction.steps[Number(name.slice(1))]];
    else if (/^[mt]\d+$/.test(name) && isLast(file))
      yield [file, name.startsWith('m') ? work.transaction.steps[Number(name.slice(1))] : undefined];
  }
}

/** Its other names are gone. A folder is none of the net's. */
function isLast(file: string): boolean {
  const stat = fs.lstatSync(file);
  return stat.nlink === 1 && !stat.isDirectory();
}

/** The hash of a captured file, or of a captured symlink's target. */
export function contentOf(file: string): ContentHash {
  if (fs.lstatSync(file).isSymbolicLink()) return hashBytes(fs.readlinkSync(file, { encoding: 'buffer' }));
  return hashPath(file).hash;
}

/** Tries it; what a file system is called proves nothing. */
function linksWork(folder: string): boolean {
  const probe = path.join(folder, 'probe');
  fs.writeFileSync(probe, '', { flag: 'wx', mode: 0o600 });
  try {
    fs.linkSync(probe, `${probe}-link`);
    fs.unlinkSync(`${probe}-link`);
    return true;
  } catch (error) {
    if (isDiskTrouble(error)) throw error;
    return false;
  } finally {
    fs.unlinkSync(probe);
  }
}
