import { expect, test } from 'vitest';
import { WholeChunks } from './whole-chunks.ts';

async function read(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

test('all of it comes once: taken, or as the only chunk', async () => {
  const bytes = Buffer.from('abc');
  const taken = new WholeChunks(bytes);
  expect(taken.length).toBe(3);
  expect(taken.take()).toBe(bytes);
  expect(taken.length).toBe(0);
  expect(await read(taken)).toEqual([]);
  const readOnce = new WholeChunks(bytes);
  expect(await read(readOnce)).toEqual([bytes]);
  expect(readOnce.take()).toHaveLength(0);
});

test('of nothing there is no chunk, and what was left gives none', async () => {
  expect(await read(new WholeChunks(new Uint8Array(0)))).toEqual([]);
  const left = new WholeChunks(Buffer.from('abc'));
  for await (const _ of left) break;
  await left.return();
  expect(await read(left)).toEqual([]);
});
