import {
  BkError,
  type ContentHash,
  comparePaths,
  decodeName,
  decodeTarget,
  type EntryType,
  escapeBytes,
  type GitId,
  isInside,
  KIND,
  nameOf,
  PLAIN_FOLDER_MODE,
  parentOf,
  type RepoPath,
  ROOT,
  type Step,
  type StepResult,
} from '@bk/core';
import { type DepartedRow, findInTree } from '@bk/store';
import { compareWithHead } from './compare.ts';
import type { Context } from './context.ts';
import type { Decision } from './decide.ts';
import { hashAt } from './draft.ts';
import { LiveTree, typeOfStat } from './live-tree.ts';
import { Pool } from './pool.ts';
import type { Repository } from './repository.ts';
import { commitOf } from './revision.ts';
import { type From, Sources } from './sources.ts';
import { applyPlan, mayGiveSpecial } from './transaction.ts';
import {
  factsOf,
  folderModeAt,
  type PastRecord,
  recordsAt,
  soughtContents,
  uncommittedMark,
} from './versions.ts';

export type RestoredField = 'mtime' | 'mode';

export interface RestoreOptions {
  readonly paths: readonly RepoPath[];
  /** Absent: HEAD. */
  readonly at?: string;
  /** Of files that are here only these fields, whatever they contain now. */
  readonly only?: readonly RestoredField[];
  readonly dryRun?: boolean;
}

export interface RestoreResult {
  /** What was changed; `from` `history`: metadata only. `replaced`: the content that was there went to the safety net. */
  readonly recovered: readonly {
    readonly path: RepoPath;
    readonly from: From | 'history';
    readonly replaced?: ContentHash;
  }[];
  readonly failed: readonly { readonly path: RepoPath; readonly reason: string }[];
}

/**
 * Puts back what paths were in a commit: contents, modes and times. What is replaced goes to the safety net in the same
 * transaction and is listed by `recover`. What the commit does not have is left alone.
 * @throws BkError `usage`, `not-found` (REV), `locked`, `no-space`, `io`
 */
export async function restore(
  repo: Repository,
  options: RestoreOptions,
  context: Context,
): Promise<RestoreResult> {
  if (options.paths.length === 0)
    throw new BkError('usage', 'restore what?', { hint: 'name files or folders; . is the whole folder' });
  if (options.dryRun !== true) repo.beginWriting();
  const pool = new Pool();
  const decision = await compareWithHead(repo, { all: false, rehash: false, pool }, context).finally(() =>
    pool.close(),
  );
  const commit = commitOf(repo, options.at ?? 'HEAD', context);
  const planner = new Planner(repo, decision, { ...options, commit });
  try {
    const plan = planner.plan();
    const steps = plan.items.map(({ step }) => step);
    const results = options.dryRun === true ? [] : apply(repo, steps, context);
    const reached = outcome(plan, results);
    if (options.dryRun !== true) remember(repo, reached.replaced, context);
    return reached.result;
  } finally {
    planner.close();
  }
}

/** A step, and what it means for the report. */
interface Item {
  readonly step: Step;
  readonly from: From | 'history';
  readonly replaced?: Replaced;
}

interface Replaced {
  readonly past: PastRecord;
  readonly blake3: ContentHash;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly mode: number;
  readonly inode: bigint;
  readonly type: EntryType;
}

interface Plan {
  readonly items: readonly Item[];
  readonly failed: readonly { readonly path: RepoPath; readonly reason: string }[];
}

class Planner {
  readonly #repo: Repository;
  readonly #tree: LiveTree;
  readonly #options: RestoreOptions & { readonly commit: GitId };
  readonly #past: readonly PastRecord[];
  readonly #root: GitId;
  readonly #sources: Sources;
  readonly #seen = new Map<RepoPath, ContentHash | undefined>();
  readonly #folders = new Map<RepoPath, Item | undefined>();
  readonly #items: Item[] = [];
  readonly #failed: { path: RepoPath; reason: string }[] = [];

  constructor(repo: Repository, decision: Decision, options: RestoreOptions & { readonly commit: GitId }) {
    this.#repo = repo;
    this.#options = options;
    this.#tree = new LiveTree(repo.layout.root);
    this.#root = repo.history.readCommit(options.commit).tree;
    this.#past = [...recordsAt(repo.history, this.#root, options.paths)];
    this.#sources = new Sources(repo, decision, soughtContents(this.#past.map(({ rec }) => factsOf(rec))));
    for (const { path } of decision.identified.deleted) this.#seen.set(path, undefined);
    for (const { seen, object } of decision.identified.entries) {
      if (object.kind === 'known') this.#seen.set(object.tracked.path, undefined);
      this.#seen.set(seen.path, seen.blake3);
    }
  }

  plan(): Plan {
    for (const wanted of this.#options.paths) {
      const found = findInTree(this.#repo.history, this.#root, wanted);
      if (found === undefined)
        this.#failed.push({ path: wanted, reason: `not in commit ${this.#options.commit.slice(0, 10)}` });
    }
    for (const past of this.#past) if (past.rec.type !== 'dir') this.#file(past);
    for (const { path, rec } of this.#past) if (rec.type === 'dir') this.#folder(path);
    const folders = [...this.#folders.values()].filter((item) => item !== undefined);
    return {
      items: [...folders.sort((a, b) => comparePaths(a.step.path, b.step.path)), ...this.#items],
      failed: this.#failed.sort((a, b) => comparePaths(a.path, b.path)),
    };
  }

  close(): void {
    this.#tree.close();
  }

  /** The folder and those above it: made if they are missing; their modes put back where they were asked for. */
  #folder(path: RepoPath): void {
    if (path === ROOT || this.#folders.has(path)) return;
    this.#folder(parentOf(path));
    const stat = this.#tree.stat(path);
    const mode = folderModeAt(this.#repo.history, this.#root, path) ?? PLAIN_FOLDER_MODE;
    const only = this.#options.only;
    if (stat === undefined && only === undefined) {
      this.#folders.set(path, { step: { do: 'mkdir', path, mode }, from: 'history' });
      return;
    }
    const asked =
      this.#options.paths.some((wanted) => isInside(path, wanted)) &&
      (only === undefined || only.includes('mode'));
    if (!asked || !stat?.isDirectory() || Number(stat.mode & 0o7777n) === mode) {
      this.#folders.set(path, undefined);
      return;
    }
    this.#folders.set(path, {
      step: { do: 'touch', path, expect: expectation(stat), mode },
      from: 'history',
    });
  }

  #file(past: PastRecord): void {
    const problem = this.#planFile(past);
    if (problem !== undefined) this.#failed.push({ path: past.path, reason: problem });
  }

  /** @returns why it cannot be put back */
  #planFile(past: PastRecord): string | undefined {
    const { path, rec } = past;
    const { only } = this.#options;
    const stat = this.#tree.stat(path);
    this.#folder(parentOf(path));
    if (stat === undefined) return only === undefined ? this.#put(past, undefined) : 'it is not here';
    const type = typeOfStat(stat);
    if (type === 'dir') return 'a folder is in its place';
    if (type === 'other') return 'something that is no file is in its place';
    if (only !== undefined) return type === rec.type ? this.#touch(past, only) : 'it is of another kind now';
    const blake3 = this.#contentNow(path);
    if (blake3 === undefined) return 'what is there cannot be read';
    if (type === rec.type && blake3 === rec.blake3) return this.#touch(past, ['mode', 'mtime']);
    const size = Number(stat.size);
    const mode = Number(stat.mode & 0o7777n);
    return this.#put(past, { past, blake3, type, size, mtimeNs: stat.mtimeNs, mode, inode: stat.ino });
  }

  #touch({ path, rec }: PastRecord, fields: readonly RestoredField[]): undefined {
    const stat = this.#tree.stat(path);
    const { mode, mtimeNs, type } = factsOf(rec);
    if (stat === undefined) return;
    const newMode = fields.includes('mode') && type === 'file' && Number(stat.mode & 0o7777n) !== mode;
    const newTime = fields.includes('mtime') && stat.mtimeNs !== mtimeNs;
    if (!newMode && !newTime) return;
    const step = {
      do: 'touch' as const,
      path,
      expect: expectation(stat),
      ...(newMode && { mode }),
      ...(newTime && { mtimeNs }),
    };
    this.#items.push({ step, from: 'history' });
  }

  #put(past: PastRecord, replaced: Replaced | undefined): string | undefined {
    const { path, rec } = past;
    const facts = factsOf(rec);
    const stat = this.#tree.stat(path);
    const expect =
      stat === undefined || replaced === undefined
        ? ({ is: 'absent' } as const)
        : { ...expectation(stat), blake3: replaced.blake3 };
    const kept = replaced === undefined ? {} : { replaced };
    if (rec.type === 'symlink') {
      const step = {
        do: 'symlink' as const,
        path,
        expect,
        target: escapeBytes(decodeTarget(facts.target ?? '', facts.size)),
        mtimeNs: facts.mtimeNs,
      };
      this.#items.push({ step, from: 'history', ...kept });
      return undefined;
    }
    const asked = { blake3: facts.blake3 as ContentHash, size: facts.size, inode: 0n };
    const found = this.#sources.content(asked, true);
    if (found === undefined && facts.size > 0) return 'no copy of its content can be reached';
    const content = found ?? { source: '', how: 'copy' as const, ...asked };
    const step = { do: 'place' as const, path, expect, content, mode: facts.mode, mtimeNs: facts.mtimeNs };
    this.#items.push({ step, from: this.#sources.of(asked.blake3)?.from ?? 'history', ...kept });
    return undefined;
  }

  /** What the file holds now: as the scan saw it, as the index vouches for it, or read. */
  #contentNow(path: RepoPath): ContentHash | undefined {
    if (this.#seen.has(path)) return this.#seen.get(path) ?? this.#tree.content(path);
    const known = this.#repo.index.known(parentOf(path));
    const k = known?.listing.names.indexOf(decodeName(nameOf(path))) ?? -1;
    if (known === undefined || k < 1 || known.listing.kinds[k] === KIND.dir) return this.#tree.content(path);
    return hashAt(known, k);
  }
}

function expectation(stat: { ino: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint }) {
  return {
    is: 'entry' as const,
    inode: stat.ino,
    size: Number(stat.size),
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
  };
}

function apply(repo: Repository, steps: readonly Step[], context: Context): readonly StepResult[] {
  let files = 0;
  let bytes = 0;
  const onFile = (size: number): void => {
    bytes += size;
    context.report({ phase: 'recover', files: ++files, bytes });
  };
  const { results, stopped } = applyPlan(
    repo.layout,
    { verb: 'restore', steps },
    { special: mayGiveSpecial(repo), onFile },
  );
  if (stopped !== undefined) throw stopped;
  return results;
}

function outcome(
  plan: Plan,
  results: readonly StepResult[],
): { result: RestoreResult; replaced: Replaced[] } {
  const recovered: { path: RepoPath; from: From | 'history'; replaced?: ContentHash }[] = [];
  const failed = [...plan.failed];
  const replaced: Replaced[] = [];
  plan.items.forEach(({ step, from, replaced: old }, n) => {
    const result = results[n];
    if (result !== undefined && result.outcome !== 'done') {
      failed.push({ path: step.path, reason: result.reason ?? 'it could not be put back' });
      return;
    }
    recovered.push({ path: step.path, from, ...(old !== undefined && { replaced: old.blake3 }) });
    if (old !== undefined) replaced.push(old);
  });
  const byPath = (a: { path: RepoPath }, b: { path: RepoPath }) => comparePaths(a.path, b.path);
  return { result: { recovered: recovered.sort(byPath), failed: failed.sort(byPath) }, replaced };
}

/** What no commit ever had can be found again too: it is listed among what left, as a replaced version. */
function remember(repo: Repository, replaced: readonly Replaced[], context: Context): void {
  const departed: DepartedRow[] = [];
  for (const { past, ...old } of replaced) {
    if (old.type !== 'file' || isInHead(repo, past.path, old.blake3)) continue;
    departed.push({
      ...old,
      id: past.rec.id,
      path: past.path,
      target: undefined,
      record: past.record,
      commit: uncommittedMark(old.blake3),
      // After everything that was committed in this second.
      timeSec: Math.floor(context.nowMs() / 1000) + 1,
      reason: 'replaced',
      confirmed: false,
      released: false,
    });
  }
  if (departed.length > 0) repo.index.write({ departed });
}

/** The head has it at this path: the next commit lists it by itself. */
function isInHead(repo: Repository, path: RepoPath, blake3: ContentHash): boolean {
  const known = repo.index.known(parentOf(path));
  const k = known?.listing.names.indexOf(decodeName(nameOf(path))) ?? -1;
  return known !== undefined && k > 0 && known.listing.kinds[k] !== KIND.dir && hashAt(known, k) === blake3;
}
