import {
  type ContentHash,
  comparePaths,
  KIND,
  PLAIN_FOLDER_MODE,
  parentOf,
  parseRecord,
  type RepoPath,
  ROOT,
  STAT,
  STAT_WIDTH,
  type Step,
} from '@bk/core';
import { SafetyNet } from '@bk/store';
import type { Context } from './context.ts';
import { bring, bringFromRemotes } from './exchange/bring.ts';
import { lookAtPlaced, type PlacedFile } from './get/placed.ts';
import { hashAt, idAt, recordAt } from './observe/draft.ts';
import { headEntry } from './observe/head-entries.ts';
import { LiveTree, typeOfStat } from './observe/live-tree.ts';
import type { OpenRemote } from './peers/peers.ts';
import { setPresent } from './presence/absence.ts';
import { factsOf, folderModeAt, uncommittedMark } from './recover/versions.ts';
import type { Repository } from './repository.ts';
import { applyPlan, mayGiveSpecial } from './safety/transaction.ts';
import { select } from './verify/select.ts';
import { Verification, type VerifyFinding, type VerifyResult } from './verify/verification.ts';

export interface RepairOptions {
  /** Files and folders: rotten ones are healed, and missing ones too. None: everything, rotten ones only. */
  readonly paths: readonly RepoPath[];
  readonly dryRun?: boolean;
}

export interface RepairResult extends Pick<VerifyResult, 'checked' | 'bytes' | 'ok'> {
  /**
   * `from`: `safety`, `folder` or a remote's name (under a dry run: `?`). `aside`: the hash under which the bad content
   * is in the safety net now; `recover` lists it.
   */
  readonly repaired: readonly {
    readonly path: RepoPath;
    readonly from: string;
    readonly aside?: ContentHash;
  }[];
  /** What is rotten, missing or unreadable and stays so. */
  readonly failed: readonly { readonly path: RepoPath; readonly reason: string }[];
  /** Edited: nothing is done with these. */
  readonly changed: readonly VerifyFinding[];
}

export interface RepairPorts {
  /** Absent: all remotes within reach. */
  readonly remotes?: readonly OpenRemote[];
}

/**
 * Reads contents again and replaces those that rotted (other bytes under an unchanged stat) by a good copy: from the
 * safety net, an equal file here, or a remote. Nothing is replaced before the good one is whole and verified; the bad
 * one goes to the safety net. What was edited is never touched.
 * @throws BkError `locked`, `not-found`, `no-space`, `io`
 */
export async function repair(
  repo: Repository,
  options: RepairOptions,
  context: Context,
  ports: RepairPorts = {},
): Promise<RepairResult> {
  if (options.dryRun !== true) repo.beginWriting();
  const found = await readAgain(repo, options.paths, context);
  const repairing = new Repairing(repo, context, ports);
  try {
    await repairing.run(found, options);
  } finally {
    repairing.close();
  }
  return repairing.result(found);
}

async function readAgain(
  repo: Repository,
  paths: readonly RepoPath[],
  context: Context,
): Promise<VerifyResult> {
  const run = new Verification(repo, context);
  try {
    const candidates = select(repo, { options: { paths }, times: undefined, started: undefined, nowMs: 0 });
    const known = (folder: RepoPath) => repo.index.known(folder);
    await run.read(candidates, { until: Number.POSITIVE_INFINITY, known, note: () => {} });
    return run.result();
  } finally {
    run.close();
  }
}

/** A file that is to have its content back. */
interface Sick extends PlacedFile {
  /** Of what is there now; undefined: nothing is. */
  readonly bad: { readonly blake3: ContentHash; readonly inode: bigint } | undefined;
  readonly step: Omit<Extract<Step, { do: 'place' }>, 'content'>;
}

class Repairing {
  readonly #repo: Repository;
  readonly #context: Context;
  readonly #ports: RepairPorts;
  readonly #tree: LiveTree;
  readonly #repaired: { path: RepoPath; from: string; aside?: ContentHash }[] = [];
  readonly #failed: { path: RepoPath; reason: string }[] = [];

  constructor(repo: Repository, context: Context, ports: RepairPorts) {
    this.#repo = repo;
    this.#context = context;
    this.#ports = ports;
    this.#tree = new LiveTree(repo.layout.root);
  }

  close(): void {
    this.#tree.close();
  }

  result({ checked, bytes, ok, changed }: VerifyResult): RepairResult {
    const byPath = (a: { path: RepoPath }, b: { path: RepoPath }) => comparePaths(a.path, b.path);
    return {
      repaired: this.#repaired.sort(byPath),
      failed: this.#failed.sort(byPath),
      checked,
      bytes,
      ok,
      changed,
    };
  }

  async run({ rot, missing, unreadable }: VerifyResult, { paths, dryRun }: RepairOptions): Promise<void> {
    for (const { path, reason } of unreadable)
      this.#failed.push({
        path,
        reason: `${reason ?? 'it cannot be read'}: move it away, then repair it again`,
      });
    if (paths.length === 0)
      for (const { path } of missing)
        this.#failed.push({ path, reason: 'it is gone; name it to have it back' });
    const sick = [...rot, ...(paths.length === 0 ? [] : missing)].flatMap(
      ({ path }) => this.#look(path) ?? [],
    );
    if (dryRun === true) for (const { path } of sick) this.#repaired.push({ path, from: '?' });
    else if (sick.length > 0) await this.#heal(sick);
  }

  /** What is to be replaced, looked at once more: it must still be as the index knows it, but for its bytes. */
  #look(path: RepoPath): Sick | undefined {
    const entry = headEntry(this.#repo, path);
    if (entry === undefined) return undefined;
    const { known, k } = entry;
    const fail = (reason: string): undefined => void this.#failed.push({ path, reason });
    if (known.listing.kinds[k] === KIND.symlink) return fail('it is a link: `bk restore` puts it back');
    const rec = parseRecord(this.#repo.history.readBlobText(recordAt(known, k)));
    const { size, mtimeNs, mode } = factsOf(rec);
    const blake3 = hashAt(known, k);
    const wanted = { path, type: 'file' as const, blake3, size };
    const put = { do: 'place' as const, path, mode, mtimeNs };
    const stat = this.#tree.stat(path);
    if (stat === undefined) return { ...wanted, bad: undefined, step: { ...put, expect: { is: 'absent' } } };
    if (typeOfStat(stat) !== 'file') return fail('something else is in its place');
    if (BigInt.asIntN(64, stat.mtimeNs) !== known.listing.stats[k * STAT_WIDTH + STAT.mtime])
      return fail('it was edited meanwhile');
    const now = this.#tree.content(path);
    if (now === undefined) return fail('it cannot be read');
    if (now === blake3) return undefined;
    const { ino: inode, ctimeNs } = stat;
    const expect = {
      ...{ is: 'entry' as const, inode, size: Number(stat.size), mtimeNs: stat.mtimeNs, ctimeNs },
      blake3: now,
    };
    return { ...wanted, bad: { blake3: now, inode }, step: { ...put, expect } };
  }

  async #heal(sick: readonly Sick[]): Promise<void> {
    const contents = [...new Map(sick.map(({ blake3, size }) => [blake3, { blake3, size }])).values()];
    const near = await bring(this.#repo, contents, [], this.#context);
    const far = await bringFromRemotes(
      this.#repo,
      contents.filter(({ blake3 }) => near.missing.has(blake3)),
      this.#ports.remotes,
      this.#context,
    );
    try {
      const ready = sick.filter(({ path, blake3 }) => {
        const reason = far?.missing.get(blake3);
        if (reason !== undefined) this.#failed.push({ path, reason });
        return reason === undefined;
      });
      const steps = ready.map(({ step, blake3, size }): Step => {
        const content = near.give(blake3) ?? far?.give(blake3);
        return { ...step, content: content ?? { source: '', how: 'copy', blake3, size } };
      });
      const from = (blake3: ContentHash) => near.from(blake3) ?? far?.from(blake3) ?? 'history';
      await this.#place(ready, steps, from);
    } finally {
      near.forget();
      far?.forget();
    }
  }

  async #place(
    ready: readonly Sick[],
    steps: readonly Step[],
    from: (blake3: ContentHash) => string,
  ): Promise<void> {
    const folders = this.#missingFolders(ready);
    this.#note(ready);
    let files = 0;
    const onFile = (bytes: number): void =>
      this.#context.report({ phase: 'place', files: ++files, bytes, totalFiles: ready.length });
    const options = { special: mayGiveSpecial(this.#repo), onFile };
    const plan = { verb: 'repair', steps: [...folders, ...steps] };
    const { results, stopped } = applyPlan(this.#repo.layout, plan, options);
    const healed = ready.filter((one, n) => {
      const result = results[folders.length + n];
      if (result?.outcome !== 'done') {
        this.#failed.push({ path: one.path, reason: result?.reason ?? 'it could not be put back' });
        return false;
      }
      const aside = one.bad === undefined ? {} : { aside: one.bad.blake3 };
      this.#repaired.push({ path: one.path, from: from(one.blake3), ...aside });
      return true;
    });
    this.#unlabel(healed);
    setPresent(this.#repo, await lookAtPlaced(this.#repo, healed), this.#context);
    if (stopped !== undefined) throw stopped;
  }

  #missingFolders(ready: readonly Sick[]): Step[] {
    const missing = new Set<RepoPath>();
    for (const { path } of ready)
      for (let folder = parentOf(path); folder !== ROOT && !missing.has(folder); folder = parentOf(folder))
        if (this.#tree.stat(folder) === undefined) missing.add(folder);
    const root = this.#repo.history.readCommit(this.#repo.head!).tree;
    return [...missing].sort(comparePaths).map((path) => ({
      do: 'mkdir',
      path,
      mode: folderModeAt(this.#repo.history, root, path) ?? PLAIN_FOLDER_MODE,
    }));
  }

  /** The bad contents are listed as replaced versions that no commit had, before they go to the net. */
  #note(sick: readonly Sick[]): void {
    const departed = sick.flatMap(({ path, bad, step }) => {
      const entry = headEntry(this.#repo, path);
      if (bad === undefined || entry === undefined || step.expect.is !== 'entry') return [];
      const { known, k } = entry;
      return {
        id: idAt(known, k),
        path,
        type: 'file' as const,
        blake3: bad.blake3,
        size: step.expect.size,
        mtimeNs: step.expect.mtimeNs,
        mode: step.mode,
        target: undefined,
        record: recordAt(known, k),
        inode: bad.inode,
        commit: uncommittedMark(bad.blake3),
        timeSec: Math.floor(this.#context.nowMs() / 1000) + 1,
        reason: 'replaced' as const,
        confirmed: false,
        released: false,
      };
    });
    if (departed.length > 0) this.#repo.index.write({ departed });
  }

  /** The bad inode may be in the net under the name of the good content too: that label is wrong. */
  #unlabel(healed: readonly Sick[]): void {
    const net = new SafetyNet(this.#repo.layout);
    for (const { blake3, bad } of healed) {
      if (bad === undefined) continue;
      const isKept = net.lookup(bad.blake3).some(({ inode }) => inode === bad.inode);
      const wrong = net.lookup(blake3).filter(({ inode }) => inode === bad.inode);
      if (isKept) for (const entry of wrong) net.release(entry);
    }
    net.makeDurable();
  }
}
