import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { BkError } from '@bk/core';
import { fsyncDirectory, writeFully } from '../durable.ts';
import { makeStaging, newTransactionId, removeStaging } from '../staging.ts';
import { PACK_LIMITS, type PackLimits, type PackRows, scanPack } from './pack-scan.ts';
import { type PackSource, PackWindows } from './pack-windows.ts';
import { HistoryReader } from './reader.ts';
import { inspectObject, type Tip, vet } from './vetting.ts';

export interface Receiving {
  readonly layout: { readonly history: string; readonly staging: string };
  /** Of the history that the pack is to enter. */
  readonly reader: HistoryReader;
  readonly limits?: Partial<PackLimits>;
  readonly signal?: AbortSignal;
}

export interface Received {
  /** Name of the new pack; absent if everything was here already. */
  readonly pack?: string;
  readonly objects: number;
}

const TRAILER = 20;
const SMALLEST_PACK = 32;
/** What staging's clean-up removes as a whole, should this process be killed. */
const QUARANTINE = 'probe';

/**
 * Takes a pack from outside. It waits in staging until everything in it was checked: structure, sizes, every object's
 * name, trees, records and commits as bk writes them, and that the tips need nothing that is neither in it nor here.
 * Then it enters the history durably, whole; else nothing of it is kept. Refs are for the caller to move. Only for the
 * holder of the repository's lock. Memory: about 60 bytes an object.
 * @param tips the refs that are to name what was sent; every object must be needed by one of them
 * @throws BkError 'refused' if anything is not as it should be, 'interrupted' if the signal says so
 */
export async function receivePack(
  bytes: AsyncIterable<Uint8Array>,
  tips: readonly Tip[],
  receiving: Receiving,
): Promise<Received> {
  const { layout, reader } = receiving;
  const limits = { ...PACK_LIMITS, ...receiving.limits };
  const id = newTransactionId();
  const folder = path.join(makeStaging(layout, id), QUARANTINE);
  try {
    fs.mkdirSync(path.join(folder, 'objects/pack'), { recursive: true, mode: 0o700 });
    const staged = path.join(folder, 'objects/pack/incoming');
    const checksum = await stage(bytes, staged, {
      limits,
      ...(receiving.signal && { signal: receiving.signal }),
    });
    const name = `pack-${checksum.toString('hex')}`;
    const rows = refusing(() => check({ folder, name, checksum }, tips, { reader, limits }));
    if (rows.count === 0) return { objects: 0 };
    admit(path.join(folder, 'objects/pack'), path.join(layout.history, 'objects/pack'), name);
    reader.refresh();
    return { pack: name, objects: rows.count };
  } finally {
    removeStaging(layout, id);
  }
}

interface Staging {
  readonly limits: PackLimits;
  readonly signal?: AbortSignal;
}

/** Writes the bytes as they come, and compares them with the checksum at their end. */
async function stage(
  bytes: AsyncIterable<Uint8Array>,
  file: string,
  { limits, signal }: Staging,
): Promise<Buffer> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
  const fd = fs.openSync(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o444);
  const sha = crypto.createHash('sha1');
  let tail: Buffer = Buffer.alloc(0);
  let head: Buffer = Buffer.alloc(0);
  let size = 0;
  try {
    for await (const chunk of bytes) {
      if (signal?.aborted) throw new BkError('interrupted', 'interrupted while history was received');
      size += chunk.length;
      if (size > limits.pack) throw refused(`it has more than ${limits.pack} bytes`);
      if (head.length < 12) {
        head = Buffer.concat([head, chunk]).subarray(0, 12);
        if (head.length === 12) checkHeader(head, limits);
      }
      writeFully(fd, chunk);
      const both: Buffer = Buffer.concat([tail, chunk]);
      const end = Math.max(0, both.length - TRAILER);
      sha.update(both.subarray(0, end));
      tail = both.subarray(end);
    }
    if (size < SMALLEST_PACK || !sha.digest().equals(tail))
      throw refused('it is cut off, or changed on its way');
    fs.fsyncSync(fd);
    return Buffer.from(tail);
  } finally {
    fs.closeSync(fd);
  }
}

function checkHeader(head: Buffer, limits: PackLimits): void {
  if (head.toString('latin1', 0, 4) !== 'PACK' || head.readUInt32BE(4) !== 2)
    throw refused('it is no pack of version 2');
  const count = head.readUInt32BE(8);
  if (count > limits.objects) throw refused(`it claims ${count} objects, more than ${limits.objects}`);
}

interface Staged {
  readonly folder: string;
  readonly name: string;
  readonly checksum: Buffer;
}

/** Gives the staged pack its index, so that it can be read like a history of its own, and looks at all of it. */
function check(
  { folder, name, checksum }: Staged,
  tips: readonly Tip[],
  own: { reader: HistoryReader; limits: PackLimits },
): PackRows {
  const base = path.join(folder, 'objects/pack', name);
  fs.renameSync(path.join(folder, 'objects/pack/incoming'), `${base}.pack`);
  const windows = new PackWindows();
  let rows: PackRows;
  try {
    const source: PackSource = { key: 0, file: `${base}.pack`, size: -1 };
    rows = scanPack(windows, source, { limits: own.limits, checksum, visit: inspectObject });
  } finally {
    windows.close();
  }
  writeIndex(`${base}.idx`, rows.index);
  const outside = new HistoryReader(folder);
  try {
    vet(tips, { rows, outside, inside: own.reader, limits: own.limits });
  } finally {
    outside.close();
  }
  return rows;
}

function writeIndex(file: string, index: Buffer): void {
  const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants;
  const fd = fs.openSync(file, O_WRONLY | O_CREAT | O_EXCL, 0o444);
  try {
    writeFully(fd, index);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** The pack first, so that an index never stands alone; both were made durable where they are. */
function admit(from: string, to: string, name: string): void {
  for (const suffix of ['.pack', '.idx']) place(path.join(from, name + suffix), path.join(to, name + suffix));
  fsyncDirectory(to);
}

/** The name says the content, so a file of that name is this one; without hard links (exFAT) it is renamed. */
function place(staged: string, final: string): void {
  try {
    fs.linkSync(staged, final);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'EEXIST' && fs.statSync(final).size === fs.statSync(staged).size) return;
    if (code === 'EEXIST') {
      throw new BkError('damaged', 'a pack of the history does not have the content its name says', {
        path: final,
        hint: 'run `bk check`',
      });
    }
    if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(code)) throw error;
    fs.renameSync(staged, final);
  }
}

/** Damage in what was sent is no damage here: it is refused. */
function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof BkError && error.code === 'damaged') throw refused(error.message, error);
    throw error;
  }
}

function refused(why: string, cause?: unknown): BkError {
  return new BkError('refused', `cannot take the history that was sent: ${why}`, {
    hint: 'nothing of it was kept; run `bk check` here and in the repository that sent it',
    ...(cause !== undefined && { cause }),
  });
}
