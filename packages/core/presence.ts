import { formatCommitMessage, isRepositoryName } from './commit.ts';
import { BkError } from './error.ts';
import type { GitId } from './ids.ts';
import { formatJson, isJsonObject, type JsonObject, type JsonValue, parseJson } from './json.ts';
import { parseMtime } from './mtime.ts';
import { utf8Bytes } from './name.ts';
import { type EncodedName, nameOf, parentOf, type RepoPath } from './path.ts';
import { parseSubset, type Subset, subsetHash } from './subset.ts';

/** What a repository says of itself in its presence (SPEC 2.1, `repository.json`); the others read it. */
export interface RepositoryFacts {
  readonly v: 1;
  /** UUID, lower case. */
  readonly id: string;
  readonly name: string;
  /** Of the file system that holds it; copies on one volume are one copy. */
  readonly volume: string;
  readonly subset: Subset & { readonly hash: string };
  /** `folder`: files in an ordinary folder. A newer bk may know others. */
  readonly kind: string;
  /** Where it was last reached; never with a password. */
  readonly address?: string;
  /** When this was written: as formatMtime writes it, years 0000 to 9999. */
  readonly time: string;
  /** `present/` was all that the head had: nothing was absent by design. Only ever `true`. */
  readonly whole?: true;
  /** The oldest verification of all contents it holds; absent: some were never verified. */
  readonly verified?: string;
}

export const REPOSITORY_FILE = 'repository.json' as EncodedName;
export const PRESENT_TREE = 'present' as EncodedName;

const REF = 'refs/bk/repositories/';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const HASH = /^[0-9a-f]{64}$/;
const VOLUME = /^[\x21-\x7e]{1,128}$/;
const KIND = /^[a-z][a-z0-9-]{0,31}$/;
const LONGEST_ADDRESS = 4096;

/** The ref that only this repository writes. @throws BkError 'damaged' if it is no repository id */
export function presenceRef(id: string): string {
  if (!UUID.test(id)) throw damaged(`not a repository id: ${JSON.stringify(id)}`);
  return `${REF}${id}`;
}

/** The repository whose presence a ref is; undefined for other refs. */
export function repositoryOfRef(ref: string): string | undefined {
  const id = ref.slice(REF.length);
  return ref.startsWith(REF) && UUID.test(id) ? id : undefined;
}

/** Text of a presence commit: equal for equal repositories, so that it says nothing the tree does not. */
export function presenceMessage(repository: { readonly id: string; readonly name: string }): string {
  return formatCommitMessage({ message: `presence of ${repository.name}`, repository });
}

/** Canonical text of the facts; a password in the address is left out. @throws BkError 'bug' for what parse would refuse */
export function formatRepositoryFacts(facts: RepositoryFacts): string {
  const { include, exclude, hash } = facts.subset;
  const address = facts.address === undefined ? {} : { address: withoutPassword(facts.address) };
  const verified = facts.verified === undefined ? {} : { verified: facts.verified };
  const whole = facts.whole === undefined ? {} : { whole: facts.whole };
  const { v, id, name, volume, kind, time } = facts;
  const value = {
    ...{ v, id, name, volume, kind, time, ...address, ...verified, ...whole },
    subset: { include, exclude, hash },
  };
  try {
    checkFacts(value);
  } catch (cause) {
    throw new BkError('bug', `cannot describe this repository: ${(cause as Error).message}`, { cause });
  }
  return formatJson(value);
}

/**
 * Reads what another machine wrote. Fields that this bk does not know are passed over.
 * @param id of the repository whose ref it was found under: nobody speaks for another
 * @throws BkError 'damaged'
 */
export function parseRepositoryFacts(text: string, id: string): RepositoryFacts {
  const value = parseJson(text);
  if (!isJsonObject(value)) throw damaged('not an object');
  const facts = checkFacts(value);
  if (facts.id !== id) throw damaged(`it speaks for ${facts.id}, under the name of ${id}`);
  return facts;
}

/** Whether a new presence must be written: not if only its time would differ, so that doing nothing twice writes nothing. */
export function needsPresence(
  last: { readonly facts: RepositoryFacts; readonly present: GitId } | undefined,
  next: { readonly facts: RepositoryFacts; readonly present: GitId },
): boolean {
  if (last === undefined || last.present !== next.present) return true;
  const { time } = next.facts;
  return formatRepositoryFacts({ ...last.facts, time }) !== formatRepositoryFacts(next.facts);
}

/**
 * How the tree `present/` comes from the head's tree: by taking out what is absent. A path is that of a file or of a
 * folder that is absent as a whole (a walk with a subset's mayContain finds those without going in). Folders that are
 * not mentioned, nor hold one that is, keep their tree, so that the presence shares it with the history; with no absent
 * paths `present/` is the head's tree itself. A folder that nothing is left in goes too, unless it is the root.
 */
export interface PresentTree {
  readonly head: GitId;
  readonly absent: Iterable<RepoPath>;
}

/** Trees to make anew, each with the names to take out of it; the deepest first, so that a caller can go bottom-up. */
export interface TreeEdit {
  readonly folder: RepoPath;
  readonly without: ReadonlySet<EncodedName>;
}

/**
 * The trees that differ from the head's, their ancestors included (with nothing to take out of them). Paths below an
 * absent folder are covered by it.
 */
export function presentEdits(absent: Iterable<RepoPath>): TreeEdit[] {
  const gone = new Set(absent);
  const edits = new Map<RepoPath, Set<EncodedName>>();
  for (const path of gone) {
    if (path === '' || isBelowOne(path, gone)) continue;
    let folder = parentOf(path);
    const known = edits.get(folder);
    if (known !== undefined) {
      known.add(nameOf(path));
      continue;
    }
    edits.set(folder, new Set([nameOf(path)]));
    while (folder !== '') {
      folder = parentOf(folder);
      if (edits.has(folder)) break;
      edits.set(folder, new Set());
    }
  }
  return [...edits]
    .map(([folder, without]) => ({ folder, without, depth: depthOf(folder) }))
    .sort((a, b) => b.depth - a.depth || (a.folder < b.folder ? -1 : 1))
    .map(({ folder, without }) => ({ folder, without }));
}

function isBelowOne(path: RepoPath, gone: ReadonlySet<RepoPath>): boolean {
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder))
    if (gone.has(folder)) return true;
  return false;
}

function depthOf(folder: RepoPath): number {
  return folder === '' ? 0 : folder.split('/').length;
}

function checkFacts(value: JsonObject): RepositoryFacts {
  if (value.v !== 1) throw damaged(`version ${JSON.stringify(value.v)}`, 'A newer bk may have written it.');
  const name = text(value, 'name');
  if (!isRepositoryName(name) || name.includes('/') || utf8Bytes(name).length > 100)
    throw damaged('name is no name of a repository');
  const facts = {
    v: 1,
    id: matching(value, 'id', UUID),
    name,
    volume: matching(value, 'volume', VOLUME),
    kind: matching(value, 'kind', KIND),
    time: time(value, 'time'),
    subset: checkSubset(value.subset),
  } as const;
  const address = value.address === undefined ? {} : { address: checkAddress(text(value, 'address')) };
  const verified = value.verified === undefined ? {} : { verified: time(value, 'verified') };
  if (value.whole !== undefined && value.whole !== true) throw damaged('whole is not what it should be');
  return { ...facts, ...address, ...verified, ...(value.whole === true && { whole: true as const }) };
}

function checkSubset(value: JsonValue | undefined): RepositoryFacts['subset'] {
  if (!isJsonObject(value)) throw damaged('subset is no object');
  const include = patterns(value.include);
  const exclude = patterns(value.exclude);
  const hash = matching(value, 'hash', HASH);
  let subset: Subset;
  try {
    subset = parseSubset(include, exclude);
  } catch (cause) {
    throw damaged(`its subset: ${(cause as Error).message}`, undefined, cause);
  }
  if (subset.include.length + subset.exclude.length !== include.length + exclude.length)
    throw damaged('subset has a pattern twice');
  if (subsetHash(subset) !== hash) throw damaged('subset does not have the hash it says');
  return { ...subset, hash };
}

function patterns(value: JsonValue | undefined): string[] {
  if (!Array.isArray(value)) throw damaged('subset has no list of patterns');
  return (value as readonly JsonValue[]).map((pattern) => {
    if (typeof pattern !== 'string') throw damaged('a pattern of the subset is no text');
    return pattern;
  });
}

/** One line: it is shown to people and given to those who connect, never to a shell. */
function checkAddress(address: string): string {
  const isLine = !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(address) && address.trim() === address;
  if (address === '' || address.length > LONGEST_ADDRESS || !isLine)
    throw damaged('address is no line of text');
  if (withoutPassword(address) !== address) throw damaged('address has a password in it');
  return address;
}

function withoutPassword(address: string): string {
  return address.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/[^/:@]*):[^/]*@/, '$1@');
}

function time(value: JsonObject, field: string): string {
  const found = text(value, field);
  parseMtime(found);
  if (!/^\d/.test(found)) throw damaged(`${field} is not in the years 0000 to 9999`);
  return found;
}

function matching(value: JsonObject, field: string, pattern: RegExp): string {
  const found = text(value, field);
  if (!pattern.test(found)) throw damaged(`${field} is not what it should be`);
  return found;
}

function text(value: JsonObject, field: string): string {
  const found = value[field];
  if (typeof found !== 'string') throw damaged(`${field} is ${found === undefined ? 'missing' : 'no text'}`);
  return found;
}

function damaged(why: string, hint?: string, cause?: unknown): BkError {
  return new BkError('damaged', `not a repository's presence: ${why}`, {
    ...(hint !== undefined && { hint }),
    ...(cause !== undefined && { cause }),
  });
}
