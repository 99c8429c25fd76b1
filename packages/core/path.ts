declare const brand: unique symbol;
type Branded<T extends string> = string & { readonly [brand]: T };

/** A path below the root in the history's spelling: encoded names (SPEC 2.1) joined by `/`; '' is the root. Always valid Unicode text. */
export type RepoPath = Branded<'RepoPath'>;
/** One name in the history's spelling. */
export type EncodedName = Branded<'EncodedName'>;
/** One name as the file system has it: a byte string, one char (0 to 255) per byte. */
export type FsName = Branded<'FsName'>;
/** A path below the root as the file system has it: FsNames joined by `/`; '' is the root. */
export type FsPath = Branded<'FsPath'>;

export const ROOT = '' as RepoPath;

export function joinPath(folder: RepoPath, name: EncodedName): RepoPath {
  return (folder === '' ? name : `${folder}/${name}`) as RepoPath;
}

/** The folder that holds `path`; of the root, the root. */
export function parentOf(path: RepoPath): RepoPath {
  const slash = path.lastIndexOf('/');
  return (slash < 0 ? '' : path.slice(0, slash)) as RepoPath;
}

/** The last name of `path`; of the root, ''. */
export function nameOf(path: RepoPath): EncodedName {
  return path.slice(path.lastIndexOf('/') + 1) as EncodedName;
}

/** Whether `path` is `folder` itself or lies below it. */
export function isInside(path: RepoPath, folder: RepoPath): boolean {
  if (folder === '') return true;
  if (!path.startsWith(folder)) return false;
  return path.length === folder.length || path.charCodeAt(folder.length) === SLASH;
}

/**
 * Order of the UTF-8 bytes of two texts: negative, 0 or positive. JS compares UTF-16 units, which puts characters
 * beyond U+FFFF before U+E000 to U+FFFF.
 */
export function compareNames(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Order of the bytes of two whole paths, as `git ls-tree -r` and the index of git have it ('a-b' before 'a/b'). */
export const comparePaths: (a: string, b: string) => number = compareNames;

/** Order of the entries of one git tree: as if the names of folders ended in `/`. */
export function compareTreeNames(a: string, aIsFolder: boolean, b: string, bIsFolder: boolean): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  const x = a.length > end ? a.charCodeAt(end) : aIsFolder ? SLASH : -1;
  const y = b.length > end ? b.charCodeAt(end) : bIsFolder ? SLASH : -1;
  return rank(x) - rank(y) || a.length - b.length;
}

const SLASH = 0x2f;

/** Moves surrogates (characters beyond U+FFFF) above all other units, where their UTF-8 bytes are. */
function rank(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
