import fs from 'node:fs';
import type { FsPath } from '@bk/core';
import { native } from './native.ts';
import { bytePath } from './node-path.ts';
import { findVolumeId, type VolumeId } from './volume-id.ts';

/** The file system under a folder, as the kernel names it. */
export interface Volume {
  /** `ext4`, `btrfs`, `fuse.exfat` …; `unknown` where the kernel does not say. */
  readonly type: string;
  /** What is mounted: `/dev/sda1`, `server:/export`, `tmpfs`. */
  readonly device: string;
  readonly mountPoint: string;
  readonly readOnly: boolean;
  /** The file system's own id, if it has one that can be found; looked for at the first time (up to 10 ms). */
  readonly uuid?: string | undefined;
  readonly uuidFrom?: VolumeId['from'] | undefined;
}

interface Mount {
  readonly device: string;
  /** A byte string. */
  readonly point: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const UNKNOWN: Mount = { device: '', point: '/', type: 'unknown', source: '', options: [] };

/** Facts about the file system that holds a folder. @throws the system's error if there is no such folder */
export function volumeOf(folder: string): Volume {
  const real = bytePath(fs.realpathSync.native(folder));
  const found = mounts()
    .filter(({ point }) => isBelow(real, point))
    // Of equal points the later one lies on top.
    .reduce<Mount | undefined>(
      (best, mount) => (mount.point.length >= (best?.point.length ?? 0) ? mount : best),
      undefined,
    );
  const { type, source, point, options } = found ?? UNKNOWN;
  let id: VolumeId | undefined | null = null;
  const own = (): VolumeId | undefined => {
    if (id === null) id = findVolumeId(folder, source);
    return id;
  };
  return {
    type,
    device: text(source),
    mountPoint: text(point),
    readOnly: options.includes('ro'),
    get uuid() {
      return own()?.id;
    },
    get uuidFrom() {
      return own()?.from;
    },
  };
}

/** The btrfs subvolume that holds a folder: inodes and birth times are the same in its snapshots. Undefined: not known. */
export function subvolumeOf(folder: string): string | undefined {
  const system = native();
  if (system === undefined) return undefined;
  const fd = fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    return system.subvolume(fd)?.toString();
  } finally {
    fs.closeSync(fd);
  }
}

/** Folders below `root` on which another file system (or a bind of one) is mounted, in no order. */
export function mountPointsBelow(root: string): FsPath[] {
  const base = `${bytePath(fs.realpathSync.native(root)).replace(/\/$/, '')}/`;
  const found = mounts().filter(({ point }) => point.startsWith(base));
  return [...new Set(found.map(({ point }) => point.slice(base.length) as FsPath))];
}

/**
 * Whether inode numbers and birth times of this kind of file system survive a re-mount and mean the same file. False
 * for those that make numbers up (FAT, exFAT, most FUSE, network shares) and for what is not known: nothing is built on them then.
 */
export function stableInodes(type: string): boolean {
  return STABLE.has(type);
}

/** Checked with stat before and after a re-mount; overlay is left out, because a first write there changes the inode. */
const STABLE = new Set([
  'ext4',
  'ext3',
  'ext2',
  'btrfs',
  'xfs',
  'f2fs',
  'zfs',
  'bcachefs',
  'jfs',
  'nilfs2',
  'apfs',
  'tmpfs',
]);

/** Lines of /proc/self/mountinfo (proc(5)); none where there is no such file. */
function mounts(): Mount[] {
  let lines: string;
  try {
    lines = fs.readFileSync('/proc/self/mountinfo', 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return lines.split('\n').flatMap((line) => parseMount(line) ?? []);
}

/** `36 35 98:0 /root /point options optional-fields - type source super-options` */
export function parseMount(line: string): Mount | undefined {
  const [before = '', after = ''] = line.split(' - ', 2);
  const [, , device, , point, options] = before.split(' ');
  const [type, source, superOptions] = after.split(' ');
  if (device === undefined || point === undefined || type === undefined || source === undefined)
    return undefined;
  return {
    device,
    point: unescapeOctal(point),
    type,
    source: unescapeOctal(source),
    options: [...(options ?? '').split(','), ...(superOptions ?? '').split(',')],
  };
}

/** The kernel writes space, tab, newline, backslash and # as `\ooo`. */
export function unescapeOctal(escaped: string): string {
  return escaped.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function isBelow(file: string, folder: string): boolean {
  return file === folder || file.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

function text(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
