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
