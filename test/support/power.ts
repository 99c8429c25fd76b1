import fs from 'node:fs';
import koffi from 'koffi';

/** What of the last moments reaches the disk: only what was synced, or also what the journal of the file system has. */
export type PowerLoss = 'all unsynced' | 'unsynced contents';

/** EXT4_IOC_SHUTDOWN (and XFS's), and its flags NOLOGFLUSH and LOGFLUSH. */
const SHUTDOWN = 0x8004587d;
const FLAGS: Readonly<Record<PowerLoss, number>> = { 'all unsynced': 2, 'unsynced contents': 1 };

type Ioctl = (fd: number, request: number, flags: Buffer) => number;

let ioctl: Ioctl | undefined;

/** Nothing is written to its device any more, as if the power had gone; to be unmounted, and mounted again. */
export function stopFileSystem(point: string, loss: PowerLoss): void {
  ioctl ??= koffi.load(null).func('int ioctl(int, unsigned long, void *)') as unknown as Ioctl;
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(FLAGS[loss]);
  const fd = fs.openSync(point, fs.constants.O_RDONLY);
  try {
    if (ioctl(fd, SHUTDOWN, flags) !== 0) throw new Error(`${point}: its file system cannot be stopped`);
  } finally {
    fs.closeSync(fd);
  }
}
