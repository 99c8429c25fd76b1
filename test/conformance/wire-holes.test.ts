import type { ContentHash } from '@bk/core';
import { channelPair, connectPeer, hostPeer, LIMITS, type MemoryHost, servePeer } from '@bk/remote';
import { hashBytes } from '@bk/worktree';
import { expect, test } from 'vitest';
import { RECORD } from '../../packages/remote/wire/content-record.ts';
import { FRAME } from '../../packages/remote/wire/frame.ts';
import { turns } from '../support/hand-clock.ts';
import { ASKS, attackServer, bareHost, GREETING, OPEN } from './raw-wire.ts';
import { flow } from './streams.ts';

/** As a bk greets that knows nothing of holes. */
const OLD_GREETING = Buffer.from('\0bk-wire 1 1\n', 'latin1');
const BYTES = Buffer.alloc(3 * LIMITS.chunk);
const CONTENT = { blake3: hashBytes(BYTES), size: BYTES.length };

/** It has the content, with holes or without. */
function holding(host: MemoryHost, sparse: boolean): MemoryHost {
  const read = (offset: number, target: Uint8Array): number => {
    const part = BYTES.subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  };
  host.locate = () => () => [{ size: BYTES.length, sparse, read, close: () => {} }];
  return host;
}

test.each([
  ['is told of holes', GREETING, true, RECORD.beginSparse],
  ['is told of none where there are none', GREETING, false, RECORD.begin],
  ['that is older is told nothing that it does not know', OLD_GREETING, true, RECORD.begin],
])('a client %s', async (_what, greeting, sparse, record) => {
  const { raw, host, ended } = attackServer({ packing: 'never' });
  holding(host, sparse);
  raw.send(greeting);
  raw.sendCall(1, OPEN);
  raw.sendCall(2, ['readContents', [[CONTENT.blake3, CONTENT.size]]]);
  await turns(200);
  expect(raw.of(FRAME.data)[0]?.payload[0]).toBe(record);
  void raw.channel.close();
  await ended.catch(() => {});
});

test.each([true, false])('whether there are holes (%s) comes with the content, both ways', async (sparse) => {
  const [here, there] = channelPair();
  const host = holding(bareHost(), sparse);
  const appended: (boolean | undefined)[] = [];
  const arrival = host.arrival.bind(host);
  host.arrival = (content) => {
    const made = arrival(content);
    const append = made.append.bind(made);
    made.append = (chunk, holes) => {
      appended.push(holes);
      append(chunk);
    };
    return made;
  };
  const served = servePeer(there, { open: async () => hostPeer(host) });
  const peer = await connectPeer(here, { wish: { kind: 'repository', path: '/there', asks: ASKS } });
  const seen: [ContentHash, boolean | undefined][] = [];
  for await (const sent of peer.readContents([CONTENT])) {
    if ('missing' in sent) continue;
    seen.push([sent.blake3, sent.sparse]);
    for await (const _ of sent.chunks);
  }
  expect(seen).toEqual([[CONTENT.blake3, sparse]]);
  const parts = [0, 1, 2].map((n) => BYTES.subarray(n * LIMITS.chunk, (n + 1) * LIMITS.chunk));
  const receipts = await peer.sendContents(flow([{ ...CONTENT, offset: 0, sparse, chunks: flow(parts) }]));
  expect(receipts).toEqual([{ blake3: CONTENT.blake3, stored: true }]);
  expect(new Set(appended)).toEqual(new Set([sparse]));
  await peer.close();
  await served;
});
