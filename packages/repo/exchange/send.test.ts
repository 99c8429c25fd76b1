import fs from 'node:fs';
import path from 'node:path';
import { BkError, type RepoPath } from '@bk/core';
import { hostPeer, type Peer, type SentContent } from '@bk/remote';
import { Incoming, layoutOf } from '@bk/store';
import { hashBytes } from '@bk/worktree';
import { describe, expect, test } from 'vitest';
import { repositoryHost } from '../peers/host.ts';
import type { Repository } from '../repository.ts';
import { TestTree } from '../tree.fixture.ts';
import type { Lacking } from './lacking.ts';
import { sendContents } from './send.ts';

const LARGE = 5_000_000;

function bytesOf(seed: number): Buffer {
  const bytes = Buffer.alloc(LARGE);
  for (let i = 0; i < LARGE; i += 4) bytes.writeUInt32LE((i * 2_654_435_761 + seed) >>> 0, i);
  return bytes;
}

function lacking(bytes: Buffer, at: string): Lacking {
  return { blake3: hashBytes(bytes), size: bytes.length, path: at as RepoPath };
}

/** A peer that goes away when so many chunks of contents have come. */
function breaking(peer: Peer, chunks: number): Peer {
  let left = chunks;
  async function* cut(content: SentContent): AsyncGenerator<Uint8Array> {
    for await (const chunk of content.chunks) {
      if (left-- <= 0) throw new BkError('unreachable', 'cannot reach it: it is gone');
      yield chunk;
    }
  }
  async function* each(contents: AsyncIterable<SentContent>): AsyncGenerator<SentContent> {
    for await (const content of contents) yield { ...content, chunks: cut(content) };
  }
  return {
    ...peer,
    arrived: (contents) => peer.arrived(contents),
    sendContents: (contents) => peer.sendContents(each(contents)),
  };
}

/** Works with one repository and a peer of another. */
async function between(
  here: TestTree,
  there: TestTree,
  work: (repo: Repository, peer: Peer) => Promise<void>,
): Promise<void> {
  await here.with((repo) =>
    there.with(async (other) => {
      const peer = hostPeer(repositoryHost(other, { nowMs: here.context.nowMs }));
      try {
        await work(repo, peer);
      } finally {
        await peer.close();
      }
    }),
  );
}

describe('contents sent to another repository', () => {
  test('interrupted, the next time only the rest is sent', async () => {
    using here = new TestTree();
    using there = new TestTree();
    const bytes = bytesOf(1);
    fs.writeFileSync(here.at('large'), bytes);
    here.write('small', 'small');
    await here.commit();
    const wanted = [lacking(Buffer.from('small'), 'small'), lacking(bytes, 'large')];
    await between(here, there, async (repo, peer) => {
      await expect(sendContents(repo, breaking(peer, 3), wanted, here.context)).rejects.toMatchObject({
        code: 'unreachable',
      });
    });
    await between(here, there, async (repo, peer) => {
      const { sent, missing, full } = await sendContents(repo, peer, wanted, here.context);
      // The small one came whole before, and was kept.
      expect({ missing, full, files: sent.files }).toEqual({ missing: [], full: false, files: 1 });
      expect(sent.bytes).toBeLessThan(LARGE - 1_000_000);
      const again = await sendContents(repo, peer, wanted, here.context);
      expect(again).toEqual({ sent: { files: 0, bytes: 0 }, missing: [], full: false });
    });
    const arrived = new Incoming(layoutOf(there.root)).fileOf(hashBytes(bytes));
    expect(fs.readFileSync(arrived!).equals(bytes)).toBe(true);
  });

  test('a bad copy is passed over; if all are bad nothing wrong arrives', async () => {
    using here = new TestTree();
    using there = new TestTree();
    const good = bytesOf(2);
    const lost = bytesOf(3);
    for (const name of ['a', 'b']) fs.writeFileSync(here.at(name), good);
    fs.writeFileSync(here.at('c'), lost);
    await here.commit();
    for (const name of ['a', 'c']) {
      const fd = fs.openSync(here.at(name), 'r+');
      fs.writeSync(fd, 'rotten', LARGE - 10);
      fs.closeSync(fd);
    }
    const told: number[] = [];
    const context = {
      ...here.context,
      report: ({ files, bytes }: { files: number; bytes: number }) => void told.push(files, bytes),
    };
    await between(here, there, async (repo, peer) => {
      const wanted = [lacking(good, 'a'), lacking(lost, 'c')];
      const { sent, missing } = await sendContents(repo, peer, wanted, context);
      expect(sent.files).toBe(1);
      expect(missing).toEqual([{ path: 'c', reason: 'the file here is another by now' }]);
    });
    expect(told.length).toBeGreaterThan(4);
    expect(new Incoming(layoutOf(there.root)).list()).toEqual([hashBytes(good)]);
  });

  test('a content that is not here is named; one that only the net has is sent', async () => {
    using here = new TestTree();
    using there = new TestTree();
    here.write('x', 'x');
    await here.commit();
    here.write('y', 'y');
    await here.commit();
    fs.rmSync(path.join(here.root, 'x'));
    fs.rmSync(path.join(here.root, 'y'));
    const net = layoutOf(here.root).safety;
    fs.rmSync(path.join(net, hashBytes(Buffer.from('x')).slice(0, 2)), { recursive: true });
    await between(here, there, async (repo, peer) => {
      const { sent, missing } = await sendContents(
        repo,
        peer,
        ['x', 'y'].map((name) => lacking(Buffer.from(name), name)),
        here.context,
      );
      expect({ sent, missing }).toEqual({
        sent: { files: 1, bytes: 1 },
        missing: [{ path: 'x', reason: 'it is not in this repository either' }],
      });
    });
  });
});
