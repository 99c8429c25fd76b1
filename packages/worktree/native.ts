/**
 * What Node does not offer of the system (Linux, 64 bit, glibc or musl), called by koffi: times to the nanosecond, the id
 * of a file system, one sync of a whole file system. Loaded at the first call (8 ms), a call takes about a microsecond.
 * Where it cannot be loaded, `native()` is undefined and its callers do what Node alone can. BK_NO_NATIVE=1 forces that.
 */
import { createRequire } from 'node:module';
import os from 'node:os';
import { getSystemErrorName } from 'node:util';

export interface Native {
  /** Sets the modification time of an open file (also one opened for reading), and its access time to the same. @throws the system's error */
  setMtime(fd: number, mtimeNs: bigint): void;
  /** The same by path; a symlink's own. @throws the system's error */
  setMtimeOf(path: string | Buffer, mtimeNs: bigint): void;
  /** Begins to write an open file's pages to the disk, and does not wait for it: nothing is durable by that. */
  startWriting(fd: number): void;
  /** Writes everything of the file system that holds an open file to the disk. @throws the system's error */
  syncFileSystem(fd: number): void;
  /** The 16 bytes (or fewer) by which a file system names itself; undefined: it has none, or the kernel does not tell. */
  fileSystemId(fd: number): Buffer | undefined;
  /** Number of the btrfs subvolume that holds an open file; undefined: it is not on btrfs. */
  subvolume(fd: number): bigint | undefined;
}

let loaded: Native | undefined | null = null;

export function native(): Native | undefined {
  if (loaded === null) loaded = load();
  return loaded;
}

type Call = (...words: unknown[]) => number;
interface Koffi {
  load(library: string): { func(prototype: string): Call };
  errno(): number;
}

const LIBRARIES = ['libc.so.6', `libc.musl-${musl(process.arch)}.so.1`];
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const SYNC_FILE_RANGE_WRITE = 2;
const GIGA = 1_000_000_000n;
/** `_IOR(0x15, 0, struct fsuuid2)` of linux/fs.h, kernel 6.9; and where reading has another number. */
const FS_IOC_GETFSUUID = process.arch === 'ppc64' ? 0x40111500 : 0x80111500;
/** `_IOWR(0x94, 18, struct btrfs_ioctl_ino_lookup_args)` of linux/btrfs.h. */
const BTRFS_IOC_INO_LOOKUP = 0xd0009412;
/** `_IOR(0x94, 31, struct btrfs_ioctl_fs_info_args)`: btrfs does not answer the other question. */
const BTRFS_IOC_FS_INFO = process.arch === 'ppc64' ? 0x4400941f : 0x8400941f;
const BTRFS_FIRST_FREE_OBJECTID = 256n;

function load(): Native | undefined {
  const fits = process.platform === 'linux' && os.endianness() === 'LE' && /64$/.test(process.arch);
  if (!fits || process.env['BK_NO_NATIVE'] === '1') return undefined;
  try {
    const load = createRequire(import.meta.url);
    return bound(load('koffi') as Koffi);
  } catch {
    return undefined; // Not installed, or not for this system: all that it is for can do without.
  }
}

function bound(koffi: Koffi): Native {
  const libc = loadFirst(koffi, LIBRARIES);
  const futimens = libc.func('int futimens(int fd, uint8_t *times)');
  const utimensat = libc.func('int utimensat(int dir, uint8_t *path, uint8_t *times, int flags)');
  const syncfs = libc.func('int syncfs(int fd)');
  const syncFileRange = libc.func(
    'int sync_file_range(int fd, int64_t offset, int64_t bytes, unsigned int flags)',
  );
  const ioctl = libc.func('int ioctl(int fd, unsigned long request, ...)');
  const check = (result: number, syscall: string): void => {
    if (result < 0) throw systemError(koffi.errno(), syscall);
  };
  const times = Buffer.alloc(32);
  return {
    setMtime(fd, mtimeNs) {
      check(futimens(fd, filled(times, mtimeNs)), 'futimens');
    },
    setMtimeOf(path, mtimeNs) {
      const bytes = Buffer.concat([Buffer.from(path), Buffer.alloc(1)]);
      check(utimensat(AT_FDCWD, bytes, filled(times, mtimeNs), AT_SYMLINK_NOFOLLOW), 'utimensat');
    },
    startWriting(fd) {
      // It only hurries what the kernel does anyway: where it cannot, nothing is lost.
      syncFileRange(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    },
    syncFileSystem(fd) {
      check(syncfs(fd), 'syncfs');
    },
    fileSystemId(fd) {
      const answer = Buffer.alloc(1024);
      const asked = (request: number) => ioctl(fd, request, 'uint8_t *', answer) >= 0;
      if (asked(FS_IOC_GETFSUUID)) return notZero(answer.subarray(1, 1 + Math.min(answer[0] ?? 0, 16)));
      return asked(BTRFS_IOC_FS_INFO) ? notZero(answer.subarray(16, 32)) : undefined;
    },
    subvolume(fd) {
      const answer = Buffer.alloc(4096);
      answer.writeBigUInt64LE(BTRFS_FIRST_FREE_OBJECTID, 8);
      return ioctl(fd, BTRFS_IOC_INO_LOOKUP, 'uint8_t *', answer) < 0 ? undefined : answer.readBigUInt64LE(0);
    },
  };
}

function notZero(id: Buffer): Buffer | undefined {
  return id.some((byte) => byte !== 0) ? id : undefined;
}

/**
 * Two timespecs, access and modification, of whole seconds rounded down and ns upwards from there. Both are given: where
 * one is to be left as it is, FUSE file systems of the older kind (exFAT, NTFS) do nothing and say that all is well.
 */
function filled(times: Buffer, mtimeNs: bigint): Buffer {
  const nanos = ((mtimeNs % GIGA) + GIGA) % GIGA;
  for (const at of [0, 16]) {
    times.writeBigInt64LE((mtimeNs - nanos) / GIGA, at);
    times.writeBigInt64LE(nanos, at + 8);
  }
  return times;
}

function loadFirst(koffi: Koffi, names: readonly string[]): { func(prototype: string): Call } {
  for (const name of names.slice(0, -1)) {
    try {
      return koffi.load(name);
    } catch {
      // The next one.
    }
  }
  return koffi.load(names.at(-1) ?? '');
}

/** As the names of musl's libraries have it. */
function musl(arch: string): string {
  return { x64: 'x86_64', arm64: 'aarch64', ppc64: 'powerpc64le', loong64: 'loongarch64' }[arch] ?? arch;
}

function systemError(errno: number, syscall: string): Error {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${code}: ${syscall}`), { errno: -errno, code, syscall });
}
