import fs from 'node:fs';
import { BkError, type FsPath } from '@bk/core';
import ignore, { type Ignore } from 'ignore';
import { LONG_PATH, withHeldDirectory } from './long-path.ts';
import { bytePath, nodePath } from './node-path.ts';

/** The file, in any folder, whose patterns (gitignore syntax and meaning) exclude what lies below that folder. */
export const IGNORE_FILE = '.bkignore';

/** What holds in one folder: the patterns of its own file and of all above it, each rewritten to start at the root. */
interface Rules {
  readonly patterns: string;
  readonly matcher: Ignore;
}
/** `ignore` remembers every path it was asked about, so a matcher is made anew after so many. */
const MATCHER_USES = 4096;

/**
 * The rules of one look at a tree. Files are read when something in their folder, or below, is first asked about:
 * a scan that finds nothing new reads none. Patterns and names are byte strings, so `?` is one byte, as for git.
 */
export class IgnoreRules {
  readonly #root: string;
  /** Undefined: nothing is excluded there. */
  readonly #folders = new Map<string, Rules | undefined>();
  readonly #without = new Set<string>();
  #lastFolder: string | undefined;
  #lastRules: Rules | undefined;
  #uses = 0;

  /** @param root absolute path of the tree */
  constructor(root: string) {
    this.#root = bytePath(root);
  }

  /**
   * Whether the path, or a folder it is in, is excluded.
   * @throws BkError 'io' if a `.bkignore` is there and cannot be read
   */
  ignores(path: FsPath, isFolder: boolean): boolean {
    const slash = path.lastIndexOf('/');
    const folder = slash < 0 ? '' : path.slice(0, slash);
    if (folder !== this.#lastFolder) {
      this.#lastRules = this.#rulesIn(folder);
      this.#lastFolder = folder;
    }
    if (this.#lastRules === undefined) return false;
    this.#refresh();
    return this.#lastRules.matcher.ignores(isFolder ? `${path}/` : path);
  }

  /** Says that a complete listing of a folder shows no `.bkignore`: it is not looked for. */
  hasNone(folder: FsPath): void {
    this.#without.add(folder);
  }

  #rulesIn(folder: string): Rules | undefined {
    if (this.#folders.has(folder)) return this.#folders.get(folder);
    const slash = folder.lastIndexOf('/');
    const above = folder === '' ? undefined : this.#rulesIn(slash < 0 ? '' : folder.slice(0, slash));
    const text = this.#without.has(folder) ? undefined : readIgnoreFile(this.#root, folder);
    const own = text === undefined ? '' : rootedPatterns(text, folder);
    const rules = own === '' ? above : makeRules(`${above?.patterns ?? ''}${own}`);
    this.#folders.set(folder, rules);
    return rules;
  }

  #refresh(): void {
    if (++this.#uses < MATCHER_USES || this.#lastRules === undefined) return;
    this.#uses = 0;
    const { patterns } = this.#lastRules;
    const fresh = makeRules(patterns);
    for (const [folder, rules] of this.#folders)
      if (rules?.patterns === patterns) this.#folders.set(folder, fresh);
    this.#lastRules = fresh;
  }
}

function makeRules(patterns: string): Rules {
  return { patterns, matcher: ignore({ ignorecase: false }).add(patterns) };
}

/**
 * The patterns of a folder's file as patterns of the root, so that the last match over all files decides, deeper
 * files later, and what is inside an excluded folder stays excluded.
 * @returns lines, each with its LF
 */
export function rootedPatterns(text: string, folder: string): string {
  const base = folder === '' ? '' : `/${folder.replace(/[\\*?[\]]/g, '\\$&')}`;
  let patterns = '';
  for (const line of text.replace(/^\xef\xbb\xbf/, '').split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue;
    patterns += `${base === '' ? line : rooted(line, base)}\n`;
  }
  return patterns;
}

function rooted(line: string, base: string): string {
  const negation = line.startsWith('!') ? '!' : '';
  const pattern = line.slice(negation.length);
  const bare = pattern.replace(/ +$/, '');
  if (bare === '' || bare === '/') return '';
  if (pattern.startsWith('/')) return `${negation}${base}${pattern}`;
  return `${negation}${base}/${bare.slice(0, -1).includes('/') ? '' : '**/'}${pattern}`;
}

const OPEN = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;

/** Undefined if there is no such regular file; links are not followed, as git does not follow them. */
function readIgnoreFile(root: string, folder: string): string | undefined {
  const place = folder === '' ? root : `${root}/${folder}`;
  try {
    if (place.length < LONG_PATH) return read(`${place}/${IGNORE_FILE}`);
    return withHeldDirectory(root, folder, (held) => read(`${held}/${IGNORE_FILE}`));
  } catch (cause) {
    const path = folder === '' ? IGNORE_FILE : `${folder}/${IGNORE_FILE}`;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = 'Make it readable, or remove it: without its patterns too much would be tracked.';
    throw new BkError('io', `cannot read ${path}: ${reason}`, { cause, path, hint });
  }
}

/** Where a file is in the place of the folder there are no patterns. */
function isFile(at: string | Buffer): boolean {
  try {
    return fs.lstatSync(at, { throwIfNoEntry: false })?.isFile() === true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false;
    throw error;
  }
}

function read(file: string): string | undefined {
  const at = nodePath(file);
  if (!isFile(at)) return undefined;
  const fd = fs.openSync(at, OPEN);
  try {
    return fs.readFileSync(fd, 'latin1');
  } finally {
    fs.closeSync(fd);
  }
}
