import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashBytes } from '../hash.ts';
import {
  createPayloadHasher,
  hashPayload,
  isSequential,
  type Payload,
  Spans,
  wholePayload,
} from './payload.ts';
import { bytesSource } from './window.ts';

const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });

/** Parts of a file of 200 bytes that follow one another. */
const track = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { minLength: 1, maxLength: 10 }).map((steps) => {
  const spans = new Spans();
  let at = 0;
  for (const [gap, length] of steps) {
    spans.add(at + gap, length + 1);
    at += gap + length + 1;
  }
  return spans.list;
});

test('one track: the BLAKE3 of its parts, one after the other', () => {
  const file = Buffer.from('..abc...de..');
  const payload: Payload = [
    [
      { offset: 8, length: 2 },
      { offset: 2, length: 3 },
    ],
  ];
  expect(hashPayload(bytesSource(file), payload)).toBe(hashBytes(Buffer.from('deabc')));
  expect(isSequential(payload)).toBe(false);
});

test('several tracks: the BLAKE3 of their hashes', () => {
  const file = Buffer.from('aAbB');
  const payload = [
    [0, 2],
    [1, 3],
  ].map((offsets) => offsets.map((offset) => ({ offset, length: 1 })));
  const hashes = ['ab', 'AB'].map((text) => Buffer.from(hashBytes(Buffer.from(text)), 'hex'));
  expect(hashPayload(bytesSource(file), payload)).toBe(hashBytes(Buffer.concat(hashes)));
});

test('in one pass over a file, whatever its pieces, the hash is the same', () => {
  fc.assert(
    fc.property(
      fc.array(track, { minLength: 1, maxLength: 3 }),
      fc.array(bytes, { minLength: 1 }),
      (payload, pieces) => {
        const file = Buffer.concat([...pieces, Buffer.alloc(300)]);
        const hasher = createPayloadHasher(payload);
        for (const piece of [...pieces, Buffer.alloc(300)]) hasher.update(piece);
        expect(isSequential(payload)).toBe(true);
        expect(hasher.digest()).toBe(hashPayload(bytesSource(file), payload));
      },
    ),
  );
});

test('a payload that is not all there is none', () => {
  const spans = [{ offset: 3, length: 4 }];
  expect(wholePayload([spans, []], 7)).toEqual([spans]);
  expect(wholePayload([spans], 6)).toBeUndefined();
  expect(wholePayload([[]], 6)).toBeUndefined();
});
