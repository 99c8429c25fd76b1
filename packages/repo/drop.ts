import {
  BkError,
  type ContentHash,
  comparePaths,
  type DropContent,
  displayText,
  isHeldByHistory,
  KIND,
  type Protection,
  type RepoPath,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import { SafetyNet } from '@bk/store';
import type { Context } from './context.ts';
import { type AsRecorded, Checking } from './drop/check.ts';
import { Claimants, inodeOf, releaseContent } from './drop/net.ts';
import { type ProofPorts, type Proven, proveElsewhere } from './drop/proof.ts';
import { Removal } from './drop/removal.ts';
import {
  contentOfEntry,
  type HeadEntry,
  headEntries,
  isAbsentEntry,
  unknownPaths,
} from './observe/head-entries.ts';
import { type Companion, HeadWholes, type WidenedWholes } from './observe/head-wholes.ts';
import { type Placed, setAbsent, setPresent } from './presence/absence.ts';
import type { Repository } from './repository.ts';

export interface DropOptions {
  /** Files and folders of the head. */
  readonly paths: readonly RepoPath[];
  /** Other volumes that must hold each content, at least 1; absent: the setting `copies`. */
  readonly copies?: number;
  readonly dryRun?: boolean;
}

export interface DropResult {
  /** Files and links that are not here any more; under a dry run, that would not be. */
  readonly done: readonly { readonly path: RepoPath; readonly size: number }[];
  readonly refused: readonly { readonly path: RepoPath; readonly reason: string }[];
  /** Of the files in `done`. */
  readonly bytes: number;
  /** Entities that were meant as a whole, though only a part was named; absent: none. */
  readonly whole?: readonly { readonly path: RepoPath }[];
  /** Files here that were meant because a companion was named; absent: none. */
  readonly companions?: readonly Companion[];
}

/**
 * Frees contents here that enough other volumes prove to hold now. Not a deletion: the history does not change, and
 * `get` brings them back. Killed anywhere, what it was about to remove is absent or still here, never deleted.
 * @throws BkError `usage`, `locked`, `io`
 */
export async function drop(
  repo: Repository,
  options: DropOptions,
  context: Context,
  ports: ProofPorts = {},
): Promise<DropResult> {
  const { copies } = options;
  if (copies !== undefined && !(Number.isSafeInteger(copies) && copies >= 1))
    throw new BkError(
      'usage',
      `cannot drop with ${copies} other copies: at least 1 other volume must hold it`,
    );
  repo.beginWriting();
  const dropping = new Dropping(repo, options, context);
  try {
    return await dropping.run(ports);
  } finally {
    dropping.close();
  }
}

/** An entry that is meant to go, found to be on the disk as recorded. */
interface Candidate {
  readonly entry: HeadEntry;
  readonly file: AsRecorded;
}

/** A content of candidates. */
interface Group {
  readonly content: DropContent;
  readonly candidates: Candidate[];
  /** Paths whose file is gone already, while the net still has the content: an interrupted run left it. */
  readonly leftovers: RepoPath[];
}

class Dropping {
  readonly #repo: Repository;
  readonly #options: DropOptions;
  readonly #context: Context;
  readonly #checking: Checking;
  readonly #net: SafetyNet;
  /** Files that were gone before: an interrupted run may have left their folders. */
  readonly #emptied = new Set<RepoPath>();
  readonly #wholes: HeadWholes;
  readonly #widened: WidenedWholes;
  readonly #done: { path: RepoPath; size: number }[] = [];
  readonly #refused: { path: RepoPath; reason: string }[] = [];

  constructor(repo: Repository, options: DropOptions, context: Context) {
    this.#repo = repo;
    this.#options = options;
    this.#context = context;
    this.#checking = new Checking(repo.layout);
    this.#net = new SafetyNet(repo.layout);
    this.#wholes = new HeadWholes(repo);
    const unknown = unknownPaths(repo, options.paths);
    for (const path of unknown) this.#refuse(path, 'the last commit has no such file or folder');
    const known = options.paths.filter((path) => !unknown.includes(path));
    this.#widened = this.#wholes.widen(known, (entry) => !isAbsentEntry(entry));
  }

  close(): void {
    this.#checking.close();
  }

  async run(ports: ProofPorts): Promise<DropResult> {
    const { copies } = this.#options;
    const groups = this.#groups();
    const claimants = new Claimants(this.#repo, new Set(groups.keys()));
    const toProve = [...groups.values()].filter((group) => !this.#stays(group, claimants));
    const contents = toProve.map(({ content }) => content);
    const proven = await proveElsewhere(
      this.#repo,
      contents,
      copies === undefined ? {} : { copies },
      this.#context,
      ports,
    );
    try {
      const allowed = this.#allowed([...groups.values()], proven);
      if (this.#options.dryRun === true)
        for (const { candidates } of allowed)
          for (const { file } of candidates) this.#done.push(doneOf(file));
      else this.#letGo(allowed, claimants, proven);
    } finally {
      await proven.release();
    }
    return this.#result();
  }

  #result(): DropResult {
    const done = this.#done.sort((a, b) => comparePaths(a.path, b.path));
    const refused = this.#refused.sort((a, b) => comparePaths(a.path, b.path));
    const { companions } = this.#widened;
    const whole = this.#widened.whole.map((path) => ({ path }));
    const bytes = done.reduce((sum, { size }) => sum + size, 0);
    const meant = { ...(whole.length > 0 && { whole }), ...(companions.length > 0 && { companions }) };
    return { done, refused, bytes, ...meant };
  }

  #refuse(path: RepoPath, reason: string): void {
    this.#refused.push({ path, reason });
  }

  /** What is to go, by content; what is not as the head has it is refused. */
  #groups(): Map<ContentHash, Group> {
    const groups = new Map<ContentHash, Group>();
    const groupOf = (entry: HeadEntry): Group => {
      const { known, k } = entry;
      const blake3 = contentOfEntry(entry);
      const size = Number(known.listing.stats[k * STAT_WIDTH + STAT.size]);
      const type = known.listing.kinds[k] === KIND.symlink ? 'symlink' : 'file';
      const made = groups.get(blake3) ?? { content: { blake3, size, type }, candidates: [], leftovers: [] };
      // A link's target may be a file's content too: then the file needs the proof.
      const group =
        type === 'file' && made.content.type !== 'file'
          ? { ...made, content: { blake3, size, type } as const }
          : made;
      groups.set(blake3, group);
      return group;
    };
    for (const entry of [...headEntries(this.#repo, this.#widened.paths)]) {
      if (isAbsentEntry(entry) && !this.#checking.isThere(entry.path)) {
        this.#emptied.add(entry.path);
        const isLeft = this.#net.lookup(contentOfEntry(entry)).length > 0;
        if (isLeft && entry.known.listing.kinds[entry.k] === KIND.file)
          groupOf(entry).leftovers.push(entry.path);
        continue;
      }
      const file = this.#checking.check(entry);
      if (typeof file === 'string') this.#refuse(entry.path, file);
      else groupOf(entry).candidates.push({ entry, file });
    }
    return groups;
  }

  /** Whether the content stays here under another path, found to be good now: then it is not the copy that goes. */
  #stays({ content, candidates }: Group, claimants: Claimants): boolean {
    const going = new Set(candidates.map(({ file }) => file.path));
    const others = claimants.files.get(content.blake3) ?? [];
    return others.some((entry) => !going.has(entry.path) && typeof this.#checking.check(entry) !== 'string');
  }

  /** Links and empty files need no proof, but do not go alone where all that was asked for besides has to stay. */
  #allowed(groups: readonly Group[], proven: Proven): readonly Group[] {
    const allowed = this.#uncut(groups.filter((group) => this.#isAllowed(group, proven)));
    const weighs = ({ content, candidates }: Group) => candidates.length > 0 && !isHeldByHistory(content);
    if (!groups.some(weighs) || allowed.some(weighs)) return allowed;
    for (const { content, candidates } of allowed)
      if (isHeldByHistory(content))
        for (const { file } of candidates)
          this.#refuse(file.path, 'nothing else of what was asked for may go');
    return allowed.filter(({ content }) => !isHeldByHistory(content));
  }

  /** An entity goes as a whole or stays as a whole, and so do companions. */
  #uncut(groups: readonly Group[]): readonly Group[] {
    const staying = new Map<string, RepoPath>();
    for (const { path } of this.#refused) {
      const key = this.#wholes.wholeOf(path)?.key;
      if (key !== undefined && !staying.has(key)) staying.set(key, path);
    }
    if (staying.size === 0) return groups;
    return groups.flatMap((group) => {
      const candidates = group.candidates.filter(({ file: { path } }) => {
        const whole = this.#wholes.wholeOf(path);
        const other = whole && staying.get(whole.key);
        if (other === undefined) return true;
        this.#refuse(path, partOf(whole?.entity, other));
        return false;
      });
      return candidates.length === 0 && group.candidates.length > 0 ? [] : [{ ...group, candidates }];
    });
  }

  #isAllowed({ content, candidates }: Group, proven: Proven): boolean {
    const reason = proven.refused.get(content.blake3);
    if (reason === undefined) return true;
    for (const { file } of candidates) this.#refuse(file.path, reason);
    return false;
  }

  /** Absent first, durably; then the files; then what the net has of them. */
  #letGo(groups: readonly Group[], claimants: Claimants, proven: Proven): void {
    const paths = groups.flatMap(({ candidates }) => candidates.map(({ file }) => file.path));
    if (paths.length > 0) setAbsent(this.#repo, paths, this.#context);
    const kept: Candidate[] = [];
    const removal = new Removal(this.#repo);
    try {
      for (const group of groups) kept.push(...this.#remove(group, removal, { claimants, proven }));
      removal.removeEmptyFolders(this.#emptied);
    } finally {
      removal.close();
    }
    this.#net.makeDurable();
    // What was touched meanwhile, or was absent before, is left for the next scan to find.
    const known = kept.filter(({ entry }) => !isAbsentEntry(entry));
    if (known.length > 0) setPresent(this.#repo, known.map(placedOf), this.#context);
  }

  /** @returns those that stay because there was no time */
  #remove(
    { content: { blake3, type }, candidates }: Group,
    removal: Removal,
    { claimants, proven }: { claimants: Claimants; proven: Proven },
  ): Candidate[] {
    const late: Candidate[] = [];
    const gone = new Set<RepoPath>();
    for (const candidate of candidates) {
      const { file } = candidate;
      const tooLate = proven.isTooLate();
      const reason = tooLate ? 'the promises of the others ended: try again' : removal.remove(file);
      if (tooLate) late.push(candidate);
      if (reason !== undefined) this.#refuse(file.path, reason);
      else {
        gone.add(file.path);
        this.#done.push(doneOf(file));
      }
    }
    if (type !== 'file' || proven.isTooLate()) return late;
    const going = candidates.filter(({ file }) => gone.has(file.path));
    const staying = (claimants.files.get(blake3) ?? []).filter(({ path }) => !gone.has(path));
    releaseContent(this.#net, blake3, {
      gone: new Set(going.map(({ file }) => file.stat.ino)),
      staying: staying.map(inodeOf),
      departed: claimants.departed.has(blake3),
    });
    return late;
  }
}

function doneOf({ path, size }: AsRecorded): { path: RepoPath; size: number } {
  return { path, size };
}

/** It is still what the index knew of it. */
function placedOf({ entry: { path, known, k } }: Candidate): Placed {
  return {
    path,
    stats: known.listing.stats.slice(k * STAT_WIDTH, (k + 1) * STAT_WIDTH),
    observedNs: known.observedNs,
    protection: known.protections[k] as Protection,
  };
}

function partOf(entity: RepoPath | undefined, other: RepoPath): string {
  if (entity !== undefined) return `something else of ${entity} has to stay, which is one thing`;
  return `its companion ${displayText(other).text} has to stay`;
}
