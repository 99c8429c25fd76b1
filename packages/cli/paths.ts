import fs from 'node:fs';
import path from 'node:path';
import {
  BkError,
  encodePath,
  type FsName,
  type FsPath,
  isReservedName,
  type RepoPath,
  repoPath,
} from '@bk/core';
import { bytesOfArgument } from './arguments.ts';

/** Where paths on the command line start, and how they are spelled. */
export interface PathBase {
  /** The repository's root, without symbolic links. */
  readonly root: string;
  /** The current folder, or DIR of -C; absolute. */
  readonly directory: string;
  /** Arguments are in the history's spelling (`--encoded`). */
  readonly encoded: boolean;
}

/**
 * A path of the command line as a path below the root.
 * @throws BkError `usage` if it lies outside the repository, inside `.bk`, or is not the encoding of any path
 */
export function pathArgument(argument: string, base: PathBase): RepoPath {
  if (argument === '') throw new BkError('usage', 'an empty path names nothing');
  const here = encodePath(bytesOfArgument(positionBelow(base.root, base.directory)) as FsPath);
  const names = path.isAbsolute(argument)
    ? encodedNames(positionBelow(base.root, existingReal(argument, base.root)), base)
    : resolved(here, encodedNames(argument, base), argument);
  const found = names.join('/');
  if (names.some((name) => isReserved(name))) {
    throw new BkError('usage', `cannot use ${argument}: what lies in .bk is bk’s own`, { path: argument });
  }
  return found as RepoPath;
}

export function pathArguments(list: readonly string[] | undefined, base: PathBase): RepoPath[] {
  return (list ?? []).map((argument) => pathArgument(argument, base));
}

/** Names of a path as given, in the history's spelling; `.` and `..` as they are. */
function encodedNames(argument: string, base: PathBase): string[] {
  const names = argument.split('/').filter((name) => name !== '' && name !== '.');
  if (!base.encoded) return names.map((name) => (name === '..' ? name : encoded(name)));
  for (const name of names) if (name !== '..') checkEncoded(name, argument);
  return names;
}

function encoded(name: string): string {
  return encodePath(bytesOfArgument(name) as FsPath);
}

function checkEncoded(name: string, argument: string): void {
  try {
    repoPath(name);
  } catch (error) {
    if (name.toLowerCase() === '.bk') return; // Refused below, with a better reason.
    throw new BkError('usage', `not an encoded path: ${argument}`, {
      path: argument,
      hint: 'with --encoded paths are spelled as `bk … --json` shows them beside "encoded":true',
      cause: error,
    });
  }
}

function isReserved(name: string): boolean {
  return isReservedName(Buffer.from(name).toString('latin1') as FsName);
}

function resolved(here: string, names: readonly string[], argument: string): string[] {
  const result = here === '' ? [] : here.split('/');
  for (const name of names) {
    if (name !== '..') result.push(name);
    else if (result.pop() === undefined) throw outside(argument);
  }
  return result;
}

/** `folder` relative to the root, '' for the root itself. */
function positionBelow(root: string, folder: string): string {
  if (folder === root) return '';
  const prefix = root.endsWith('/') ? root : `${root}/`;
  if (!folder.startsWith(prefix)) throw outside(folder);
  return folder.slice(prefix.length);
}

function outside(argument: string): BkError {
  return new BkError('usage', `cannot use ${argument}: it lies outside the repository`, { path: argument });
}

/**
 * The path with the links in the folders above it resolved, as far as these exist; the last name stays what it is,
 * unless it is a link to the root.
 */
function existingReal(argument: string, root: string): string {
  if (fs.existsSync(argument) && fs.realpathSync.native(argument) === root) return root;
  const names: string[] = [];
  for (let folder = path.resolve(argument); ; folder = path.dirname(folder)) {
    names.unshift(path.basename(folder));
    const parent = path.dirname(folder);
    if (parent === folder) return path.resolve(argument);
    if (fs.existsSync(parent)) return path.join(fs.realpathSync.native(parent), ...names);
  }
}
