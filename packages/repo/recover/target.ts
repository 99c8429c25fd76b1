import fs from 'node:fs';
import path from 'node:path';
import { encodePath, type FsPath, type RepoPath } from '@bk/core';
import { bytePath } from '@bk/worktree';

/** The folder below which `recover --to` puts everything. */
export interface Target {
  /** Below the root, or below `outside`. */
  readonly path: RepoPath;
  /** Absolute path of a folder outside the repository, which is there. */
  readonly outside?: string;
}

/** @param to absolute; need not be there yet */
export function targetOf(root: string, to: string): Target {
  const whole = path.resolve(to);
  let existing = whole;
  while (!fs.existsSync(existing)) existing = path.dirname(existing);
  const there = fs.realpathSync.native(existing);
  const missing = path.relative(existing, whole);
  const below = path.relative(root, path.join(there, missing));
  const inside = below !== '..' && !below.startsWith('../');
  const relative = encodePath(bytePath(inside ? below : missing) as FsPath);
  return inside ? { path: relative } : { path: relative, outside: there };
}
