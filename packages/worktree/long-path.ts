import fs from 'node:fs';
import { nodePath } from './node-path.ts';

/** Paths of this many bytes and more are walked folder by folder: the kernel takes at most 4,095 at once. */
export const LONG_PATH = 3_500;

const OPEN_FOLDER = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;

/** Calls `work` with a short path of the directory `root/path`, however deep it lies, never following a link. */
export function withHeldDirectory<T>(root: string, path: string, work: (place: string) => T): T {
  let fd = fs.openSync(nodePath(root), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    for (const name of path === '' ? [] : path.split('/')) {
      const next = fs.openSync(nodePath(`/proc/self/fd/${fd}/${name}`), OPEN_FOLDER);
      fs.closeSync(fd);
      fd = next;
    }
    return work(`/proc/self/fd/${fd}`);
  } finally {
    fs.closeSync(fd);
  }
}
