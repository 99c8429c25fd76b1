import fs from 'node:fs';
import path from 'node:path';
import { BkError, newObjectId } from '@bk/core';
import {
  type Config,
  checkedName,
  DOT_BK,
  fsyncDirectory,
  hasCloneState,
  initHistory,
  type Layout,
  layoutOf,
  lock,
  readConfig,
  writeConfig,
} from '@bk/store';
import type { Context } from './context.ts';
import { volumeFacts } from './peers/volume.ts';

export interface InitOptions {
  /** Absent: the folder's name. */
  readonly name?: string;
}

export interface InitResult {
  readonly root: string;
  readonly id: string;
  readonly name: string;
}

/**
 * Makes `dir` a repository; `dir` itself is made too if only it is missing. config.json is written last: without it
 * there is no repository yet, and the next init finishes the work. In a repository's root it does nothing.
 * @throws BkError `inside-repository` below another repository, `not-found` without a parent folder, `io`
 */
export function init(dir: string, options: InitOptions, context: Context): InitResult {
  const name = options.name === undefined ? undefined : checkedName(options.name);
  const root = realRoot(path.resolve(dir));
  const layout = layoutOf(root);
  const found = repositoryAt(layout);
  if (found !== undefined) return { root, id: found.id, name: found.name };
  makeFolder(layout.dot);
  const writing = lock(layout.lock);
  try {
    const config = repositoryAt(layout) ?? make(layout, name ?? nameOfFolder(root), context);
    return { root, id: config.id, name: config.name };
  } finally {
    writing.release();
  }
}

function make(layout: Layout, name: string, context: Context): Config {
  for (const part of [layout.safety, layout.staging, layout.journal]) makeFolder(part);
  initHistory(layout.history);
  const config: Config = {
    v: 1,
    id: newObjectId(context.nowMs(), context.random(10)),
    name,
    settings: {},
    volume: volumeFacts(layout.root),
  };
  writeConfig(layout.config, config);
  fsyncDirectory(layout.root);
  return config;
}

/** The folder without symbolic links in its path, made if it is missing; nothing is made inside another repository. */
function realRoot(dir: string): string {
  const stat = fs.statSync(dir, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isDirectory()) {
    throw new BkError('not-found', `cannot make a repository at ${dir}: it is not a folder`, { path: dir });
  }
  const known = stat === undefined ? path.dirname(dir) : dir;
  const real = realPath(known, dir);
  refuseInside(stat === undefined ? real : path.dirname(real), dir);
  if (stat !== undefined) return real;
  const made = path.join(real, path.basename(dir));
  fs.mkdirSync(made);
  fsyncDirectory(real);
  return made;
}

function realPath(folder: string, dir: string): string {
  try {
    return fs.realpathSync.native(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new BkError('not-found', `cannot make a repository at ${dir}: there is no folder ${folder}`, {
      path: dir,
      hint: 'make the folder first',
    });
  }
}

function refuseInside(start: string, dir: string): void {
  for (let folder = start; ; folder = path.dirname(folder)) {
    if (path.basename(folder) === DOT_BK || isFolder(path.join(folder, DOT_BK))) {
      throw new BkError('inside-repository', `cannot make a repository at ${dir}: ${folder} is one already`, {
        path: dir,
        hint: 'bk tracks everything below the root of a repository; a repository in it would not be tracked',
      });
    }
    if (folder === path.dirname(folder)) return;
  }
}

/** The config of the repository that is there already; a `.bk` without one is a half-made init, unless it has a history. */
function repositoryAt(layout: Layout): Config | undefined {
  const stat = fs.lstatSync(layout.dot, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (!stat.isDirectory()) {
    throw new BkError(
      'refused',
      `cannot make a repository at ${layout.root}: .bk is there and is not a folder`,
      {
        path: layout.dot,
        hint: 'move it away if it is not bk’s',
      },
    );
  }
  const config = readConfig(layout.config);
  if (config === undefined && hasCloneState(layout)) {
    throw new BkError('refused', `cannot make a repository at ${layout.root}: an unfinished clone is there`, {
      path: layout.root,
      hint: 'give the same `bk clone` again to finish it',
    });
  }
  if (config === undefined && fs.existsSync(path.join(layout.history, 'refs', 'heads', 'main'))) {
    throw new BkError('damaged', `cannot use ${layout.dot}: it has a history but no config.json`, {
      path: layout.config,
      hint: 'put config.json back from a backup of .bk',
    });
  }
  return config;
}

/** Only its owner may look into it, whatever the umask or a half-made init left. */
function makeFolder(folder: string): void {
  if (!isFolder(folder)) fs.mkdirSync(folder, 0o700);
  fs.chmodSync(folder, 0o700);
}

function isFolder(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** A repository's name from its folder's. */
export function nameOfFolder(root: string): string {
  const name = path
    .basename(root)
    .replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  let end = name.length;
  while (Buffer.byteLength(name.slice(0, end)) > 100) end--;
  return name.slice(0, end) || 'root';
}
