import {
  type ContentHash,
  comparePaths,
  decodeTarget,
  escapeBytes,
  KIND,
  type Live,
  PLAIN_FOLDER_MODE,
  parentOf,
  type Recovery,
  type RepoPath,
  ROOT,
  type Step,
} from '@bk/core';
import type { Content } from '@bk/remote';
import type { Context } from '../context.ts';
import { contentsOf, Elsewhere, type Lacking, lackingOf } from '../exchange/elsewhere.ts';
import { commitOf } from '../history/revision.ts';
import { compareWithHead } from '../observe/compare.ts';
import type { Decision } from '../observe/decide.ts';
import { contentOfEntry, headEntry } from '../observe/head-entries.ts';
import { LiveTree } from '../observe/live-tree.ts';
import { Pool } from '../observe/pool.ts';
import { isAbsent } from '../presence/absence.ts';
import type { Repository } from '../repository.ts';
import { Sources } from './sources.ts';
import { departedVersions, soughtContents, type Version, versionsAt } from './versions.ts';

/** Where a content can be had: 'safety', 'folder', or the name of a remote. */
export interface Found {
  readonly from: string;
}

export interface Begun {
  readonly at?: string;
  readonly wanted: readonly RepoPath[];
  /** Everything goes into this folder, which is not the repository's. */
  readonly outside?: string | undefined;
}

/** What is known of earlier versions, of what is there now, and of where their contents can be had. */
export class Search {
  readonly versions: readonly Version[];
  readonly sizes: ReadonlySet<number>;
  readonly #repo: Repository;
  readonly #tree: LiveTree;
  readonly #outside: boolean;
  readonly #sources: Sources;
  readonly #folderModes = new Map<RepoPath, number>();
  #elsewhere: Elsewhere | undefined;

  private constructor(
    repo: Repository,
    versions: readonly Version[],
    { tree, outside, sources }: { tree: LiveTree; outside: boolean; sources: Sources },
  ) {
    this.versions = versions;
    this.#repo = repo;
    this.#tree = tree;
    this.#outside = outside;
    this.#sources = sources;
    this.sizes = new Set(versions.map(({ size }) => size));
    const byTime = versions.filter(({ type }) => type === 'dir').sort((a, b) => a.timeMs - b.timeMs);
    for (const { path, mode } of byTime) this.#folderModes.set(path, mode);
  }

  static async begin(repo: Repository, { at, wanted, outside }: Begun, context: Context): Promise<Search> {
    const pool = new Pool();
    const decision: Decision = await compareWithHead(
      repo,
      { all: false, rehash: false, pool },
      context,
    ).finally(() => pool.close());
    const here = new LiveTree(repo.layout.root);
    const isHere = (path: RepoPath) => here.stat(path) !== undefined || isAbsent(repo, path);
    const named = new Set(wanted);
    // Named itself, what is by design not here does not come back in an earlier state.
    const isOffered = ({ path }: Version) =>
      !(named.has(path) && isAbsent(repo, path) && here.stat(path) === undefined);
    const versions =
      at === undefined
        ? departedVersions(repo, decision, context.nowMs()).filter(isOffered)
        : versionsAt(repo, { commit: commitOf(repo, at, context), paths: wanted, isHere });
    const sources = new Sources(repo, decision, soughtContents(versions));
    if (outside === undefined) return new Search(repo, versions, { tree: here, outside: false, sources });
    here.close();
    return new Search(repo, versions, { tree: new LiveTree(outside), outside: true, sources });
  }

  close(): void {
    this.#tree.close();
    this.#elsewhere?.forget();
  }

  isThere(path: RepoPath): boolean {
    return this.#tree.stat(path) !== undefined;
  }

  /** What is at a path now; what is by design not here has its place all the same. */
  live(path: RepoPath, sizes = this.sizes): Live | undefined {
    const there = this.#tree.live(path, sizes);
    if (there !== undefined || this.#outside || !isAbsent(this.#repo, path)) return there;
    const entry = headEntry(this.#repo, path);
    if (entry === undefined) return { type: 'dir' };
    const { known, k } = entry;
    return {
      type: known.listing.kinds[k] === KIND.symlink ? 'symlink' : 'file',
      blake3: contentOfEntry(entry),
    };
  }

  /** Whether a path is by design not here, and nothing else is at it. */
  isAbsent(path: RepoPath): boolean {
    return path !== ROOT && isAbsent(this.#repo, path) && this.#tree.stat(path) === undefined;
  }

  isPresent({ path, type, blake3, size }: Version): boolean {
    const there = this.live(path, new Set([size]));
    return there?.type === type && (type === 'dir' || there.blake3 === blake3);
  }

  /** Asks for what is not here: where it is known to be, or, to be placed, for the contents themselves. */
  async seek(contents: readonly Content[], how: 'look' | 'bring', context: Context): Promise<void> {
    this.#elsewhere?.forget();
    this.#elsewhere = await Elsewhere[how](this.#repo, contents, context);
  }

  source(blake3: ContentHash): Found | undefined {
    const elsewhere = this.#elsewhere?.from(blake3);
    return elsewhere === undefined ? this.#sources.of(blake3) : { from: elsewhere };
  }

  /** Whether it was brought here from elsewhere, or was found intact here on the way. */
  isBrought(blake3: ContentHash | undefined): boolean {
    return blake3 !== undefined && this.#elsewhere?.content(blake3, false) !== undefined;
  }

  lacking(blake3: ContentHash | undefined): Lacking {
    return lackingOf(this.#elsewhere, blake3);
  }

  from({ type, size, blake3 }: Version): string | undefined {
    if (type !== 'file' || blake3 === undefined) return 'history';
    return this.source(blake3)?.from ?? (size === 0 ? 'history' : undefined);
  }

  /** Folders first, each before what goes into it */
  steps(recoveries: readonly Recovery<Found>[]): Step[] {
    const folders = new Map<RepoPath, number>();
    const known = new Set<RepoPath>([ROOT]);
    const steps: Step[] = [];
    for (const { version, path } of recoveries) {
      const isFolder = version.type === 'dir';
      this.#foldersFor(isFolder ? path : parentOf(path), isFolder ? version.path : parentOf(version.path), {
        folders,
        known,
      });
      if (!isFolder) steps.push(this.#step(version as Version, path));
    }
    const made = [...folders].sort(([a], [b]) => comparePaths(a, b));
    return [...made.map(([path, mode]): Step => ({ do: 'mkdir', path, mode })), ...steps];
  }

  /** Missing folders from `path` upwards, with the modes that those of the original path had. */
  #foldersFor(
    path: RepoPath,
    original: RepoPath,
    into: { folders: Map<RepoPath, number>; known: Set<RepoPath> },
  ): void {
    for (let at = path, was = original; !into.known.has(at); at = parentOf(at), was = parentOf(was)) {
      into.known.add(at);
      if (this.#tree.type(at) !== 'dir')
        into.folders.set(at, this.#folderModes.get(was) ?? PLAIN_FOLDER_MODE);
    }
  }

  #step(version: Version, path: RepoPath): Step {
    const { mode, mtimeNs } = version;
    const expect = { is: 'absent' } as const;
    if (version.type === 'symlink')
      return {
        do: 'symlink',
        path,
        expect,
        target: escapeBytes(decodeTarget(version.target ?? '', version.size)),
        mtimeNs,
      };
    const asked = { blake3: version.blake3 as ContentHash, size: version.size, inode: version.inode };
    const link = !this.#outside;
    const content = this.#elsewhere?.content(asked.blake3, link) ??
      this.#sources.content(asked, link) ?? { source: '', how: 'copy', ...asked };
    return { do: 'place', path, expect, content, mode, mtimeNs };
  }
}

/** The contents of these versions, each once. */
export function contentsOfVersions(versions: Iterable<Pick<Version, 'type' | 'blake3' | 'size'>>): Content[] {
  return contentsOf([...versions].filter(({ type, size }) => type === 'file' && size > 0));
}
