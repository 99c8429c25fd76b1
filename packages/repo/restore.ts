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
  type PlacedContent,
  PROTECTION,
  parentOf,
  type RepoPath,
  ROOT,
  type Step,
  type StepResult,
} from '@bk/core';
import type { Content } from '@bk/remote';
import { type DepartedRow, findInTree, hasPending, SafetyNet } from '@bk/store';
import type { ApplyResult } from '@bk/worktree';
import type { Context } from './context.ts';
import { contentsOf, Elsewhere, type Lacking, lackingOf, NOT_DELETED } from './exchange/elsewhere.ts';
import { commitOf } from './history/revision.ts';
import { compareWithHead } from './observe/compare.ts';
import type { Decision } from './observe/decide.ts';
import { hashAt } from './observe/draft.ts';
import { contentOfEntry, headEntry } from './observe/head-entries.ts';
import { LiveTree, typeOfStat } from './observe/live-tree.ts';
import { Pool } from './observe/pool.ts';
import { isAbsent } from './presence/absence.ts';
import { Sources } from './recover/sources.ts';
import {
  factsOf,
  folderModeAt,
  type PastRecord,
  recordsAt,
  soughtContents,
  uncommittedMark,
} from './recover/versions.ts';
import type { Repository } from './repository.ts';
import { applyPlan, mayGiveSpecial } from './safety/transaction.ts';

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
  /**
   * What was changed; `from`: 'safety', 'folder', 'history' (metadata only), or the name of a remote. `replaced`: the
   * content that was there went to the safety net.
   */
  readonly recovered: readonly {
    readonly path: RepoPath;
    readonly from: string;
    readonly replaced?: ContentHash;
  }[];
  readonly failed: readonly RestoreFailure[];
}

/** `where`: names of the repositories that are known to hold its content. */
type RestoreFailure = { readonly path: RepoPath } & Lacking;

/**
 * Puts back what paths were in a commit: contents, modes and times. What is replaced goes to the safety net in the same
 * transaction and is listed by `recover`. What the commit does not have is left alone, and so is what is by design not
 * on this disk, unless it was another content then. Contents that are not here come from remotes.
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
    const lacking = planner.plan();
    const elsewhere = await (options.dryRun === true
      ? Elsewhere.look(repo, lacking, context)
      : Elsewhere.bring(repo, lacking, context));
    try {
      const plan = planner.completed(elsewhere);
      if (options.dryRun === true) return outcome(plan, []);
      const results = carryOut(repo, plan.items, context);
      return await again(repo, { plan, results }, context);
    } finally {
      elsewhere?.forget();
    }
  } finally {
    planner.close();
  }
}

/** A step, and what it means for the report. */
interface Item {
  readonly step: Step;
  readonly from: string;
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
  readonly failed: readonly RestoreFailure[];
}

/** A file to be put at its path, as looked at when it was planned. */
interface Put {
  readonly past: PastRecord;
  readonly expect: Expected;
  readonly asked: { readonly blake3: ContentHash; readonly size: number; readonly inode: bigint };
  readonly replaced: Replaced | undefined;
}
type Expected = Extract<Step, { do: 'place' }>['expect'];

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
  /** Their contents are not here. */
  readonly #lacking: Put[] = [];
  readonly #failed: RestoreFailure[] = [];

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

  /** @returns the contents that are not here */
  plan(): Content[] {
    for (const wanted of this.#options.paths) {
      const found = findInTree(this.#repo.history, this.#root, wanted);
      if (found === undefined)
        this.#failed.push({ path: wanted, reason: `not in commit ${this.#options.commit.slice(0, 10)}` });
    }
    for (const past of this.#past) if (past.rec.type !== 'dir' && !this.#staysAbsent(past)) this.#file(past);
    for (const past of this.#past)
      if (past.rec.type === 'dir' && !this.#staysAbsent(past)) this.#folder(past.path);
    this.#refuseAbsent();
    return contentsOf(this.#lacking.map(({ asked }) => asked));
  }

  completed(elsewhere: Elsewhere | undefined): Plan {
    for (const put of this.#lacking) {
      const { path } = put.past;
      const { blake3 } = put.asked;
      const from = elsewhere?.from(blake3);
      const content = elsewhere?.content(blake3, true) ?? { source: '', how: 'copy', ...put.asked };
      if (from === undefined) this.#failed.push({ path, ...lackingOf(elsewhere, blake3) });
      else this.#place(put, content, from);
    }
    const folders = [...this.#folders.values()].filter((item) => item !== undefined);
    return {
      items: [...folders.sort((a, b) => comparePaths(a.step.path, b.step.path)), ...this.#items],
      failed: this.#failed.sort((a, b) => comparePaths(a.path, b.path)),
    };
  }

  close(): void {
    this.#tree.close();
  }

  /** By design not here, and no other content then: there is nothing to put back. */
  #staysAbsent({ path, rec }: PastRecord): boolean {
    if (this.#tree.stat(path) !== undefined || !isAbsent(this.#repo, path)) return false;
    const entry = headEntry(this.#repo, path);
    const isSame = entry === undefined ? rec.type === 'dir' : contentOfEntry(entry) === rec.blake3;
    return isSame || this.#options.only !== undefined;
  }

  /** Paths that were named and stay absent. */
  #refuseAbsent(): void {
    const planned = [
      ...this.#items.map(({ step }) => step.path),
      ...this.#lacking.map(({ past }) => past.path),
    ];
    for (const path of this.#options.paths) {
      if (path === ROOT || this.#tree.stat(path) !== undefined || !isAbsent(this.#repo, path)) continue;
      if (findInTree(this.#repo.history, this.#root, path) === undefined) continue;
      if (!planned.some((one) => isInside(one, path))) this.#failed.push({ path, reason: NOT_DELETED });
    }
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
    const put = { past, expect, asked, replaced };
    if (found === undefined && facts.size > 0) this.#lacking.push(put);
    else
      this.#place(
        put,
        found ?? { source: '', how: 'copy', ...asked },
        this.#sources.of(asked.blake3)?.from ?? 'history',
      );
    return undefined;
  }

  #place({ past, expect, replaced }: Put, content: PlacedContent, from: string): void {
    const { mode, mtimeNs } = factsOf(past.rec);
    const step: Step = { do: 'place', path: past.path, expect, content, mode, mtimeNs };
    this.#items.push({ step, from, ...(replaced !== undefined && { replaced }) });
  }

  /** What the file holds now: as the scan saw it, as the index vouches for it, or read. */
  #contentNow(path: RepoPath): ContentHash | undefined {
    if (this.#seen.has(path)) return this.#seen.get(path) ?? this.#tree.content(path);
    const known = this.#repo.index.known(parentOf(path));
    const k = known?.listing.names.indexOf(decodeName(nameOf(path))) ?? -1;
    const vouches = known !== undefined && k > 0 && known.listing.kinds[k] !== KIND.dir;
    // Of what is not here by design the index knows what was committed, not what somebody put there.
    if (!vouches || known.protections[k] === PROTECTION.absent) return this.#tree.content(path);
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

function apply(repo: Repository, items: readonly Item[], context: Context): ApplyResult {
  let files = 0;
  let bytes = 0;
  const onFile = (size: number): void => {
    bytes += size;
    context.report({ phase: 'recover', files: ++files, bytes });
  };
  const plan = { verb: 'restore', steps: items.map(({ step }) => step) };
  return applyPlan(repo.layout, plan, { special: mayGiveSpecial(repo), onFile });
}

/**
 * What is replaced is listed before it is captured, durably: whenever the command is killed or the power lost, nothing is in
 * the net that cannot be told.
 */
function carryOut(repo: Repository, items: readonly Item[], context: Context): readonly StepResult[] {
  const noted = remember(repo, items, context);
  let applied: ApplyResult = { results: [] };
  try {
    applied = apply(repo, items, context);
  } finally {
    // Where a journal is left, the next command goes on.
    if (noted.length > 0 && !hasPending(repo.layout)) forgetStaying(repo, noted, applied.results);
  }
  if (applied.stopped !== undefined) throw applied.stopped;
  return applied.results;
}

/** What turned out to be spoilt where it lay here is looked for elsewhere. */
async function again(
  repo: Repository,
  { plan, results }: { readonly plan: Plan; readonly results: readonly StepResult[] },
  context: Context,
): Promise<RestoreResult> {
  const spoilt = plan.items.flatMap(({ step, from }, n) =>
    step.do === 'place' && results[n]?.outcome === 'failed' && HERE.has(from) ? [{ n, step }] : [],
  );
  const contents = contentsOf(spoilt.map(({ step }) => step.content));
  const elsewhere = await Elsewhere.bring(repo, contents, context);
  try {
    const items = [...plan.items];
    const tried: { readonly n: number; readonly item: Item }[] = [];
    for (const { n, step } of spoilt) {
      const content = elsewhere?.content(step.content.blake3, true);
      const from = elsewhere?.from(step.content.blake3);
      const item = items[n];
      if (item === undefined || content === undefined || from === undefined) continue;
      items[n] = { ...item, step: { ...step, content }, from };
      tried.push({ n, item: items[n] });
    }
    if (tried.length === 0) return outcome(plan, results);
    const second = carryOut(
      repo,
      tried.map(({ item }) => item),
      context,
    );
    const all = [...results];
    for (const [k, { n }] of tried.entries()) if (second[k] !== undefined) all[n] = second[k];
    return outcome({ ...plan, items }, all);
  } finally {
    elsewhere?.forget();
  }
}

const HERE: ReadonlySet<string> = new Set(['safety', 'folder']);

/** What did not leave after all is not listed, unless it came into the net on its way. */
function forgetStaying(repo: Repository, noted: readonly Noted[], results: readonly StepResult[]): void {
  const net = new SafetyNet(repo.layout);
  const isInNet = ({ blake3 }: DepartedRow) => blake3 !== undefined && net.lookup(blake3).length > 0;
  const stays = noted.filter(({ n, row }) => results[n]?.outcome !== 'done' && !isInNet(row));
  repo.index.departed.remove(stays.map(({ row }) => row));
}

function outcome(plan: Plan, results: readonly StepResult[]): RestoreResult {
  const recovered: { path: RepoPath; from: string; replaced?: ContentHash }[] = [];
  const failed = [...plan.failed];
  plan.items.forEach(({ step, from, replaced }, n) => {
    const result = results[n];
    if (result !== undefined && result.outcome !== 'done')
      failed.push({ path: step.path, reason: result.reason ?? 'it could not be put back' });
    else
      recovered.push({ path: step.path, from, ...(replaced !== undefined && { replaced: replaced.blake3 }) });
  });
  const byPath = (a: { path: RepoPath }, b: { path: RepoPath }) => comparePaths(a.path, b.path);
  return { recovered: recovered.sort(byPath), failed: failed.sort(byPath) };
}

/** A listed version, and the item that replaces it. */
interface Noted {
  readonly n: number;
  readonly row: DepartedRow;
}

/** What no commit ever had can be found again too: it is listed among what left, as a replaced version. */
function remember(repo: Repository, items: readonly Item[], context: Context): Noted[] {
  const noted: Noted[] = [];
  for (const [n, { replaced }] of items.entries()) {
    if (replaced === undefined) continue;
    const { past, ...old } = replaced;
    if (old.type !== 'file' || isInHead(repo, past.path, old.blake3)) continue;
    const row: DepartedRow = {
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
    };
    noted.push({ n, row });
  }
  if (noted.length > 0) repo.index.write({ departed: noted.map(({ row }) => row), durable: true });
  return noted;
}

/** The head has it at this path: the next commit lists it by itself. */
function isInHead(repo: Repository, path: RepoPath, blake3: ContentHash): boolean {
  const known = repo.index.known(parentOf(path));
  const k = known?.listing.names.indexOf(decodeName(nameOf(path))) ?? -1;
  return known !== undefined && k > 0 && known.listing.kinds[k] !== KIND.dir && hashAt(known, k) === blake3;
}
