/** What a clone does in its folder of staging beside copying; every path is a byte string of bk's own, below `.bk`. */
import fs from 'node:fs';
import path from 'node:path';
import { nodePath } from './node-path.ts';
import { KEEPS_NONE } from './stage.ts';

const NO_LINK = new Set(['EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV']);

/** Whether the system says that there are no hard links here, or not so many. */
export function isNoLink(error: unknown): boolean {
  return NO_LINK.has(String((error as NodeJS.ErrnoException).code));
}

/** @throws EEXIST; what the file system says of a name that it cannot hold */
export function makeStagedFolder(at: string, mode = 0o755): void {
  fs.mkdirSync(nodePath(at), mode);
}

/** A file system that keeps no modes says so, or says nothing; both are no failure. */
export function chmodStaged(at: string, mode: number): void {
  try {
    fs.chmodSync(nodePath(at), mode);
  } catch (error) {
    if (!KEEPS_NONE.has(String((error as NodeJS.ErrnoException).code))) throw error;
  }
}

/** With all that is in it; what is not there is no error. */
export function removeStaged(at: string): void {
  fs.rmSync(nodePath(at), { recursive: true, force: true });
}

/** Takes one of its names from a file that has another. */
export function unlinkStaged(at: string): void {
  fs.unlinkSync(nodePath(at));
}

/** @returns false where there are no links */
export function linkStaged(from: string, at: string): boolean {
  try {
    fs.linkSync(nodePath(from), nodePath(at));
    return true;
  } catch (error) {
    if (!isNoLink(error)) throw error;
    return false;
  }
}

/** Whether files in a folder of bk's own can have two names. */
export function canLinkIn(folder: string): boolean {
  return probing(folder, (probe) => linkStaged(probe, `${probe}-link`));
}

/** Whether names that differ only by case are one name there. */
export function foldsCaseIn(folder: string): boolean {
  return probing(folder, (probe) => fs.existsSync(path.join(folder, path.basename(probe).toUpperCase())));
}

function probing(folder: string, look: (probe: string) => boolean): boolean {
  const probe = path.join(folder, 'probe-file');
  try {
    fs.writeFileSync(probe, '');
    return look(probe);
  } finally {
    fs.rmSync(probe, { force: true });
    fs.rmSync(`${probe}-link`, { force: true });
  }
}
