import fs from 'node:fs';
import path from 'node:path';
import {
  BkError,
  besideName,
  type ContentHash,
  decodePath,
  escapeBytes,
  type FsPath,
  firstOfEach,
  isReservedName,
  joinPath,
  nameOf,
  PLAIN_FOLDER_MODE,
  parentOf,
  type RepoPath,
  ROOT,
  STAT,
  type Step,
  timeNs,
  type UniqueFile,
} from '@bk/core';
import { Incoming } from '@bk/store';
import { bytePath, createHasher, hashBytes, IgnoreRules, nodePath, reasonOf, withPlace } from '@bk/worktree';
import type { Context } from '../context.ts';
import { LiveTree } from '../observe/live-tree.ts';
import type { Repository } from '../repository.ts';
import { applyPlan } from '../safety/transaction.ts';
import type { FoundFile, ScannedCard } from './scan.ts';

export interface Imported {
  /** Where each content is in the repository now; `from`: below the folder. Under a dry run: would be. */
  readonly done: readonly { readonly path: RepoPath; readonly from: RepoPath; readonly size: number }[];
  readonly failed: readonly { readonly path: RepoPath; readonly reason: string }[];
  readonly bytes: number;
}

export interface ImportOptions {
  /** The folder that was looked at; absolute. */
  readonly root: string;
  readonly card: ScannedCard;
  readonly to: RepoPath;
  readonly unique: readonly UniqueFile[];
  readonly dryRun?: boolean | undefined;
}

/** Placed as one transaction at most. */
const MOST_FILES = 1_000;
const MOST_BYTES = 8 * 2 ** 30;

/**
 * Copies one file of each content that is nowhere else below a folder of the repository, under its relative path: hashed
 * while it is copied, and again when it is placed, never over anything. A name that is taken becomes `NAME (imported
 * YYYY-MM-DD).EXT`; where the content is there already nothing is done. Nothing is committed.
 * @throws BkError 'refused' if folder and repository lie in each other; 'locked', 'no-space', 'io'
 */
export function importUnique(repo: Repository, options: ImportOptions, context: Context): Imported {
  checkApart(repo.layout.root, options.root);
  const wanted = new Set(firstOfEach(options.unique).map((file) => file.path));
  const files = [...options.card.files()].filter((file) => wanted.has(file.path));
  if (options.dryRun !== true && files.length > 0) repo.beginWriting();
  const run = new Import(repo, options, context);
  try {
    return run.run(files);
  } finally {
    run.close();
  }
}

interface Placing {
  readonly file: FoundFile;
  readonly path: RepoPath;
  /** Should the file system take the name for another's. */
  readonly otherwise: RepoPath;
}

class Import {
  readonly #repo: Repository;
  readonly #options: ImportOptions;
  readonly #context: Context;
  readonly #tree: LiveTree;
  readonly #ignore: IgnoreRules;
  readonly #incoming: Incoming;
  readonly #chosen = new Set<RepoPath>();
  readonly #folders = new Set<RepoPath>([ROOT]);
  readonly #done: { path: RepoPath; from: RepoPath; size: number }[] = [];
  readonly #failed: { path: RepoPath; reason: string }[] = [];
  #progress = { files: 0, bytes: 0, totalFiles: 0, totalBytes: 0 };

  constructor(repo: Repository, options: ImportOptions, context: Context) {
    this.#repo = repo;
    this.#options = options;
    this.#context = context;
    this.#tree = new LiveTree(repo.layout.root);
    this.#ignore = new IgnoreRules(repo.layout.root);
    this.#incoming = new Incoming(repo.layout);
  }

  run(files: readonly FoundFile[]): Imported {
    const placings = files.flatMap((file) => this.#choose(file) ?? []);
    const totalBytes = placings.reduce((sum, { file }) => sum + file.size, 0);
    this.#progress = { ...this.#progress, totalFiles: placings.length, totalBytes };
    if (this.#options.dryRun === true) {
      for (const { file, path: at } of placings)
        this.#done.push({ path: at, from: file.path, size: file.size });
    } else if (placings.length > 0) {
      this.#checkSpace(totalBytes);
      for (const part of parts(placings)) this.#bring(part);
    }
    const bytes = this.#done.reduce((sum, { size }) => sum + size, 0);
    return { done: this.#done, failed: this.#failed, bytes };
  }

  close(): void {
    this.#tree.close();
  }

  /** Undefined: its content is there already, or it cannot have a name. */
  #choose(file: FoundFile): Placing | undefined {
    if (file.place.split('/').some((name) => isReservedName(name as never))) {
      this.#failed.push({ path: file.path, reason: 'a name that bk keeps for itself' });
      return undefined;
    }
    const wanted = (this.#options.to === ROOT ? file.path : `${this.#options.to}/${file.path}`) as RepoPath;
    if (this.#ignore.ignores(decodePath(wanted), false)) {
      this.#failed.push({ path: file.path, reason: 'excluded by .bkignore: it would never be committed' });
      return undefined;
    }
    if (this.#isFree(wanted)) return this.#take(file, wanted);
    if (this.#isHere(wanted, file)) return undefined;
    const beside = this.#beside(wanted, (at) => !this.#isFree(at) && !this.#isHere(at, file));
    return this.#isFree(beside) ? this.#take(file, beside) : undefined;
  }

  #take(file: FoundFile, at: RepoPath): Placing {
    this.#chosen.add(at);
    const otherwise = this.#beside(at, (other) => !this.#isFree(other));
    return { file, path: at, otherwise };
  }

  #beside(at: RepoPath, taken: (path: RepoPath) => boolean): RepoPath {
    const note = `imported ${new Date(this.#context.nowMs()).toISOString().slice(0, 10)}`;
    return joinPath(
      parentOf(at),
      besideName(nameOf(at), note, (name) => taken(joinPath(parentOf(at), name))),
    );
  }

  #isFree(at: RepoPath): boolean {
    return !this.#chosen.has(at) && this.#tree.stat(at) === undefined;
  }

  #isHere(at: RepoPath, { type, size, blake3 }: FoundFile): boolean {
    const there = this.#tree.live(at, new Set([size]));
    return there?.type === type && there.blake3 === blake3;
  }

  #checkSpace(bytes: number): void {
    const { bavail, bsize } = fs.statfsSync(this.#repo.layout.dot);
    if (bytes <= bavail * bsize) return;
    throw new BkError('no-space', `cannot import: it needs ${bytes} bytes, and ${bavail * bsize} are free`, {
      hint: 'free some space, then give the same command again',
    });
  }

  #bring(part: readonly Placing[]): void {
    const here = part.filter(({ file }) => this.#copy(file));
    this.#incoming.settle();
    const steps = here.flatMap((placing) => this.#step(placing) ?? []);
    const { results, stopped } = applyPlan(this.#repo.layout, {
      verb: 'import',
      steps: [...this.#newFolders(here), ...steps],
    });
    const outcomes = new Map(results.map((result) => [result.step.path, result]));
    for (const { file, path: at } of here) {
      const result = outcomes.get(at);
      if (result?.outcome === 'done' || result?.outcome === 'done-otherwise')
        this.#done.push({ path: result.path, from: file.path, size: file.size });
      else if (result !== undefined)
        this.#failed.push({ path: file.path, reason: result.reason ?? 'it could not be placed' });
      if (file.type === 'file') this.#incoming.remove(file.blake3);
    }
    if (stopped !== undefined) throw stopped;
  }

  /** @returns false, and notes why, if it is not what was read before */
  #copy(file: FoundFile): boolean {
    this.#context.report({ phase: 'copy', ...this.#progress, path: file.path });
    try {
      const same = file.type === 'symlink' || this.#receive(file);
      if (!same) this.#failed.push({ path: file.path, reason: 'changed since it was looked at' });
      this.#progress.files++;
      return same;
    } catch (error) {
      if (error instanceof BkError) throw error;
      this.#failed.push({ path: file.path, reason: reasonOf(error) });
      return false;
    }
  }

  #receive({ place, size, blake3 }: FoundFile): boolean {
    const incoming = this.#incoming.open(blake3, size);
    let good = incoming.whole;
    try {
      if (good) return true;
      incoming.cut(0);
      const hash = withPlace(bytePath(this.#options.root), place, (at) => this.#stream(at, incoming));
      good = hash === blake3 && incoming.bytes === size;
      if (good) incoming.finish();
      return good;
    } finally {
      incoming.close(!good);
    }
  }

  #stream(at: string, to: { append(chunk: Uint8Array): void }): ContentHash {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    const fd = fs.openSync(nodePath(at), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const chunk = Buffer.allocUnsafe(1 << 20);
      const hasher = createHasher();
      for (let read = fs.readSync(fd, chunk); read > 0; read = fs.readSync(fd, chunk)) {
        hasher.update(chunk.subarray(0, read));
        to.append(chunk.subarray(0, read));
        this.#progress.bytes += read;
        this.#context.report({ phase: 'copy', ...this.#progress });
      }
      return hasher.digest();
    } finally {
      fs.closeSync(fd);
    }
  }

  #step({ file, path: at, otherwise }: Placing): Step | undefined {
    const { mode, stats, blake3, size } = file;
    const expect = { is: 'absent' } as const;
    const mtimeNs = timeNs(stats[STAT.mtime]!);
    if (file.type === 'symlink') {
      const target = this.#target(file);
      return target === undefined
        ? undefined
        : { do: 'symlink', path: at, expect, target, mtimeNs, otherwise };
    }
    const source = path.relative(this.#repo.layout.dot, this.#incoming.fileOf(blake3) ?? '');
    const content = { source, how: 'link', blake3, size } as const;
    return { do: 'place', path: at, expect, content, mode, mtimeNs, otherwise };
  }

  #target(file: FoundFile): string | undefined {
    const target = withPlace(bytePath(this.#options.root), file.place, (at) => {
      try {
        return fs.readlinkSync(nodePath(at), 'latin1');
      } catch (error) {
        if (['ENOENT', 'EINVAL'].includes(String((error as NodeJS.ErrnoException).code))) return undefined;
        throw error;
      }
    });
    if (target !== undefined && hashBytes(Buffer.from(target, 'latin1')) === file.blake3)
      return escapeBytes(target);
    this.#failed.push({ path: file.path, reason: 'changed since it was looked at' });
    return undefined;
  }

  /** Each before what goes into it; those of the card have the modes that they have there. */
  #newFolders(placings: readonly Placing[]): Step[] {
    const steps: Step[] = [];
    const add = (folder: RepoPath, place: FsPath | undefined): void => {
      if (this.#folders.has(folder)) return;
      this.#folders.add(folder);
      add(parentOf(folder), place === undefined || place === '' ? undefined : parentPlace(place));
      if (this.#tree.type(folder) === 'dir') return;
      const mode = place === undefined || place === '' ? undefined : this.#options.card.folders.get(place);
      steps.push({
        do: 'mkdir',
        path: folder,
        mode: mode === undefined ? PLAIN_FOLDER_MODE : (mode & 0o777) | 0o700,
      });
    };
    for (const { file, path: at } of placings) add(parentOf(at), parentPlace(file.place));
    return steps;
  }
}

function parentPlace(place: FsPath): FsPath {
  return place.slice(0, Math.max(0, place.lastIndexOf('/'))) as FsPath;
}

function* parts(placings: readonly Placing[]): Generator<Placing[]> {
  let part: Placing[] = [];
  let bytes = 0;
  for (const placing of placings) {
    part.push(placing);
    bytes += placing.file.size;
    if (part.length < MOST_FILES && bytes < MOST_BYTES) continue;
    yield part;
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield part;
}

function checkApart(repository: string, folder: string): void {
  const within = (inner: string, outer: string) =>
    inner === outer || inner.startsWith(`${outer.replace(/\/$/, '')}/`);
  if (!within(repository, folder) && !within(folder, repository)) return;
  throw new BkError('refused', `cannot import from ${folder}: it and the repository lie in each other`, {
    path: folder,
    hint: '`bk commit` records what is in the repository',
  });
}
