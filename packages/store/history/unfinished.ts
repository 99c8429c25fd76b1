import fs from 'node:fs';
import path from 'node:path';
import { fsyncDirectory } from '../durable.ts';

/**
 * Removes packs that a killed command had given their name, but not their index yet: nothing in them can be found, so
 * nothing needs them. Only those that are still another name of a file in staging: a pack that git is just writing has
 * no such name. For the holder of the lock, before staging is cleared.
 */
export function removeUnfinishedPacks(layout: { readonly history: string; readonly staging: string }): void {
  const inodes = stagedPacks(layout.staging);
  if (inodes.size === 0) return;
  const folder = path.join(layout.history, 'objects/pack');
  const names = new Set(namesOf(folder));
  let removed = false;
  for (const name of names) {
    if (!name.endsWith('.pack') || names.has(`${name.slice(0, -'.pack'.length)}.idx`)) continue;
    const file = path.join(folder, name);
    const { ino, nlink } = fs.lstatSync(file, { bigint: true });
    if (nlink < 2n || !inodes.has(ino)) continue;
    fs.unlinkSync(file);
    removed = true;
  }
  if (removed) fsyncDirectory(folder);
}

/** Inodes of packs in staging that have another name too: those of writers, and of a quarantine. */
function stagedPacks(staging: string): Set<bigint> {
  const inodes = new Set<bigint>();
  const quarantines = namesOf(staging).map((name) => path.join(staging, name, 'probe/objects/pack'));
  for (const folder of [staging, ...quarantines]) {
    for (const name of namesOf(folder)) {
      if (!name.endsWith('.pack')) continue;
      const { ino, nlink } = fs.lstatSync(path.join(folder, name), { bigint: true });
      if (nlink > 1n) inodes.add(ino);
    }
  }
  return inodes;
}

/** What is no folder has no names. */
function namesOf(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))) return [];
    throw error;
  }
}
