import type { FsPath, Trust } from '@bk/core';
import { mountPointsBelow, stableInodes, volumeOf } from '@bk/worktree';

/** What the file system under the root can be trusted with. */
export interface Ground {
  readonly trust: Trust;
  /** Folders below the root on which another file system is mounted. */
  readonly mounts: ReadonlySet<FsPath>;
}

/** Kernels stamp files with a clock that ticks every 1 to 10 ms. */
const TICK_NS = 20_000_000n;
/** FAT keeps times in steps of two seconds; what is not known well is taken to be as coarse. */
const COARSE_NS = 2_100_000_000n;

/** @param believe whether stats that did not change vouch for contents */
export function groundOf(root: string, believe = true): Ground {
  const inodes = stableInodes(volumeOf(root).type);
  const mounts = new Set(mountPointsBelow(root));
  const fine = inodes && [...mounts].every((mount) => isFine(root, mount));
  return { trust: { stats: believe, inodes, grainNs: fine ? TICK_NS : COARSE_NS }, mounts };
}

/** What cannot be asked (not permitted, gone) cannot be tracked either. */
function isFine(root: string, mount: FsPath): boolean {
  try {
    return stableInodes(volumeOf(`${root}/${Buffer.from(mount, 'latin1').toString()}`).type);
  } catch {
    return false;
  }
}
