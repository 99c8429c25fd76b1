import { expect, test } from 'vitest';
import { filledParts } from './holes.ts';

/** Bytes of which these runs are not zero. */
function bytesWith(length: number, ...runs: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = new Uint8Array(length + 3).subarray(3);
  for (const [start, end] of runs) bytes.fill(1, start, end);
  return bytes;
}

test.each<[string, Uint8Array, number, (readonly [number, number])[]]>([
  ['nothing', bytesWith(0), 0, []],
  ['zeros', bytesWith(10_000), 0, []],
  ['no zeros', bytesWith(10_000, [0, 10_000]), 0, [[0, 10_000]]],
  ['zeros, but no whole block of them', bytesWith(8_192, [4_095, 4_097]), 0, [[0, 8_192]]],
  [
    'a block of zeros between others',
    bytesWith(12_288, [0, 1], [12_287, 12_288]),
    0,
    [
      [0, 4_096],
      [8_192, 12_288],
    ],
  ],
  ['blocks of the file, not of the bytes', bytesWith(8_192, [100, 101]), 4_000, [[96, 4_192]]],
  ['a part of a block at each end', bytesWith(5_000, [4_999, 5_000]), 1, [[4_095, 5_000]]],
  ['the last byte of a block', bytesWith(4_096, [4_095, 4_096]), 8_192, [[0, 4_096]]],
])('%s', (_what, bytes, position, parts) => {
  expect([...filledParts(bytes, position)]).toEqual(parts);
});
