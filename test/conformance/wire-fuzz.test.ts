import { BkError, type GitId } from '@bk/core';
import { type Channel, channelPair, connectPeer, hostPeer, type Peer, servePeer } from '@bk/remote';
import { hashBytes } from '@bk/worktree';
import { beforeAll, describe, expect, test } from 'vitest';
import { FrameReader } from '../../packages/remote/wire/frame.ts';
import { BufferPool } from '../../packages/remote/wire/pool.ts';
import { turns } from '../support/hand-clock.ts';
import { Mutator } from '../support/mutator.ts';
import { ASKS, attackServer, bareHost, deceiveClient, GREETING } from './raw-wire.ts';
import { collect, flow, readAll } from './streams.ts';

/** By hand: BK_FUZZ_RUNS=1000000, and BK_FUZZ_SEED for another row of inputs. */
const RUNS = Number(process.env['BK_FUZZ_RUNS'] ?? 300);
const SEED = Number(process.env['BK_FUZZ_SEED'] ?? 1);
const BOUND_MS = 10_000_000;
const TIMEOUT_MS = Math.max(60_000, RUNS * 100);

const [ONE, TWO] = [Buffer.from('one'), Buffer.from('0123456789'.repeat(60))];
const NOWHERE = '1'.repeat(40) as GitId;
const [SMALL, MIDDLE] = [ONE, TWO].map((bytes) => ({ blake3: hashBytes(bytes), size: bytes.length }));
const ABSENT = { blake3: hashBytes(Buffer.from('absent')), size: 6 };
const RESUMED = { ...MIDDLE!, have: { bytes: 10, prefix: hashBytes(TWO.subarray(0, 10)) } };

/** Everything that a client may ask, one after the other. */
const SCRIPT: readonly ((peer: Peer) => Promise<unknown>)[] = [
  (peer) => peer.facts(),
  (peer) => peer.refs(),
  (peer) => readAll(peer, [SMALL!, ABSENT, RESUMED, MIDDLE!]),
  (peer) => peer.arrived([SMALL!, ABSENT]),
  (peer) =>
    peer.sendContents(
      flow([
        { ...SMALL!, offset: 0, chunks: flow([ONE]) },
        { ...MIDDLE!, offset: 0, chunks: flow([TWO.subarray(0, 7), TWO.subarray(7)]) },
      ]),
    ),
  (peer) => peer.hold([SMALL!, ABSENT], { forMs: 1_000 }),
  (peer) => collect(peer.fetchPack([NOWHERE], [])),
  (peer) => peer.sendPack(flow([TWO]), [{ name: 'refs/heads/main', next: NOWHERE }]),
  (peer) => peer.release('0'.repeat(32)),
  (peer) => peer.close(),
];

interface Recorded {
  /** All that the client sent. */
  readonly client: Buffer;
  /** What the server sent up to the end of each step, the opening first. */
  readonly server: readonly Buffer[];
}

function recording(channel: Channel, into: Uint8Array[]): Channel {
  return {
    incoming: channel.incoming,
    write(bytes) {
      into.push(...bytes.map((one) => Buffer.from(one)));
      return channel.write(bytes);
    },
    close: () => channel.close(),
  };
}

async function record(packing: 'always' | 'never'): Promise<Recorded> {
  const [client, server]: [Uint8Array[], Uint8Array[]] = [[], []];
  const [here, there] = channelPair();
  const host = bareHost();
  for (const bytes of [ONE, TWO]) host.put(bytes);
  const served = servePeer(recording(there, server), { open: async () => hostPeer(host), packing });
  const peer = await connectPeer(recording(here, client), {
    wish: { kind: 'repository', path: '/there', asks: ASKS },
    packing,
  });
  const steps = [Buffer.concat(server.splice(0))];
  for (const step of SCRIPT) {
    await step(peer);
    await turns();
    steps.push(Buffer.concat(server.splice(0)));
  }
  await served;
  return { client: Buffer.concat(client), server: steps };
}

describe('mutated sessions', () => {
  let sessions: readonly Recorded[] = [];

  beforeAll(async () => {
    sessions = [await record('never'), await record('always')];
    expect(
      sessions.every(({ client, server }) => client.length > 1_000 && server.length === SCRIPT.length + 1),
    ).toBe(true);
  });

  test('frames: in whatever pieces they come, they are the same, or damaged', { timeout: TIMEOUT_MS }, () => {
    let damaged = 0;
    for (let run = 0; run < 20 * RUNS; run++) {
      const mutator = new Mutator(SEED * 1_000_003 + run);
      const { client, server } = mutator.pick(sessions);
      const stream = mutator.pick([client, Buffer.concat(server)]).subarray(GREETING.length);
      const bytes = run < sessions.length ? stream : mutator.mutate(stream, client);
      const whole = framesOf([bytes]);
      if (whole.error !== undefined) damaged++;
      const cut = framesOf(mutator.pieces(bytes));
      if (cut.frames !== whole.frames || cut.error !== whole.error) expect(cut, `run ${run}`).toEqual(whole);
    }
    expect(damaged).toBeGreaterThan(RUNS);
  });

  test('a server: ends, and only ever with a BkError', { timeout: TIMEOUT_MS }, async () => {
    const before = process.memoryUsage().rss;
    let failed = 0;
    for (let run = 0; run < RUNS; run++) {
      const mutator = new Mutator(SEED * 2_000_003 + run);
      const { client } = mutator.pick(sessions);
      const to = attackServer();
      for (const bytes of [ONE, TWO]) to.host.put(bytes);
      const isIntact = run < sessions.length;
      const sent = isIntact ? sessions[run]!.client : mutator.mutate(client, mutator.pick(sessions).client);
      for (const piece of mutator.pieces(sent)) to.raw.send(piece);
      // Now and then nobody ends it.
      if (mutator.below(8) > 0) void to.raw.channel.close();
      const outcome = await to.clock.outcome(to.ended, BOUND_MS);
      const error = 'error' in outcome ? outcome.error : undefined;
      if (isIntact) expect(error).toBeUndefined();
      if (error !== undefined) failed++;
      check(error, `server, run ${run}`);
      for (const [blake3, bytes] of to.host.received) expect(hashBytes(bytes)).toBe(blake3);
    }
    expect(failed).toBeGreaterThan(RUNS / 4);
    expect(process.memoryUsage().rss - before).toBeLessThan(1 << 30);
  });

  test('a client: every call ends, and only ever with a BkError', { timeout: TIMEOUT_MS }, async () => {
    const before = process.memoryUsage().rss;
    let failed = 0;
    for (let run = 0; run < RUNS; run++) {
      const mutator = new Mutator(SEED * 3_000_017 + run);
      const session = mutator.pick(sessions);
      const isIntact = run === 0;
      const errors = await replay(session, isIntact ? undefined : mutator);
      if (isIntact) expect(errors).toEqual([]);
      failed += errors.length > 0 ? 1 : 0;
      for (const error of errors) check(error, `client, run ${run}`);
    }
    expect(failed).toBeGreaterThan(RUNS / 4);
    expect(process.memoryUsage().rss - before).toBeLessThan(1 << 30);
  });
});

/** What a client makes of a server that says what was recorded, one step of it mutated. @returns the errors of its calls */
async function replay({ server }: Recorded, mutator: Mutator | undefined): Promise<unknown[]> {
  const to = deceiveClient();
  const target = mutator?.below(server.length) ?? -1;
  const say = (step: number): void => {
    const bytes = server[step]!;
    const said =
      mutator !== undefined && step === target ? mutator.mutate(bytes, mutator.pick(server)) : bytes;
    for (const piece of mutator?.pieces(said) ?? [said]) to.raw.send(piece);
  };
  const errors: unknown[] = [];
  const first = server[0]!;
  // The greeting comes before the client's own, what follows after its wish.
  if (target === 0) say(0);
  else {
    to.raw.send(first.subarray(0, GREETING.length));
    await turns();
    to.raw.send(first.subarray(GREETING.length));
  }
  const opened = await to.clock.outcome(to.peer, BOUND_MS);
  if ('error' in opened) return [opened.error];
  for (const [i, step] of SCRIPT.entries()) {
    const asked = step(opened.value);
    asked.catch(() => {});
    await turns(3);
    say(i + 1);
    if (i === SCRIPT.length - 1) void to.raw.channel.close();
    const outcome = await to.clock.outcome(asked, BOUND_MS);
    if ('error' in outcome) errors.push(outcome.error);
  }
  return errors;
}

function check(error: unknown, what: string): void {
  if (error === undefined) return;
  if (!(error instanceof BkError)) throw new Error(`${what}: ${String((error as Error).stack ?? error)}`);
  expect(error.code, `${what}: ${error.message}`).not.toBe('bug');
  expect(error.message.length).toBeLessThan(20_000);
  expect(error.message).not.toMatch(/[\p{Cc}\p{Cs}\u202e]/u);
}

interface Cut {
  readonly frames: string;
  readonly error?: string;
}

function framesOf(pieces: readonly Uint8Array[]): Cut {
  let frames = '';
  const reader = new FrameReader(new BufferPool(), ({ payload, type, flags, call }) => {
    frames += `${type} ${flags} ${call} ${Buffer.from(payload).toString('latin1')}\n`;
  });
  try {
    for (const piece of pieces) reader.push(piece);
    return { frames };
  } catch (error) {
    if (!(error instanceof BkError) || error.code !== 'damaged') throw error;
    return { frames, error: error.message };
  }
}
