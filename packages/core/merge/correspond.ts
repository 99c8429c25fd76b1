import type { ContentHash } from '../ids.ts';
import { comparePaths, type EncodedName, joinPath, nameOf, parentOf, type RepoPath, ROOT } from '../path.ts';
import { type ContentAt, type FolderContents, folderContents, isEvidence } from './folder-contents.ts';
import { FolderPoll, type Homes, homesOf } from './folder-poll.ts';

/** A folder of one tree that has mostly the same contents as a folder of the other. Counts are of files with content. */
export interface Correspondence {
  readonly theirs: RepoPath;
  readonly ours: RepoPath;
  /** In theirs, anywhere below it; so are all that follow. */
  readonly files: number;
  /** Whose content is anywhere below `ours`. */
  readonly equal: number;
  /** Whose content is nowhere in our tree. */
  readonly unique: number;
  /** equal / files */
  readonly share: number;
}

/** Below it, "is a copy of" would be said of less than it is not. */
const LEAST_SHARE = 0.5;
/** One equal file may be there by chance: a licence, a picture that everybody has. */
const LEAST_CONTENTS = 2;
/** A folder stands for those in it unless they, each with a folder of its own, explain so many more files; see `told`. */
const WHOLE = 0.8;

/**
 * Which folders of theirs are, for the greater part, copies of a folder of ours. Of nested folders the highest for which
 * it holds is named; of those that hold nothing but one another, the innermost. But what can be said of everything that
 * a side has is only said if its folders do not say as much; and where a folder corresponds to the same path of ours,
 * those in it that are elsewhere with us are named too, or instead of it if they are nearly all of it.
 *
 * Of several folders of ours that hold at least half of it the one is taken that says most about where a content is:
 * (contents held) × log2(1 + all contents of ours / contents of the folder). So a folder that holds a little more does
 * not win by being far greater, nor a small one that holds a little of it. What counts there is distinct contents:
 * a thousand equal files are one.
 *
 * Does not depend on the order of the input; sorted by files, most first. Cost: for every file the folders above it on
 * their side times those above its content on ours, each at most 32.
 */
export function correspondences(ours: Iterable<ContentAt>, theirs: Iterable<ContentAt>): Correspondence[] {
  const numbers = new Map<ContentHash, number>();
  const numberOf = (content: ContentHash): number => {
    const known = numbers.get(content);
    if (known === undefined) numbers.set(content, numbers.size);
    return known ?? numbers.size - 1;
  };
  const left = folderContents([...ours].filter(isEvidence), numberOf);
  const right = folderContents([...theirs].filter(isEvidence), numberOf);
  const homes = homesOf(left, numbers.size);
  const partners = choosePartners(left, right, homes);
  return told(partners, left, right)
    .map((theirs) => measure(left, right, homes, [theirs, partners.ours[theirs]!]))
    .filter(({ files, equal }) => equal >= files * LEAST_SHARE)
    .sort((a, b) => b.files - a.files || comparePaths(a.theirs, b.theirs));
}

/** The folder of ours for each of theirs, -1: none; and how many of its files are in it, common contents aside. */
interface Partners {
  readonly ours: Int32Array;
  readonly equal: Int32Array;
}

function choosePartners(left: FolderContents, right: FolderContents, homes: Homes): Partners {
  const poll = new FolderPoll(left, homes);
  const sizes = poll.contentsBelow();
  const count = right.paths.length;
  const partners = { ours: new Int32Array(count).fill(-1), equal: new Int32Array(count) };
  for (let folder = 0; folder < count; folder++) {
    const { asked, voted } = poll.ask(right, folder);
    let best = -1;
    let most = 0;
    for (const candidate of voted) {
      const held = poll.held[candidate]!;
      if (held < LEAST_CONTENTS || held < asked * LEAST_SHARE) continue;
      const says = held * Math.log2(1 + sizes.all / sizes.below[candidate]!);
      if (says < most) continue;
      if (says === most && !isBetter(left, right.paths[folder]!, [candidate, best])) continue;
      [best, most] = [candidate, says];
    }
    partners.ours[folder] = best;
    if (best >= 0) partners.equal[folder] = poll.files[best]!;
    poll.reset(voted);
  }
  return partners;
}

/** Of two folders that say as much: the one with more names in common from the end, then fewer files, the shorter path. */
function isBetter(ours: FolderContents, theirs: RepoPath, [one, other]: [number, number]): boolean {
  const [a, b] = [ours.paths[one]!, ours.paths[other]!];
  const files = (folder: number): number => ours.firstFile[ours.end[folder]!]! - ours.firstFile[folder]!;
  const common = commonEnd(theirs, b) - commonEnd(theirs, a);
  return (common || files(one) - files(other) || a.length - b.length || comparePaths(a, b)) < 0;
}

/** Names in common from the end; the same path has most. */
function commonEnd(a: RepoPath, b: RepoPath): number {
  if (a === b) return Number.MAX_SAFE_INTEGER;
  let names = 0;
  let [x, y] = [a, b];
  for (; x !== '' && y !== '' && nameOf(x) === nameOf(y); names++) [x, y] = [parentOf(x), parentOf(y)];
  return names;
}

/** Folders of theirs to tell about: what a folder says that those in it do not say better, and the other way round. */
function told(partners: Partners, left: FolderContents, right: FolderContents): number[] {
  const pathOf = (folder: number): RepoPath => left.paths[partners.ours[folder]!]!;
  const impliedBy = (outer: number) => (inner: number) =>
    below(pathOf(outer), right.paths[outer]!, right.paths[inner]!) === pathOf(inner);
  /** Files that folders explain, given in preorder; those in others of them are not counted again. */
  const explainedBy = (folders: readonly number[]): number => {
    let [sum, end] = [0, 0];
    for (const folder of folders) {
      if (folder < end) continue;
      sum += partners.equal[folder]!;
      end = right.end[folder]!;
    }
    return sum;
  };
  const tell = (folder: number, inner: number[]): number[] => {
    const equal = partners.equal[folder]!;
    if (partners.ours[folder]! < 0 || equal < WHOLE * explainedBy(inner)) return inner;
    const [theirs, ours] = [right.paths[folder]!, pathOf(folder)];
    if (theirs !== ours && theirs !== ROOT && ours !== ROOT) return [folder];
    const isImplied = impliedBy(folder);
    const others = inner.filter((one) => !isImplied(one));
    if (explainedBy(others) >= WHOLE * equal) return inner;
    return theirs === ours ? [folder, ...others] : [folder];
  };
  const inner: number[][] = right.paths.map(() => []);
  const top: number[] = [];
  for (let folder = right.paths.length - 1; folder >= 0; folder--) {
    const outer = right.above[folder]!;
    const list = outer < 0 ? top : inner[outer]!;
    for (const one of tell(folder, inner[folder]!.reverse()).reverse()) list.push(one);
  }
  return top;
}

/** Where `path`, which lies below `folder`, would be if the folder were at `target`. */
function below(target: RepoPath, folder: RepoPath, path: RepoPath): RepoPath {
  const rest = folder === ROOT ? path : path.slice(folder.length + 1);
  return joinPath(target, rest as EncodedName);
}

/** The exact figures, common contents included. */
function measure(
  left: FolderContents,
  right: FolderContents,
  homes: Homes,
  [theirs, ours]: [number, number],
): Correspondence {
  const [first, last] = [right.firstFile[theirs]!, right.firstFile[right.end[theirs]!]!];
  let equal = 0;
  let unique = 0;
  for (let i = first; i < last; i++) {
    const places = homes[right.contents[i]!];
    if (places === undefined) unique++;
    else if (hasBetween(places, ours, left.end[ours]!)) equal++;
  }
  const files = last - first;
  const paths = { theirs: right.paths[theirs]!, ours: left.paths[ours]! };
  return { ...paths, files, equal, unique, share: equal / files };
}

/** Whether an ascending list has a number from `first` on, before `end`. */
function hasBetween(ascending: readonly number[], first: number, end: number): boolean {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < first) low = middle + 1;
    else high = middle;
  }
  return low < ascending.length && ascending[low]! < end;
}
