import fs from 'node:fs';
import path from 'node:path';
import { BkError, type GitId } from '@bk/core';
import { type Channel, channelPair, connectPeer, hostPeer, type Peer, servePeer } from '@bk/remote';
import { check, openRepository } from '@bk/repo';
import { Incoming } from '@bk/store';
import { hashBytes } from '@bk/worktree';
import { beforeAll, expect, test } from 'vitest';
import { repositoryHost } from '../../packages/repo/peers/host.ts';
import { HandClock } from '../support/hand-clock.ts';
import { fsckProblems } from '../support/history.ts';
import { Mutator } from '../support/mutator.ts';
import { differences, type Snapshot, snapshot } from '../support/snapshot.ts';
import { ASKS, RawEnd } from './raw-wire.ts';
import { collect, flow, readAll } from './streams.ts';
import { Place } from './subject.ts';

/** By hand: BK_FUZZ_RUNS=5000, and BK_FUZZ_SEED for another row of inputs. */
const RUNS = Number(process.env['BK_FUZZ_RUNS'] ?? 60);
const SEED = Number(process.env['BK_FUZZ_SEED'] ?? 1);
const BOUND_MS = 10_000_000;
const NOW_MS = Date.UTC(2027, 0, 1);

let there: Place;
let before: Snapshot;
let session: Buffer;

beforeAll(async () => {
  there = new Place('there');
  there.write('folder/a', 'of a');
  there.write('b', 'of b'.repeat(1_000));
  await there.commit();
  const here = new Place('here');
  here.write('c', 'of c');
  const head = await here.commit();
  const pack = await here.with((repo) =>
    collect(hostPeer(repositoryHost(repo, { nowMs: () => NOW_MS })).fetchPack([head], [])),
  );
  // On a copy: what is sent is new to the repository itself.
  const copy = new Place('copy');
  fs.cpSync(there.root, copy.root, { recursive: true });
  session = await record(copy, head, pack);
  before = snapshot(path.dirname(there.root));
});

async function served(channel: Channel, place: Place, clock?: HandClock): Promise<void> {
  const repo = openRepository(place.root);
  try {
    const host = repositoryHost(repo, { nowMs: () => NOW_MS, remotes: ['here'], patienceMs: 0 });
    await servePeer(channel, { open: async () => hostPeer(host), ...(clock && { clock }) });
  } finally {
    repo.close();
  }
}

/** All that a client says who asks for everything and sends what it has. */
async function record(place: Place, head: GitId, pack: Buffer): Promise<Buffer> {
  const [here, other] = channelPair();
  const said: Buffer[] = [];
  const write = (bytes: readonly Uint8Array[]): Promise<void> => {
    said.push(...bytes.map((one) => Buffer.from(one)));
    return here.write(bytes);
  };
  const ended = served(other, place);
  const channel = { incoming: here.incoming, write, close: () => here.close() };
  const peer: Peer = await connectPeer(channel, {
    wish: { kind: 'repository', path: '/there', asks: ASKS },
    packing: 'never',
  });
  const [a, fresh] = [Buffer.from('of a'), Buffer.alloc(3_000, 'sent')];
  const [known, sent] = [a, fresh].map((bytes) => ({ blake3: hashBytes(bytes), size: bytes.length }));
  await peer.facts();
  const [main] = (await peer.refs()).filter(({ name }) => name === 'refs/heads/main');
  await readAll(peer, [known!, sent!]);
  await peer.arrived([sent!]);
  const receipts = await peer.sendContents(
    flow([{ ...sent!, offset: 0, chunks: flow([fresh.subarray(0, 7), fresh.subarray(7)]) }]),
  );
  const { lease } = await peer.hold([known!], { forMs: 60_000 });
  await collect(peer.fetchPack([main!.id], []));
  const moved = await peer.sendPack(flow([pack]), [{ name: 'refs/remotes/here/main', next: head }]);
  await peer.release(lease!);
  await peer.close();
  await ended;
  expect([receipts[0]?.stored, moved[0]?.moved]).toEqual([true, true]);
  return Buffer.concat(said);
}

test('a real repository: nothing but its .bk is written to, and what is in that stays whole', {
  timeout: Math.max(120_000, RUNS * 1_000),
}, async () => {
  let failed = 0;
  for (let run = 0; run < RUNS; run++) {
    const mutator = new Mutator(SEED * 4_000_037 + run);
    const [here, other] = channelPair();
    const clock = new HandClock();
    const ended = served(other, there, clock);
    ended.catch(() => {});
    const raw = new RawEnd(here);
    for (const piece of mutator.pieces(mutator.mutate(session, session))) raw.send(piece);
    void raw.channel.close();
    const outcome = await clock.outcome(ended, BOUND_MS);
    if ('value' in outcome) continue;
    failed++;
    expect(outcome.error, `run ${run}`).toBeInstanceOf(BkError);
    expect((outcome.error as BkError).code, `run ${run}: ${String(outcome.error)}`).not.toBe('bug');
  }
  expect(failed).toBeGreaterThan(RUNS / 4);
  const changed = differences(before, snapshot(path.dirname(there.root)));
  expect(changed.filter((line) => !line.startsWith('"there/.bk/'))).toEqual([]);
  expect(fs.readdirSync(path.dirname(there.root))).toEqual(['there']);
  expect(there.staged()).toEqual([]);
  expect(fsckProblems(there.root)).toEqual([]);
  const incoming = new Incoming(there.layout);
  for (const blake3 of incoming.list())
    expect(hashBytes(fs.readFileSync(incoming.fileOf(blake3)!))).toBe(blake3);
  await there.with((repo) => expect(check(repo, {}, there.context).problems).toEqual([]));
});
