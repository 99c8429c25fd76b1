import fs from 'node:fs';
import path from 'node:path';
import type { ContentHash, GitId } from '@bk/core';
import { INCOMING, inspectPacks, inspectRefs, readConfig, readRef, tryLock } from '@bk/store';
import { HistoryCheck } from './check/history.ts';
import { checkIndex } from './check/index.ts';
import { type Problem, Problems } from './check/problems.ts';
import { checkSafety } from './check/safety.ts';
import type { Context } from './context.ts';
import { MAIN, type Repository } from './repository.ts';

export interface CheckOptions {
  /** Also reads every content in the safety net again. */
  readonly deep?: boolean;
}

export interface CheckResult {
  readonly ok: boolean;
  readonly problems: readonly Problem[];
}

/**
 * Whether history, index, safety net, presence and config agree. Mends nothing and changes nothing.
 * @throws BkError `io` if something cannot be read at all
 */
export function check(repo: Repository, options: CheckOptions, context: Context): CheckResult {
  const { layout } = repo;
  const problems = new Problems();
  const tick = ticker(context);
  problems.guard('config', 'config.json', () => readConfig(layout.config));
  const main = checkRefs(layout.history, problems);
  checkPacks(layout.history, problems);
  const before = problems.count;
  const facts = new HistoryCheck(repo.history, problems, tick).run(main.refs, main.head);
  const whole = main.whole && problems.count === before;
  if (whole && isStillHead(repo, main.head))
    checkIndex(repo, { head: main.head, folders: facts.folders, problems });
  const strange = checkSafety(layout, {
    contents: whole ? new Set([...facts.contents, ...uncommittedContents(repo)]) : undefined,
    problems,
    deep: options.deep ?? false,
    tick,
  });
  if (!repo.locked) checkLeftovers(repo, problems, { ...main, strange });
  return { ok: problems.count === 0, problems: problems.list() };
}

/** What `restore` replaced before it was committed; the index alone lists it. */
function uncommittedContents(repo: Repository): ContentHash[] {
  return repo.uncommitted().flatMap(({ blake3 }) => blake3 ?? []);
}

function ticker(context: Context): () => void {
  let files = 0;
  return () => {
    files++;
    if (files % 256 === 0) context.report({ phase: 'verify', files, bytes: 0 });
  };
}

interface Refs {
  readonly refs: readonly (readonly [string, GitId])[];
  readonly head: GitId | undefined;
  /** Lock files of refs, as paths below `.bk`. */
  readonly locks: readonly string[];
  /** All refs could be read, so what they do not reach is not in the history. */
  readonly whole: boolean;
}

function checkRefs(historyDir: string, problems: Problems): Refs {
  const { refs, flaws } = inspectRefs(historyDir);
  const locks: string[] = [];
  for (const { subject, detail, leftover } of flaws) {
    if (leftover) locks.push(subject);
    else problems.add('ref', subject, detail);
  }
  const head = refs.find(([name]) => name === MAIN)?.[1];
  return { refs, head, locks, whole: flaws.length === locks.length };
}

function checkPacks(historyDir: string, problems: Problems): void {
  for (const flaw of inspectPacks(historyDir)) {
    if (flaw !== undefined) problems.add('pack', flaw.subject, flaw.detail);
  }
}

/** False if another process committed since it was read. */
function isStillHead(repo: Repository, head: GitId | undefined): boolean {
  return readRef(repo.layout.history, MAIN) === head;
}

/**
 * What only means something while no command is running: lock files, what lies in staging and journal, and contents in
 * the net that no commit knows (a commit protects them before it records them).
 */
function checkLeftovers(
  repo: Repository,
  problems: Problems,
  found: Refs & { readonly strange: readonly string[] },
): void {
  const lock = tryLock(repo.layout.lock);
  if (lock === undefined) return;
  try {
    for (const subject of found.locks) {
      if (fs.existsSync(path.join(repo.layout.dot, subject))) problems.add('leftover', subject, INTERRUPTED);
    }
    for (const part of ['staging', 'journal'] as const) {
      // Contents that wait to be placed, or for the rest of them, are no leftovers.
      for (const name of namesIn(repo.layout[part]))
        if (name !== INCOMING) problems.add('leftover', `${part}/${name}`, INTERRUPTED);
    }
    if (found.strange.length === 0 || !isStillHead(repo, found.head)) return;
    for (const source of found.strange)
      problems.add('safety', source, 'a content that no commit knows', UNKNOWN);
  } finally {
    lock.release();
  }
}

const INTERRUPTED = 'left by a command that was interrupted';
const UNKNOWN = 'give an interrupted bk commit again; the content is kept in any case';

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
