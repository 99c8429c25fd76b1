import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { BkError, compareNames, type GitId } from '@bk/core';
import { PackIndex } from './pack-index.ts';
import { isRefName, readRef } from './refs.ts';

/** Something wrong with a file of the history; `subject` is its path below `.bk`. */
export interface Flaw {
  readonly subject: string;
  readonly detail: string;
  /** It is only in the way: a lock file that nobody holds. */
  readonly leftover?: true;
}

export interface RefInspection {
  /** Every ref that can be read, by name. */
  readonly refs: readonly (readonly [name: string, id: GitId])[];
  readonly flaws: readonly Flaw[];
}

/** Reads every ref, loose or packed, on its own, so that one that is damaged does not hide the others. */
export function inspectRefs(historyDir: string): RefInspection {
  const flaws: Flaw[] = [];
  const refs: (readonly [string, GitId])[] = [];
  const head = readText(path.join(historyDir, 'HEAD'));
  if (head?.trimEnd() !== 'ref: refs/heads/main') {
    flaws.push({
      subject: 'history/HEAD',
      detail: head === undefined ? 'it is missing' : 'it does not name refs/heads/main',
    });
  }
  const names = new Set([...looseNames(historyDir, 'refs'), ...packedNames(historyDir)]);
  for (const name of [...names].sort(compareNames)) {
    const subject = `history/${name}`;
    if (name.endsWith('.lock'))
      flaws.push({ subject, detail: 'the lock of a process that ended', leftover: true });
    else if (!isRefName(name)) flaws.push({ subject, detail: 'not the name of a ref' });
    else {
      const id = guarded(() => readRef(historyDir, name), subject, flaws);
      if (id !== undefined) refs.push([name, id]);
    }
  }
  return { refs, flaws };
}

/**
 * Reads every pack and its index to the end and compares their checksums, one yield a pack. That each object matches
 * its name is for the reader to tell.
 */
export function* inspectPacks(historyDir: string): Generator<Flaw | undefined> {
  const folder = path.join(historyDir, 'objects', 'pack');
  const files = new Set(fs.readdirSync(folder));
  const names = new Set(
    [...files]
      .filter((file) => /^pack-[0-9a-f]{40}\.(pack|idx)$/.test(file))
      .map((file) => file.replace(/\.\w+$/, '')),
  );
  for (const name of [...names].sort()) {
    const missing = ['pack', 'idx'].find((suffix) => !files.has(`${name}.${suffix}`));
    const subject = `history/objects/pack/${name}.${missing === 'pack' ? 'idx' : 'pack'}`;
    if (missing === 'pack') yield { subject, detail: 'its pack is missing' };
    else if (missing === 'idx') yield { subject, detail: 'its index is missing, so nothing in it is found' };
    else {
      const detail = packFlaw(path.join(folder, name));
      yield detail === undefined ? undefined : { subject, detail };
    }
  }
}

/** Why the pair of files `<base>.pack` and `<base>.idx` is no good, if it is not. */
function packFlaw(base: string): string | undefined {
  try {
    return pairFlaw(base);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EIO') return 'it cannot be read: input/output error';
    throw error;
  }
}

function pairFlaw(base: string): string | undefined {
  const index = fs.readFileSync(`${base}.idx`);
  const end = index.length - 20;
  let count: number;
  try {
    count = new PackIndex(index).count;
  } catch (error) {
    if (error instanceof BkError) return `its index is damaged: ${error.message}`;
    throw error;
  }
  if (crypto.hash('sha1', index.subarray(0, end), 'hex') !== index.toString('hex', end))
    return 'its index does not match its checksum';
  const pack = readPack(`${base}.pack`);
  if (pack === undefined) return 'it is cut off or no pack';
  if (pack.checksum !== pack.trailer) return 'it does not match its checksum';
  if (pack.trailer !== index.toString('hex', end - 20, end)) return 'its index belongs to another pack';
  return pack.count === count ? undefined : `it has ${pack.count} objects, its index ${count}`;
}

function readPack(
  file: string,
): { readonly count: number; readonly checksum: string; readonly trailer: string } | undefined {
  const fd = fs.openSync(file, fs.constants.O_RDONLY);
  try {
    const size = fs.fstatSync(fd).size;
    if (size < 32) return undefined;
    const chunk = Buffer.allocUnsafeSlow(1 << 20);
    const sha = crypto.createHash('sha1');
    let count = -1;
    for (let at = 0; at < size - 20; ) {
      const read = fs.readSync(fd, chunk, 0, Math.min(chunk.length, size - 20 - at), at);
      if (read === 0) return undefined;
      if (at === 0) {
        if (read < 12 || chunk.toString('latin1', 0, 4) !== 'PACK') return undefined;
        count = chunk.readUInt32BE(8);
      }
      sha.update(chunk.subarray(0, read));
      at += read;
    }
    const trailer = Buffer.alloc(20);
    fs.readSync(fd, trailer, 0, 20, size - 20);
    return { count, checksum: sha.digest('hex'), trailer: trailer.toString('hex') };
  } finally {
    fs.closeSync(fd);
  }
}

function looseNames(historyDir: string, folder: string): string[] {
  const entries = fs.readdirSync(path.join(historyDir, folder), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    return entry.isDirectory() ? looseNames(historyDir, name) : [name];
  });
}

/** Names that packed-refs claims; lines that are no refs are told by readRef, which refuses the whole file. */
function packedNames(historyDir: string): string[] {
  const text = readText(path.join(historyDir, 'packed-refs')) ?? '';
  const lines = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('^'));
  return lines.map((line) => line.slice(41)).map((name) => (isRefName(name) ? name : 'packed-refs'));
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function guarded<T>(read: () => T, subject: string, flaws: Flaw[]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof BkError) || error.code !== 'damaged') throw error;
    flaws.push({ subject, detail: error.message });
    return undefined;
  }
}
