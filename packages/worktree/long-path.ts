import fs from 'node:fs';
import { nodePath } from './node-path.ts';

/** Paths of this many bytes and more are walked in stages: the kernel takes at most 4,095 at once. */
export const LONG_PATH = 3_500;

const OPEN_FOLDER = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;

/**
 * Calls `work` with a short path of the directory `root/path`, however deep it lies; the directory itself is never a link.
 * @param root absolute; both are byte strings
 */
export function withHeldDirectory<T>(root: string, path: string, work: (place: string) => T): T {
  let fd = fs.openSync(nodePath(root), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    for (const stage of stages(path)) {
      const next = fs.openSync(nodePath(`/proc/self/fd/${fd}/${stage}`), OPEN_FOLDER);
      fs.closeSync(fd);
      fd = next;
    }
    return work(`/proc/self/fd/${fd}`);
  } finally {
    fs.closeSync(fd);
  }
}

/** A path cut at slashes into pieces that the kernel takes: a few opens, not one for each folder. */
function* stages(path: string): Generator<string> {
  let rest = path;
  while (rest.length >= LONG_PATH) {
    const slash = rest.lastIndexOf('/', LONG_PATH);
    yield rest.slice(0, slash);
    rest = rest.slice(slash + 1);
  }
  if (rest !== '') yield rest;
}

/** Calls `work` with a path that the kernel takes for the entry `root/path`, however long that is. */
export function withPlace<T>(root: string, path: string, work: (place: string) => T): T {
  if (root.length + path.length < LONG_PATH) return work(`${root}/${path}`);
  const slash = path.lastIndexOf('/');
  const folder = path.slice(0, Math.max(slash, 0));
  return withHeldDirectory(root, folder, (held) => work(`${held}/${path.slice(slash + 1)}`));
}
