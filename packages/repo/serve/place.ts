import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BkError } from '@bk/core';

/** A folder that somebody elsewhere named. */
export interface Place {
  /** To open it by. */
  readonly path: string;
  /** Lets go of the descriptor that the path may lead through. */
  close(): void;
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
const MOST_NAMES = 1_000;

/**
 * The folder that a path of another machine means here: absolute, below the home folder (`~/…`), or below the current
 * one, which ssh makes the home folder.
 */
export function placeOf(given: string): Place {
  checkText(given);
  const home = given === '~' || given.startsWith('~/');
  return { path: home ? path.join(os.homedir(), given.slice(1)) : path.resolve(given), close: () => {} };
}

/**
 * The same for one who may see nothing but what is below `root`: every path begins there. Name by name from a held
 * descriptor, so that neither `..` nor a symlink leads out, also not one that is put there meanwhile: the path that it
 * gives goes on meaning the very folder that was found (RELIABILITY S23).
 * @throws BkError 'refused' for a name that leads elsewhere; 'unreachable' if there is no such folder
 */
export function placeBelow(root: string, given: string): Place {
  checkText(given);
  const names = given
    .replace(/^~(?=\/|$)/, '')
    .split('/')
    .filter((name) => name !== '' && name !== '.');
  if (names.length > MOST_NAMES) throw refused(given, 'it has too many names');
  if (names.includes('..')) throw refused(given, '.. leads elsewhere');
  if (!fs.existsSync('/proc/self/fd')) return lookedAt(root, names, given);
  let fd = opened(root, O_RDONLY | O_DIRECTORY, given);
  for (const name of names) {
    try {
      const next = opened(`/proc/self/fd/${fd}/${name}`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, given);
      fs.closeSync(fd);
      fd = next;
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }
  const held = fd;
  return { path: `/proc/self/fd/${held}`, close: () => fs.closeSync(held) };
}

/** Where descriptors have no paths the promise is weaker: each name is looked at, just before. */
function lookedAt(root: string, names: readonly string[], given: string): Place {
  let folder = fs.realpathSync.native(root);
  for (const name of names) {
    folder = path.join(folder, name);
    fs.closeSync(opened(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, given));
  }
  return { path: folder, close: () => {} };
}

function opened(folder: string, how: number, given: string): number {
  try {
    return fs.openSync(folder, how);
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code);
    if (code === 'ELOOP' || code === 'ENOTDIR')
      throw refused(given, 'it is no folder, or a link that leads elsewhere');
    const why = code === 'ENOENT' ? 'there is no such folder' : `the system there says ${code}`;
    throw new BkError('unreachable', `cannot reach ${given}: ${why}`, { path: given, cause: error });
  }
}

function checkText(given: string): void {
  if (given === '' || given.includes('\0')) throw refused(given, 'it is no path');
}

function refused(given: string, why: string): BkError {
  return new BkError('refused', `cannot use ${given}: ${why}`, { path: given });
}
