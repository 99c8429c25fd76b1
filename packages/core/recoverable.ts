import { besideName, besideNames } from './beside.ts';
import { companionStemAt } from './companions.ts';
import type { EntryType } from './entry.ts';
import type { ContentHash, GitId, ObjectId } from './ids.ts';
import { sortByPath } from './nearest.ts';
import { compareNames, type EncodedName, joinPath, nameOf, parentOf, type RepoPath, ROOT } from './path.ts';
import { companionsToRecover } from './recoverable-companions.ts';

/** What a path held until a commit deleted it or gave it another content. */
export interface DepartedVersion {
  readonly path: RepoPath;
  readonly id: ObjectId;
  readonly type: EntryType;
  /** Absent for folders. */
  readonly blake3?: ContentHash;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly mode: number;
  /** Of a symlink, encoded like a name. */
  readonly target?: string;
  readonly departedIn: GitId;
  /** When that commit was made, ms since 1970. */
  readonly timeMs: number;
  readonly confirmed: boolean;
  readonly reason: 'deleted' | 'replaced';
}

/** What is at a path now. */
export interface Live {
  readonly type: EntryType;
  readonly blake3?: ContentHash;
}

export interface RecoverInput<Source> {
  /** Without deletions of objects that are alive again: those would come back beside themselves. */
  readonly versions: Iterable<DepartedVersion>;
  /** Paths of files or folders; the root asks for everything. */
  readonly wanted: readonly RepoPath[];
  /** Bring back earlier contents of files below wanted folders too, not only what was deleted. A file named itself always. */
  readonly replaced: boolean;
  readonly live: (path: RepoPath) => Live | undefined;
  /** Where a content can be had, best first; undefined: nowhere. */
  readonly source: (content: ContentHash) => Source | undefined;
  /** YYYY-MM-DD, for the names of files that are in the way. */
  readonly date: string;
  /** Folder to put everything below, with its relative path; `live` is asked for the paths there. */
  readonly to?: RepoPath;
}

export interface Recovery<Source> {
  readonly version: DepartedVersion;
  readonly path: RepoPath;
  /** Absent for folders and symlinks, whose version says all, and for an empty file that nothing holds. */
  readonly source?: Source;
  /** The file that was named, if this comes back as its companion only. */
  readonly of?: RepoPath;
}

export interface RecoverFailure {
  readonly path: RepoPath;
  readonly reason: string;
  /** The version that was asked for; absent: none is known. */
  readonly version?: DepartedVersion;
  /** The latest earlier one whose content can be had. */
  readonly earlier?: DepartedVersion;
}

export interface RecoverDecision<Source> {
  /** Sorted by path, so that folders come before what goes into them. */
  readonly recoveries: readonly Recovery<Source>[];
  /** Versions that are there already, at their path or beside it: nothing to do. */
  readonly present: readonly { readonly version: DepartedVersion; readonly path: RepoPath }[];
  readonly failed: readonly RecoverFailure[];
}

/**
 * Chooses what to bring back, and where to: of each wanted path its latest version, never over anything. Where
 * something is in the way, the file gets a name beside it; where a file is in the place of a folder above, that folder
 * gets one. Deleted companions of a file that is named come along (companionsToRecover), and those that were
 * deleted in one commit come beside together. What is already there with the same content is not brought back again.
 */
export function decideRecovery<Source>(input: RecoverInput<Source>): RecoverDecision<Source> {
  const { chosen, unmatched, companions } = chooseVersions(input);
  const places = newPlaces(input, groupsOf(chosen));
  const recoveries: Recovery<Source>[] = [];
  const present: { version: DepartedVersion; path: RepoPath }[] = [];
  const failed: RecoverFailure[] = unmatched.map((path) => ({ path, reason: NOTHING_KNOWN }));
  for (const versions of chosen) {
    const version = versions[0]!;
    const source = sourceOf(version, input);
    const place = places.find(version);
    if (place.present) present.push({ version, path: place.path });
    else if (source === undefined && needsSource(version)) failed.push(unobtainable(versions, input));
    else {
      places.reserve(place.path, version);
      const of = companions.get(version.path);
      recoveries.push({
        version,
        path: place.path,
        ...(source !== undefined && { source }),
        ...(of !== undefined && { of }),
      });
    }
  }
  return {
    recoveries: sortByPath(recoveries, (recovery) => recovery.path),
    present: sortByPath(present, (entry) => entry.path),
    failed: sortByPath(failed, (failure) => failure.path),
  };
}

const NOTHING_KNOWN = 'nothing that could be brought back is known of it';

interface Choice {
  /** For each path its versions, latest first; sorted by path. */
  readonly chosen: readonly (readonly DepartedVersion[])[];
  readonly unmatched: readonly RepoPath[];
  /** Paths that only a companion asks for, and which. */
  readonly companions: ReadonlyMap<RepoPath, RepoPath>;
}

function chooseVersions<Source>(input: RecoverInput<Source>): Choice {
  const wanted = new Set(input.wanted);
  const matched = new Set<RepoPath>([ROOT]);
  const byPath = new Map<RepoPath, DepartedVersion[]>();
  const companions = new Map<RepoPath, RepoPath>();
  const versions = [...input.versions];
  const isFree = (path: RepoPath) => input.live(placeBelow(path, input.to)) === undefined;
  const companionOf = companionsToRecover(versions, input.wanted, isFree);
  for (const version of versions) {
    const asked = askedBy(version, wanted, input.replaced);
    const of = asked.length === 0 ? companionOf(version) : undefined;
    if (asked.length === 0 && of === undefined) continue;
    if (of !== undefined) companions.set(version.path, of);
    for (const path of asked) matched.add(path);
    const known = byPath.get(version.path);
    if (known === undefined) byPath.set(version.path, [version]);
    else known.push(version);
  }
  const chosen = sortByPath(byPath.values(), (versions) => versions[0]!.path);
  for (const versions of chosen) versions.sort(latestFirst);
  return { chosen, unmatched: [...wanted].filter((path) => !matched.has(path)), companions };
}

/** Which of the wanted paths ask for a version: its own, and those of the folders above. */
function askedBy(version: DepartedVersion, wanted: ReadonlySet<RepoPath>, replaced: boolean): RepoPath[] {
  const asked = wanted.has(version.path) ? [version.path] : [];
  if (version.reason === 'replaced' && !replaced) return asked;
  for (let path = version.path; path !== ROOT; ) {
    path = parentOf(path);
    if (wanted.has(path)) asked.push(path);
  }
  return asked;
}

function latestFirst(a: DepartedVersion, b: DepartedVersion): number {
  return (
    b.timeMs - a.timeMs ||
    compareNames(b.departedIn, a.departedIn) ||
    compareNames(a.id, b.id) ||
    compareNames(a.blake3 ?? '', b.blake3 ?? '')
  );
}

function sourceOf<Source>(version: DepartedVersion, input: RecoverInput<Source>): Source | undefined {
  if (version.type !== 'file' || version.blake3 === undefined) return undefined;
  return input.source(version.blake3);
}

function needsSource(version: DepartedVersion): boolean {
  return version.type === 'file' && version.size > 0;
}

function unobtainable<Source>(
  versions: readonly DepartedVersion[],
  input: RecoverInput<Source>,
): RecoverFailure {
  const version = versions[0]!;
  const earlier = versions
    .slice(1)
    .find((other) => !needsSource(other) || sourceOf(other, input) !== undefined);
  const failure = { path: version.path, reason: 'no copy of its content can be reached', version };
  return earlier === undefined ? failure : { ...failure, earlier };
}

/** Of each deleted file those that were deleted with it, itself included, if they are companions. */
function groupsOf(chosen: Choice['chosen']): ReadonlyMap<DepartedVersion, readonly DepartedVersion[]> {
  const groups = new Map<string, DepartedVersion[]>();
  for (const [version] of chosen) {
    if (version === undefined || version.type === 'dir' || version.reason === 'replaced') continue;
    const key = `${version.departedIn} ${companionStemAt(version.path)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [version]);
    else group.push(version);
  }
  const found = new Map<DepartedVersion, readonly DepartedVersion[]>();
  for (const group of groups.values())
    if (group.length > 1) for (const version of group) found.set(version, group);
  return found;
}

interface Place {
  readonly path: RepoPath;
  /** The version is there already. */
  readonly present: boolean;
}

interface Places {
  readonly find: (version: DepartedVersion) => Place;
  readonly reserve: (path: RepoPath, version: DepartedVersion) => void;
}

/** Finds free paths, counting those that this decision fills already; remembers folders that had to get other names. */
function newPlaces(
  input: Pick<RecoverInput<unknown>, 'live' | 'date' | 'to'>,
  groups: ReturnType<typeof groupsOf>,
): Places {
  const found = new Map<DepartedVersion, Place>();
  const reserved = new Map<RepoPath, Live>();
  const folders = new Map<RepoPath, RepoPath>([[ROOT, input.to ?? ROOT]]);
  const at = (path: RepoPath): Live | undefined => reserved.get(path) ?? input.live(path);

  const free = (wished: RepoPath, fits: (there: Live | undefined) => boolean): RepoPath => {
    if (fits(at(wished))) return wished;
    const folder = parentOf(wished);
    const taken = (name: EncodedName): boolean => !fits(at(joinPath(folder, name)));
    return joinPath(folder, besideName(nameOf(wished), `recovered ${input.date}`, taken));
  };
  const folderFor = (path: RepoPath): RepoPath => {
    const known = folders.get(path);
    if (known !== undefined) return known;
    const wished = joinPath(folderFor(parentOf(path)), nameOf(path));
    const folder = free(wished, (there) => there === undefined || there.type === 'dir');
    folders.set(path, folder);
    return folder;
  };
  const pathFor = (version: DepartedVersion): RepoPath => {
    if (version.type === 'dir') return folderFor(version.path);
    const wished = joinPath(folderFor(parentOf(version.path)), nameOf(version.path));
    return free(wished, (there) => there === undefined || isSame(there, version));
  };
  /** One note for all: then they are companions there too. */
  const findGroup = (group: readonly DepartedVersion[]): void => {
    const folder = folderFor(parentOf(group[0]!.path));
    const isTaken = (name: EncodedName, i: number): boolean => {
      const there = at(joinPath(folder, name));
      return there !== undefined && !isSame(there, group[i]!);
    };
    const own = group.map(({ path }) => nameOf(path));
    const names = own.some(isTaken) ? besideNames(own, `recovered ${input.date}`, isTaken) : own;
    const places = names.map((name) => joinPath(folder, name));
    for (const [i, path] of places.entries()) found.set(group[i]!, { path, present: at(path) !== undefined });
    for (const [i, path] of places.entries()) reserved.set(path, { type: group[i]!.type });
  };
  return {
    find: (version) => {
      const group = groups.get(version);
      if (group !== undefined && !found.has(version)) findGroup(group);
      const path = found.get(version)?.path ?? pathFor(version);
      return found.get(version) ?? { path, present: at(path) !== undefined };
    },
    reserve: (path, { type }) => void reserved.set(path, { type }),
  };
}

function placeBelow(path: RepoPath, folder: RepoPath | undefined): RepoPath {
  return folder === undefined || folder === ROOT ? path : (`${folder}/${path}` as RepoPath);
}

function isSame(at: Live, version: DepartedVersion): boolean {
  return at.type === version.type && at.blake3 !== undefined && at.blake3 === version.blake3;
}
