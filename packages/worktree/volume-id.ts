import fs from 'node:fs';
import path from 'node:path';
import { native } from './native.ts';
import { nodePath } from './node-path.ts';

/** By what a file system is known, wherever it is plugged in. */
export interface VolumeId {
  /** Lower case, however it was found: `63470456-ddc7-4f88-a32c-155619b92bcb`, `abcd-1234` … */
  readonly id: string;
  /** udev's link to the device; the kernel, asked about the folder; the first blocks of the device, if they may be read. */
  readonly from: 'udev' | 'kernel' | 'device';
}

/**
 * The file system's own id; undefined: it has none, or none that can be found here.
 * @param source what is mounted, a byte string
 */
export function findVolumeId(folder: string, source: string): VolumeId | undefined {
  const device = deviceOf(source);
  return (
    named('udev', device && fromUdev(device)) ??
    named('kernel', fromKernel(folder)) ??
    named('device', device && fromDevice(device))
  );
}

/** What presences may hold (core): anything else is no id. */
const ID = /^[\x21-\x7e]{1,128}$/;

function named(from: VolumeId['from'], id: string | undefined): VolumeId | undefined {
  return id === undefined || !ID.test(id) ? undefined : { id: id.toLowerCase(), from };
}

const BY_UUID = '/dev/disk/by-uuid';

function deviceOf(source: string): string | undefined {
  if (!source.startsWith('/dev/')) return undefined;
  return trying(() => fs.realpathSync.native(nodePath(source)));
}

function fromUdev(device: string): string | undefined {
  return trying(() =>
    fs.readdirSync(BY_UUID).find((name) => fs.realpathSync.native(path.join(BY_UUID, name)) === device),
  );
}

function fromKernel(folder: string): string | undefined {
  const system = native();
  if (system === undefined) return undefined;
  return trying(() => {
    const fd = fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    try {
      const id = system.fileSystemId(fd);
      return id?.length === 16 ? uuidText(id) : undefined;
    } finally {
      fs.closeSync(fd);
    }
  });
}

/** Where a file system of each kind says what it is, and where its id is. */
const SUPERBLOCKS: readonly {
  readonly magic: string;
  readonly at: number;
  readonly id: number;
  readonly text: (bytes: Buffer, at: number) => string;
}[] = [
  { magic: '\x53\xef', at: 1024 + 0x38, id: 1024 + 0x68, text: uuidAt },
  { magic: 'XFSB', at: 0, id: 32, text: uuidAt },
  { magic: '_BHRfS_M', at: 65_536 + 0x40, id: 65_536 + 0x20, text: uuidAt },
  { magic: 'EXFAT   ', at: 3, id: 100, text: serialAt },
  {
    magic: 'NTFS    ',
    at: 3,
    id: 72,
    text: (bytes, at) => bytes.readBigUInt64LE(at).toString(16).padStart(16, '0'),
  },
  { magic: 'FAT32   ', at: 82, id: 67, text: serialAt },
  { magic: 'FAT1', at: 54, id: 39, text: serialAt },
];
const SUPERBLOCK_BYTES = 65_536 + 4096;

function fromDevice(device: string): string | undefined {
  return trying(() => {
    const fd = fs.openSync(device, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    try {
      const bytes = Buffer.alloc(SUPERBLOCK_BYTES);
      fs.readSync(fd, bytes, 0, bytes.length, 0);
      return superblockId(bytes);
    } finally {
      fs.closeSync(fd);
    }
  });
}

/** The id in the first blocks of a device; spelled as blkid does. @param bytes the first 68 KiB */
export function superblockId(bytes: Buffer): string | undefined {
  const found = SUPERBLOCKS.find(
    ({ magic, at }) => bytes.toString('latin1', at, at + magic.length) === magic,
  );
  if (found === undefined) return undefined;
  const id = found.text(bytes, found.id);
  return /[1-9a-f]/.test(id) ? id : undefined;
}

function uuidAt(bytes: Buffer, at: number): string {
  return uuidText(bytes.subarray(at, at + 16));
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** FAT's and exFAT's serial number. */
function serialAt(bytes: Buffer, at: number): string {
  return bytes
    .readUInt32LE(at)
    .toString(16)
    .padStart(8, '0')
    .replace(/^(.{4})/, '$1-');
}

/** An id that cannot be read is no id; nothing is ever decided by its absence. */
function trying<T>(look: () => T | undefined): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
