import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isInstalled } from './command.ts';

/** A folder on empty space; `release` gives the space back. */
export interface Folder {
  readonly path: string;
  release(): void;
  /** As if it was pulled and plugged in again: nothing of it is in memory. False: cannot be done here. */
  replug(): boolean;
}

/** Where the benchmark's folders come from. `close` removes all of them and may be called twice. */
export interface Space {
  readonly fileSystem: string;
  readonly scratch: string;
  fresh(bytes: number, inodes: number): Folder;
  close(): void;
}

/**
 * A fresh ext4 file system for each folder (as root), because creating files is slow where many were deleted before;
 * otherwise plain folders, with a warning.
 * @param bytes free space needed in all
 * @throws Error if no temporary folder has that much
 */
export function openSpace(bytes: number, wanted: string | undefined, warn: (text: string) => void): Space {
  const base = wanted ?? roomyFolder(bytes);
  const scratch = fs.mkdtempSync(path.join(base, 'bk-bench-'));
  const loop = canMount(scratch);
  if (!loop) {
    warn(
      'no fresh file systems (needs root, mkfs.ext4 and loop devices): the data is made in a plain folder, and',
    );
    warn(`times depend on the file system of ${base} and on what was deleted there before`);
  }
  const mounted = new Set<string>();
  let made = 0;
  const fresh = (size: number, inodes: number): Folder => {
    const dir = path.join(scratch, `space-${made++}`);
    if (!loop) {
      fs.mkdirSync(dir);
      return { path: dir, release: () => {}, replug: () => false };
    }
    mountFresh(dir, size, inodes);
    mounted.add(dir);
    return {
      path: path.join(dir, 'data'),
      release: () => unmount(dir, mounted),
      replug: () => replug(dir),
    };
  };
  const close = (): void => {
    for (const dir of mounted) unmount(dir, mounted);
    fs.rmSync(scratch, { recursive: true, force: true });
  };
  return { fileSystem: loop ? 'ext4 (fresh loop mounts)' : `plain folder in ${base}`, scratch, fresh, close };
}

const TMPFS = 0x01021994;

function roomyFolder(bytes: number): string {
  const seen: string[] = [];
  for (const dir of [os.tmpdir(), '/var/tmp']) {
    const { bsize, bavail, type } = fs.statfsSync(dir);
    if (type !== TMPFS && bsize * bavail >= bytes) return dir;
    seen.push(`${dir} has ${gib(bsize * bavail)}${type === TMPFS ? ' in memory' : ''}`);
  }
  throw new Error(`needs ${gib(bytes)} of free space (${seen.join(', ')}): choose a folder by --space DIR`);
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

function canMount(scratch: string): boolean {
  if (process.getuid?.() !== 0 || !isInstalled('mkfs.ext4') || !isInstalled('mount')) return false;
  const dir = path.join(scratch, 'try');
  try {
    mountFresh(dir, 2 ** 26, 1000);
  } catch {
    return false; // a container without loop devices: the plain folder is used, and said
  }
  unmount(dir, new Set());
  return true;
}

function mountFresh(dir: string, bytes: number, inodes: number): void {
  fs.mkdirSync(dir);
  const image = `${dir}.img`;
  fs.closeSync(fs.openSync(image, 'w'));
  fs.truncateSync(image, Math.ceil(bytes / 4096) * 4096);
  system(['mkfs.ext4', '-q', '-F', '-m', '0', '-N', String(inodes), image]);
  system(['mount', '-o', 'loop,noinit_itable', image, dir]);
  fs.mkdirSync(path.join(dir, 'data'));
}

function replug(dir: string): true {
  system(['umount', dir]);
  // `nocache` with nothing to copy: the kernel forgets what it holds of the file.
  system(['dd', `of=${dir}.img`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none']);
  system(['mount', '-o', 'loop,noinit_itable', `${dir}.img`, dir]);
  return true;
}

function unmount(dir: string, mounted: Set<string>): void {
  mounted.delete(dir);
  if (spawnSync('umount', [dir]).status !== 0) spawnSync('umount', ['-l', dir]);
  fs.rmSync(`${dir}.img`, { force: true });
  fs.rmdirSync(dir);
}

function system(argv: readonly string[]): void {
  const [program, ...args] = argv;
  const result = spawnSync(program!, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.error?.message ?? result.stderr}`);
}

/** Lets the kernel finish earlier writes, so that they do not run into the next measurement. */
export function settle(dir: string): void {
  system(['sync', '-f', dir]);
}
