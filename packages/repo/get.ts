import {
  type ContentHash,
  comparePaths,
  decodeTarget,
  escapeBytes,
  isInside,
  KIND,
  PLAIN_FOLDER_MODE,
  type PlacedContent,
  PROTECTION,
  parentOf,
  parseMode,
  parseRecord,
  type RepoPath,
  ROOT,
  type Step,
} from '@bk/core';
import type { Content } from '@bk/remote';
import type { Context } from './context.ts';
import { type Brought, bring, bringFromRemotes } from './exchange/bring.ts';
import { lookAtPlaced, type PlacedFile } from './get/placed.ts';
import { placesOf } from './holdings/holdings.ts';
import { recordAt } from './observe/draft.ts';
import { headEntries, isAbsentEntry, unknownPaths } from './observe/head-entries.ts';
import { type Companion, HeadWholes } from './observe/head-wholes.ts';
import { LiveTree, typeOfStat } from './observe/live-tree.ts';
import type { OpenRemote } from './peers/peers.ts';
import { isAbsent, setPresent } from './presence/absence.ts';
import { publishPresence } from './presence/presence.ts';
import { factsOf, folderModeAt } from './recover/versions.ts';
import type { Repository } from './repository.ts';
import { applyPlan, mayGiveSpecial } from './safety/transaction.ts';

export interface GetOptions {
  /** Files and folders of the head. */
  readonly paths: readonly RepoPath[];
  readonly dryRun?: boolean;
}

export interface GetResult {
  /** Files and links that are here now and were not; under a dry run those that would be tried. */
  readonly done: readonly { readonly path: RepoPath; readonly size: number; readonly from?: string }[];
  readonly refused: readonly { readonly path: RepoPath; readonly reason: string }[];
  /** Of the files in `done`. */
  readonly bytes: number;
  /** Entities that came as a whole, though only a part was named; absent: none. */
  readonly whole?: readonly { readonly path: RepoPath }[];
  /** Files that came because a companion was named; absent: none. */
  readonly companions?: readonly Companion[];
}

export interface GetPorts {
  /** Where contents may come from; absent: all remotes within reach. */
  readonly remotes?: readonly OpenRemote[];
  /** Where a content is said to be, as a clause. */
  readonly whereabouts?: (contents: ReadonlySet<ContentHash>) => (content: ContentHash) => string | undefined;
}

/** So many files are placed in one transaction. */
const BATCH = 10_000;

/** An absent file or link of the head. */
interface Wanted extends PlacedFile {
  readonly mode: number;
  readonly mtimeNs: bigint;
  readonly target?: string;
}

/**
 * Brings absent files here and places them as the head has them. What is here already is left alone; where something
 * else is in the way, nothing is overwritten. Interrupted, it goes on when it is given again.
 * @throws BkError `locked`, `no-space`, `io`
 */
export async function get(
  repo: Repository,
  options: GetOptions,
  context: Context,
  ports: GetPorts = {},
): Promise<GetResult> {
  if (options.dryRun !== true) repo.beginWriting();
  return new Getting(repo, context, ports).run(options);
}

class Getting {
  readonly #repo: Repository;
  readonly #context: Context;
  readonly #ports: GetPorts;
  readonly #done: { path: RepoPath; size: number; from?: string }[] = [];
  readonly #refused: { path: RepoPath; reason: string }[] = [];
  #files = 0;
  #bytes = 0;

  constructor(repo: Repository, context: Context, ports: GetPorts) {
    this.#repo = repo;
    this.#context = context;
    this.#ports = ports;
  }

  async run({ paths: named, dryRun }: GetOptions): Promise<GetResult> {
    const unknown = unknownPaths(this.#repo, named);
    for (const path of unknown)
      this.#refused.push({ path, reason: 'the last commit has no such file or folder' });
    const known = named.filter((path) => !unknown.includes(path));
    const widened = new HeadWholes(this.#repo).widen(known, isAbsentEntry);
    const { paths, whole, companions } = widened;
    const wanted = wantedAt(this.#repo, paths);
    this.#refuseDeleted(widened.asked, wanted);
    const { free, here } = this.#look(wanted);
    if (dryRun === true) this.#done.push(...free.map(({ path, size }) => ({ path, size })));
    else {
      if (here.length > 0) await this.#note(here);
      // A run that was killed after its last file may not have come to say what is here.
      else if (free.length === 0) publishPresence(this.#repo, this.#context);
      await this.#bringAndPlace(free, this.#foldersAt(paths));
    }
    return {
      ...this.#result(),
      ...(whole.length > 0 && { whole: whole.map((path) => ({ path })) }),
      ...(companions.length > 0 && { companions }),
    };
  }

  /** What is not absent by design and yet not there was deleted or moved since the last commit. */
  #refuseDeleted(paths: readonly RepoPath[], wanted: readonly Wanted[]): void {
    const tree = new LiveTree(this.#repo.layout.root);
    for (const path of new Set(paths))
      if (tree.stat(path) === undefined && !isAbsent(this.#repo, path))
        if (!wanted.some((one) => isInside(one.path, path)))
          this.#refused.push({ path, reason: 'it was deleted here: `bk recover` brings it back' });
    tree.close();
  }

  #result(): GetResult {
    const done = this.#done.sort((a, b) => comparePaths(a.path, b.path));
    const refused = this.#refused.sort((a, b) => comparePaths(a.path, b.path));
    return { done, refused, bytes: done.reduce((sum, { size }) => sum + size, 0) };
  }

  /** What is at the paths now: nothing, just the file (an interrupted run placed it), or something else. */
  #look(wanted: readonly Wanted[]): { free: Wanted[]; here: Wanted[] } {
    const free: Wanted[] = [];
    const here: Wanted[] = [];
    const tree = new LiveTree(this.#repo.layout.root);
    try {
      for (const one of wanted) {
        const stat = tree.stat(one.path);
        if (stat === undefined) free.push(one);
        else if (
          typeOfStat(stat) === one.type &&
          Number(stat.size) === one.size &&
          tree.content(one.path) === one.blake3
        ) {
          // With other times or permissions it is the user's: the next scan tells.
          const isPlaced = stat.mtimeNs === one.mtimeNs;
          if (isPlaced && (one.type === 'symlink' || Number(stat.mode & 0o7777n) === one.mode))
            here.push(one);
        } else this.#refused.push({ path: one.path, reason: 'something else is in its place' });
      }
    } finally {
      tree.close();
    }
    return { free, here };
  }

  async #bringAndPlace(free: readonly Wanted[], folders: readonly RepoPath[]): Promise<void> {
    const contents = contentsOf(free);
    const near = await bring(this.#repo, contents, [], this.#context);
    const far = await bringFromRemotes(
      this.#repo,
      contents.filter(({ blake3 }) => near.missing.has(blake3)),
      this.#ports.remotes,
      this.#context,
    );
    try {
      const ready = this.#ready(free, far);
      const give = (blake3: ContentHash) => near.give(blake3) ?? far?.give(blake3);
      const from = (blake3: ContentHash) => near.from(blake3) ?? far?.from(blake3);
      this.#makeFolders(folders);
      for (let at = 0; at < ready.length; at += BATCH)
        await this.#place(ready.slice(at, at + BATCH), give, from);
    } finally {
      near.forget();
      far?.forget();
    }
  }

  /** Those whose contents could be had; the others are refused, with where they are said to be. */
  #ready(free: readonly Wanted[], far: Brought | undefined): Wanted[] {
    if (far === undefined || far.missing.size === 0) return [...free];
    const where = (this.#ports.whereabouts ?? sayings(this.#repo))(new Set(far.missing.keys()));
    return free.filter(({ type, path, blake3 }) => {
      const reason = type === 'file' ? far.missing.get(blake3) : undefined;
      if (reason === undefined) return true;
      const known = where(blake3);
      this.#refused.push({ path, reason: known === undefined ? reason : `${reason}; ${known}` });
      return false;
    });
  }

  /** Folders of their own record that are not here. */
  #makeFolders(folders: readonly RepoPath[]): void {
    const steps = [...this.#missingFolders(folders)];
    if (steps.length > 0) this.#apply(steps);
  }

  async #place(
    files: readonly Wanted[],
    give: (blake3: ContentHash) => PlacedContent | undefined,
    from: (blake3: ContentHash) => string | undefined,
  ): Promise<void> {
    const folders = [...this.#missingFolders(files.map(({ path }) => parentOf(path)))];
    const steps = files.map((file) => stepOf(file, give));
    const results = this.#apply([...folders, ...steps]).slice(folders.length);
    const placed = files.filter((file, n) => {
      const result = results[n];
      if (result?.outcome === 'done') {
        const source = file.type === 'file' ? from(file.blake3) : undefined;
        this.#done.push({
          path: file.path,
          size: file.size,
          ...(source !== undefined && { from: source }),
        });
        return true;
      }
      this.#refused.push({ path: file.path, reason: result?.reason ?? 'it could not be placed' });
      return false;
    });
    if (placed.length > 0) await this.#note(placed);
  }

  #apply(steps: readonly Step[]) {
    const onFile = (size: number): void => {
      this.#bytes += size;
      this.#context.report({ phase: 'place', files: ++this.#files, bytes: this.#bytes });
    };
    const options = { special: mayGiveSpecial(this.#repo), onFile };
    const { results, stopped } = applyPlan(this.#repo.layout, { verb: 'get', steps }, options);
    if (stopped !== undefined) throw stopped;
    return results;
  }

  /** Protects what was placed and says that it is here. What changed meanwhile is left for the next scan. */
  async #note(files: readonly PlacedFile[]): Promise<void> {
    const placed = await lookAtPlaced(this.#repo, files);
    if (placed.length > 0) setPresent(this.#repo, placed, this.#context);
  }

  /** Absent folders at or below the paths that have a record of their own: empty ones are nothing but that. */
  #foldersAt(paths: readonly RepoPath[]): RepoPath[] {
    const found = new Set<RepoPath>();
    for (const path of paths)
      for (const [folder, { protections }] of this.#repo.index.below(path))
        if (protections[0] === PROTECTION.absent) found.add(folder);
    return [...found];
  }

  *#missingFolders(folders: Iterable<RepoPath>): Generator<Step> {
    const missing = new Set<RepoPath>();
    const tree = new LiveTree(this.#repo.layout.root);
    try {
      const seen = new Set<RepoPath>([ROOT]);
      for (const folder of folders)
        for (let path = folder; !seen.has(path); path = parentOf(path)) {
          seen.add(path);
          if (tree.stat(path) === undefined) missing.add(path);
        }
    } finally {
      tree.close();
    }
    if (missing.size === 0) return;
    const { history, head } = this.#repo;
    const root = history.readCommit(head!).tree;
    for (const path of [...missing].sort(comparePaths))
      yield { do: 'mkdir', path, mode: folderModeAt(history, root, path) ?? PLAIN_FOLDER_MODE };
  }
}

/** What the presences say: which other repositories held it when they were last heard of. */
function sayings(repo: Repository): Required<GetPorts>['whereabouts'] {
  return (contents) => {
    const places = placesOf(repo, contents);
    return (content) => {
      const others = places(content).filter(({ repository }) => repository !== repo.config.id);
      const names = [...new Set(others.map(({ name, seen }) => `${name} (seen ${seen.slice(0, 10)})`))];
      return names.length === 0 ? undefined : `it was on ${names.join(', ')}`;
    };
  };
}

function wantedAt(repo: Repository, paths: readonly RepoPath[]): Wanted[] {
  const wanted: Wanted[] = [];
  for (const entry of headEntries(repo, paths)) {
    if (!isAbsentEntry(entry)) continue;
    const { path, known, k } = entry;
    const rec = parseRecord(repo.history.readBlobText(recordAt(known, k)));
    const { size, mtimeNs, blake3, target } = factsOf(rec);
    wanted.push({
      path,
      type: known.listing.kinds[k] === KIND.symlink ? 'symlink' : 'file',
      size,
      mtimeNs,
      blake3: blake3 as ContentHash,
      mode: parseMode(rec.mode),
      ...(target !== undefined && { target }),
    });
  }
  return wanted;
}

function contentsOf(files: readonly Wanted[]): Content[] {
  const contents = new Map<ContentHash, Content>();
  for (const { type, blake3, size } of files) if (type === 'file') contents.set(blake3, { blake3, size });
  return [...contents.values()];
}

function stepOf(file: Wanted, give: (blake3: ContentHash) => PlacedContent | undefined): Step {
  const { path, mtimeNs, blake3, size, mode } = file;
  const expect = { is: 'absent' } as const;
  if (file.type === 'symlink')
    return {
      do: 'symlink',
      path,
      expect,
      target: escapeBytes(decodeTarget(file.target ?? '', size)),
      mtimeNs,
    };
  const content = give(blake3) ?? { source: '', how: 'copy', blake3, size };
  return { do: 'place', path, expect, content, mode, mtimeNs };
}
