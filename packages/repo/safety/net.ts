import { setTimeout } from 'node:timers/promises';
import { type ContentHash, PROTECTION, type Protection, type RepoPath, type Report } from '@bk/core';
import { SafetyNet, settingsOf, syncFileSystem } from '@bk/store';
import { bytePath, nodePath, withPlace } from '@bk/worktree';
import type { Found } from '../observe/draft.ts';
import type { Pool } from '../observe/pool.ts';
import type { Repository } from '../repository.ts';
import { placeOf, statsOf } from './contents.ts';
import { CHANGED, isGone, type LookAgainTask } from './protect.ts';

/** A file whose content is to be kept. */
export interface Keep {
  readonly found: Found;
  readonly size: number;
  readonly blake3: ContentHash;
  /** What the inode held when it was linked before, if it was written over in place since. */
  readonly overwritten?: ContentHash;
}

export interface Kept {
  readonly protection: Protection;
  /** STAT columns now. */
  readonly stats: BigInt64Array;
  readonly at: number;
  readonly observedNs: bigint;
}

export interface Extended {
  readonly kept: ReadonlyMap<RepoPath, Kept>;
  /** Files that are not what was hashed any more. */
  readonly changed: readonly RepoPath[];
  /** Earlier contents that programs wrote over in place, through the link that was to keep them: they are lost. */
  readonly overwritten: number;
}

export const NOTHING_KEPT: Extended = { kept: new Map(), changed: [], overwritten: 0 };

/** From here on threads pay. */
const MANY = 1_000;
/** A pause before the second look: change times that links made are then older than the clock's grain. */
const GRAIN_MS = 25;
const LINK_BATCH = 4_096;

interface Linked {
  readonly batch: readonly Keep[];
  readonly task: LookAgainTask;
}

/**
 * Extends the safety net while other work goes on: contents are added as they become known, `finish` makes them
 * durable and has a second look at every file.
 */
export class NetExtension {
  readonly #repo: Repository;
  readonly #use: { readonly pool: Pool; readonly report: Report };
  readonly #root: string;
  readonly #net: SafetyNet;
  readonly #copyLimit: number;
  readonly #added = new Set<RepoPath>();
  #waiting: Keep[] = [];
  /** One thread at a time: two that make links in one file system wait for each other. */
  #work: Promise<void> = Promise.resolve();
  readonly #linked: Linked[] = [];
  #files = 0;
  #overwritten = 0;

  constructor(repo: Repository, use: { readonly pool: Pool; readonly report: Report }) {
    this.#repo = repo;
    this.#use = use;
    this.#root = bytePath(repo.layout.root);
    this.#copyLimit = settingsOf(repo.config)['safety.copyLimit'];
    this.#net = new SafetyNet(repo.layout, { copyLimit: this.#copyLimit });
  }

  /** Those that were added before are not added again. */
  add(keeps: readonly Keep[]): void {
    for (const keep of keeps) {
      if (this.#added.has(keep.found.path)) continue;
      if (this.#added.size === 0) this.#net.makeFolders();
      this.#added.add(keep.found.path);
      if (keep.overwritten !== undefined) this.#dropOverwritten(keep, keep.overwritten);
      this.#waiting.push(keep);
      if (this.#waiting.length === LINK_BATCH) this.#queue();
    }
  }

  async finish(): Promise<Extended> {
    if (this.#added.size === 0) return NOTHING_KEPT;
    if (this.#added.size > MANY) this.#use.pool.start();
    this.#queue();
    await this.#work;
    const codes = new Set(this.#linked.flatMap(({ task }) => [...new Set(task.codes)]));
    if (codes.has(PROTECTION.reflink)) syncFileSystem(this.#repo.layout.safety);
    this.#net.makeDurable();
    if (codes.has(PROTECTION.link)) await setTimeout(GRAIN_MS);
    return this.#lookAgain();
  }

  #queue(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#work = this.#work.then(() => this.#protect(batch));
    // Whoever finishes hears of a failure; whoever gives up before does not care.
    this.#work.catch(() => {});
  }

  async #protect(batch: readonly Keep[]): Promise<void> {
    const task = {
      root: this.#root,
      safety: this.#repo.layout.safety,
      staging: this.#repo.layout.staging,
      copyLimit: this.#copyLimit,
      paths: batch.map(({ found }) => placeOf(found)).join('\0'),
      hashes: Buffer.from(batch.map(({ blake3 }) => blake3).join(''), 'hex'),
      stats: statsOf(batch.map(({ found }) => found)),
    };
    const { codes, touched } = await this.#use.pool.run('protect', task);
    touched.forEach((is, i) => {
      this.#net.touched[i]! |= is;
    });
    this.#linked.push({ batch, task: { ...task, codes } });
    this.#files += batch.length;
    this.#use.report({ phase: 'protect', files: this.#files, bytes: 0 });
  }

  async #lookAgain(): Promise<Extended> {
    const kept = new Map<RepoPath, Kept>();
    const changed: RepoPath[] = [];
    await Promise.all(
      this.#linked.map(async ({ batch, task }) => {
        const { codes, stats, observedNs } = await this.#use.pool.run('lookAgain', task);
        batch.forEach(({ found }, i) => {
          if (codes[i] === CHANGED) changed.push(found.path);
          else kept.set(found.path, { protection: codes[i] as Protection, stats, at: i, observedNs });
        });
      }),
    );
    return { kept, changed, overwritten: this.#overwritten };
  }

  #dropOverwritten({ found }: Keep, old: ContentHash): void {
    const inode = BigInt.asUintN(64, found.inode);
    whereStill(() =>
      withPlace(this.#root, placeOf(found), (at) => {
        if (this.#net.dropOverwritten(old, inode, nodePath(at))) this.#overwritten++;
      }),
    );
  }
}

/** Whether a file is protected already: nothing was written since its content was linked. */
export function isProtected(protection: Protection): boolean {
  return protection !== PROTECTION.none;
}

/** Files that are gone are found out by the second look. */
function whereStill(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
