import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { BkError, type GitId } from '@bk/core';
import { PackIndex } from './pack-index.ts';
import type { HistoryReader } from './reader.ts';
import { missingObjects, packOf } from './transfer.ts';

const HEADER = 12;
const TRAILER = 20;
const CHUNK = 256 * 1024;

/**
 * A pack with every object that can be reached from `wants` and is not known to whoever has `haves`; where all that is
 * here is asked for, as it lies. @param historyDir the bare repository that `reader` reads
 * @throws BkError 'not-found' if a want is not here
 */
export function* packFor(
  historyDir: string,
  reader: HistoryReader,
  wants: readonly GitId[],
  haves: readonly GitId[],
): Generator<Uint8Array> {
  const objects = missingObjects(reader, wants, haves);
  const whole = haves.length > 0 ? undefined : wholePacks(historyDir, objects.count);
  yield* whole === undefined ? packOf(reader, objects) : copyPacks(whole);
}

/** The packs of a history, if all of them together are exactly what somebody asked for. */
export interface WholePacks {
  readonly folder: string;
  readonly names: readonly string[];
  readonly objects: number;
}

/**
 * Whether the packs hold exactly `count` objects that all can be reached, each of them once: then they can be sent as
 * they lie, which costs no reading of objects. Loose objects, or more in the packs (leftovers, duplicates), make it no.
 * @param historyDir the bare repository
 */
export function wholePacks(historyDir: string, count: number): WholePacks | undefined {
  const objects = path.join(historyDir, 'objects');
  if (fs.readdirSync(objects).some((name) => /^[0-9a-f]{2}$/.test(name))) return undefined;
  const folder = path.join(objects, 'pack');
  const names = fs.readdirSync(folder).flatMap((name) => /^(pack-[0-9a-f]{40})\.idx$/.exec(name)?.[1] ?? []);
  const found = names.reduce((sum, name) => sum + countIn(path.join(folder, `${name}.idx`)), 0);
  return found === count ? { folder, names: names.sort(), objects: count } : undefined;
}

/** NaN if it cannot be told: then nothing fits. */
function countIn(index: string): number {
  try {
    return new PackIndex(fs.readFileSync(index)).count;
  } catch (error) {
    if (error instanceof BkError || (error as NodeJS.ErrnoException).code === 'ENOENT') return Number.NaN;
    throw error;
  }
}

/**
 * Several packs as one, in chunks: their entries as they are, one behind the other. Deltas name their bases by distance
 * or by id, so they mean the same in the pack that comes of it. What is damaged is sent as it is: who receives it looks.
 */
export function* copyPacks({ folder, names, objects }: WholePacks): Generator<Buffer> {
  const sha = crypto.createHash('sha1');
  const header = Buffer.alloc(HEADER);
  header.write('PACK\0\0\0\x02', 'latin1');
  header.writeUInt32BE(objects, 8);
  sha.update(header);
  yield header;
  for (const name of names) {
    const fd = fs.openSync(path.join(folder, `${name}.pack`), fs.constants.O_RDONLY);
    try {
      const end = fs.fstatSync(fd).size - TRAILER;
      for (let at = HEADER; at < end; ) {
        const chunk = Buffer.allocUnsafe(Math.min(CHUNK, end - at));
        const read = fs.readSync(fd, chunk, 0, chunk.length, at);
        if (read === 0) break;
        at += read;
        const bytes = chunk.subarray(0, read);
        sha.update(bytes);
        yield bytes;
      }
    } finally {
      fs.closeSync(fd);
    }
  }
  yield sha.digest();
}
