import { type Box, bodyOf, findBox } from './bmff.ts';
import { type Span, Spans } from './payload.ts';
import { Unparsable, type Window } from './window.ts';

export interface Samples {
  readonly spans: readonly Span[];
  readonly bytes: number;
  readonly count: number;
  /** The length of all samples together, in the track's ticks. */
  readonly ticks: number;
}

/**
 * Where a track's samples lie, from its sample table: sizes (`stsz`), chunks (`stco`, `co64`) and which samples are in
 * which chunk (`stsc`).
 * @param frameBytes of uncompressed sound, whose table may count frames of "one byte"; else 0
 */
export function readSamples(window: Window, table: Box, frameBytes: number): Samples {
  const time = timing(window, table);
  const sizes = findBox(window, table, 'stsz');
  const groups = findBox(window, table, 'stsc');
  const short = findBox(window, table, 'stco');
  const offsets = short ?? findBox(window, table, 'co64');
  if (sizes === undefined || groups === undefined || offsets === undefined)
    return { spans: [], bytes: 0, ...time };
  const sizeOf = sampleSizes(bodyOf(window, sizes), frameBytes);
  const chunks = chunkOffsets(bodyOf(window, offsets), short === undefined);
  const spans = new Spans();
  let bytes = 0;
  let sample = 0;
  for (const [chunk, count] of samplesByChunk(bodyOf(window, groups), chunks.length)) {
    const length = sizeOf.sum(sample, sample + count);
    sample += count;
    bytes += length;
    spans.add(chunks[chunk] as number, length);
  }
  return { spans: spans.list, bytes, ...time };
}

function timing(window: Window, table: Box): { readonly count: number; readonly ticks: number } {
  const box = findBox(window, table, 'stts');
  let count = 0;
  let ticks = 0;
  if (box === undefined) return { count, ticks };
  const bytes = bodyOf(window, box);
  for (let i = 0; i < bytes.readUInt32BE(4); i++) {
    count += bytes.readUInt32BE(8 + i * 8);
    ticks += bytes.readUInt32BE(8 + i * 8) * bytes.readUInt32BE(12 + i * 8);
  }
  return { count, ticks };
}

function sampleSizes(bytes: Buffer, frameBytes: number): { sum(from: number, to: number): number } {
  const equal = bytes.readUInt32BE(4);
  const count = bytes.readUInt32BE(8);
  const size = equal <= 1 && frameBytes > 0 ? frameBytes : equal;
  if (equal > 0) return { sum: (from, to) => (Math.min(to, count) - Math.min(from, count)) * size };
  if (12 + count * 4 > bytes.length) throw new Unparsable('malformed');
  return {
    sum: (from, to) => {
      let sum = 0;
      for (let i = from; i < Math.min(to, count); i++) sum += bytes.readUInt32BE(12 + i * 4);
      return sum;
    },
  };
}

function chunkOffsets(bytes: Buffer, isLong: boolean): Float64Array {
  const count = bytes.readUInt32BE(4);
  if (8 + count * (isLong ? 8 : 4) > bytes.length) throw new Unparsable('malformed');
  const offsets = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    offsets[i] = isLong ? Number(bytes.readBigUInt64BE(8 + i * 8)) : bytes.readUInt32BE(8 + i * 4);
  }
  return offsets;
}

/** How many samples each chunk has; a row of the table holds up to the next row's first chunk. */
function* samplesByChunk(
  bytes: Buffer,
  chunks: number,
): Generator<readonly [chunk: number, samples: number]> {
  const rows = bytes.readUInt32BE(4);
  let chunk = 0;
  for (let row = 0; row < rows; row++) {
    const count = bytes.readUInt32BE(12 + row * 12);
    const next = row + 1 < rows ? bytes.readUInt32BE(20 + row * 12) - 1 : chunks;
    for (; chunk < Math.min(next, chunks); chunk++) yield [chunk, count];
  }
}
