import crypto from 'node:crypto';
import { duplexPair } from 'node:stream';
import { BkError, type ContentHash, type GitId, type Progress } from '@bk/core';
import {
  type Channel,
  channelPair,
  cloneThere,
  connectPeer,
  hostPeer,
  LIMITS,
  type MemoryHost,
  type OpenContent,
  type Peer,
  type ServeOptions,
  servePeer,
  streamChannel,
} from '@bk/remote';
import { afterEach, describe, expect, test } from 'vitest';
import { WINDOW } from '../../packages/remote/wire/flow.ts';
import { turns } from '../support/hand-clock.ts';
import { ASKS, bareHost, FACTS } from './raw-wire.ts';
import { collect, flow, readAll } from './streams.ts';

const WISH = { kind: 'repository', path: '/there', asks: ASKS } as const;
const NOWHERE = '1'.repeat(40) as GitId;
const MIB = 1 << 20;

interface Session {
  readonly host: MemoryHost;
  readonly peer: Peer;
  readonly served: Promise<void>;
}

const open: Session[] = [];

afterEach(async () => {
  for (const { peer, served } of open.splice(0)) {
    await peer.close();
    await served.catch(() => {});
  }
});

async function session(
  options: Partial<ServeOptions> = {},
  [here, there]: readonly [Channel, Channel] = channelPair(),
): Promise<Session> {
  const host = bareHost();
  const served = servePeer(there, { open: async () => hostPeer(host), ...options });
  served.catch(() => {});
  const made = { host, served, peer: await connectPeer(here, { wish: WISH }) };
  open.push(made);
  return made;
}

/** A content of zeros that is never in memory, and what was done to it. */
function zeros(
  host: MemoryHost,
  size: number,
): { wanted: { blake3: ContentHash; size: number }; read: () => number; closed: () => boolean } {
  let [read, isClosed] = [0, false];
  const place: OpenContent = {
    size,
    read(offset, target) {
      const length = Math.min(target.length, size - offset);
      read += length;
      return length;
    },
    close: () => {
      isClosed = true;
    },
  };
  host.locate = () => () => [place];
  return {
    wanted: { blake3: 'ab'.repeat(32) as ContentHash, size },
    read: () => read,
    closed: () => isClosed,
  };
}

async function settled(what: () => unknown): Promise<void> {
  for (let i = 0; i < 2_000 && !what(); i++) await turns(1);
  expect(what()).toBe(true);
}

describe('streams', () => {
  test('one that is not read is not sent, and keeps nobody waiting', async () => {
    const { host, peer } = await session();
    const { wanted, read } = zeros(host, 2 ** 40);
    const contents = peer.readContents([wanted])[Symbol.asyncIterator]();
    const { value: sent } = await contents.next();
    const chunks = sent.chunks[Symbol.asyncIterator]();
    await chunks.next();
    await turns(200);
    expect(await peer.facts()).toEqual(FACTS);
    expect(read()).toBeLessThan(WINDOW + 4 * MIB);
    for (let i = 0; i < 20; i++) expect((await chunks.next()).value).toHaveLength(LIMITS.chunk);
    expect(read()).toBeGreaterThan(20 * MIB);
    await contents.return?.(undefined);
  });

  test('what is sent and not taken is not asked of its source', async () => {
    const { host, peer } = await session();
    let given = 0;
    let go = (): void => {};
    const taken = new Promise<void>((resolve) => {
      go = resolve;
    });
    const receive: MemoryHost['receive'] = async (bytes, updates) => {
      await taken;
      for await (const _ of bytes!);
      return updates.map(({ name }) => ({ name, moved: true }));
    };
    Object.assign(host, { receive });
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 30; i++) {
        given++;
        yield Buffer.alloc(MIB);
      }
    }
    const sent = peer.sendPack(source(), [{ name: 'refs/heads/main', next: NOWHERE }]);
    await turns(200);
    expect(given).toBeLessThan(10);
    go();
    expect(await sent).toEqual([{ name: 'refs/heads/main', moved: true }]);
    expect(given).toBe(30);
  });

  test.each(['return', 'signal', 'close'] as const)('%s ends it at the other end at once', async (how) => {
    const { host, peer } = await session();
    const { wanted, read, closed } = zeros(host, 2 ** 40);
    const control = new AbortController();
    const reading = (async () => {
      for await (const sent of peer.readContents([wanted], { signal: control.signal })) {
        if ('missing' in sent) continue;
        for await (const _ of sent.chunks) {
          if (how === 'return') return;
          if (how === 'signal') control.abort();
          else void peer.close();
        }
      }
    })();
    if (how === 'return') await reading;
    else
      await expect(reading).rejects.toMatchObject({ code: how === 'signal' ? 'interrupted' : 'unreachable' });
    await settled(closed);
    expect(read()).toBeLessThan(WINDOW + 6 * MIB);
  });

  test('what is left in the middle is not sent to its end', async () => {
    const { host, peer } = await session();
    const { wanted, read } = zeros(host, 2 ** 40);
    let left = 0;
    for await (const sent of peer.readContents([wanted, wanted, wanted]))
      if (!('missing' in sent)) for await (const _ of sent.chunks) if (++left > 0) break;
    expect(left).toBe(3);
    expect(read()).toBeLessThan(3 * (WINDOW + 6 * MIB));
  });

  test('many at a time, in both directions', async () => {
    const { host, peer } = await session();
    const bytes = Array.from({ length: 50 }, (_, i) => crypto.randomBytes(1 + i * 10_000));
    const contents = bytes.map((one) => host.put(one));
    const sending = bytes.map((one, i) => {
      const content = { ...contents[i]!, offset: 0, chunks: flow([one]) };
      return peer.sendContents(flow([content]));
    });
    const reading = contents.map((content) => readAll(peer, [content]));
    for (const [i, [seen]] of (await Promise.all(reading)).entries())
      expect(seen?.bytes?.equals(bytes[i]!)).toBe(true);
    for (const receipts of await Promise.all(sending)) expect(receipts).toMatchObject([{ stored: true }]);
  });

  test('what changes something there goes one after the other', async () => {
    const { host, peer } = await session();
    let [now, most] = [0, 0];
    const receive: MemoryHost['receive'] = async (_, updates) => {
      most = Math.max(most, ++now);
      await turns(5);
      now--;
      return updates.map(({ name }) => ({ name, moved: true }));
    };
    Object.assign(host, { receive });
    const push = () => peer.sendPack(undefined, [{ name: 'refs/heads/main', next: NOWHERE }]);
    await Promise.all([push(), push(), push()]);
    expect(most).toBe(1);
  });

  test('thousands of small contents share frames', async () => {
    const [here, there] = channelPair();
    let writes = 0;
    const counting: Channel = {
      ...there,
      incoming: there.incoming,
      close: () => there.close(),
      write: (bytes) => {
        writes++;
        return there.write(bytes);
      },
    };
    const { host, peer } = await session({}, [here, counting]);
    const contents = Array.from({ length: 20_000 }, (_, i) => host.put(Buffer.from(`content ${i}`)));
    const before = writes;
    expect((await readAll(peer, contents)).every(({ bytes, size }) => bytes?.length === size)).toBe(true);
    expect(writes - before).toBeLessThan(10);
  });

  test('answers may be longer than a frame', async () => {
    const { host, peer } = await session();
    const refs = Array.from({ length: 30_000 }, (_, i) => ({ name: `refs/remotes/x${i}/main`, id: NOWHERE }));
    Object.assign(host, { refs: () => refs });
    expect(await peer.refs()).toEqual(refs);
  });
});

describe('errors', () => {
  test.each<readonly [unknown, object]>([
    [
      new BkError('no-space', 'full', { hint: 'make room', path: 'a/b' }),
      { code: 'no-space', message: 'full', hint: 'make room', path: 'a/b' },
    ],
    [new BkError('interrupted', 'ctrl-c'), { code: 'unreachable' }],
    [
      new BkError('io', `x${'y'.repeat(5_000)}`),
      { code: 'io', message: expect.stringMatching(/^xy{999}…$/) },
    ],
    [new BkError('io', 'a\u001b[2J\u202eb'), { message: 'a\\x1b[2J\\u{202e}b' }],
    [Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }), { code: 'no-space' }],
    [Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }), { code: 'io' }],
    [
      new TypeError('x is not a function'),
      { code: 'bug', message: 'the other bk has failed: x is not a function' },
    ],
    ['text', { code: 'bug', message: 'the other bk has failed: text' }],
  ])('%s', async (thrown, seen) => {
    const { host, peer } = await session();
    const refs = (): never => {
      throw thrown;
    };
    Object.assign(host, { refs });
    const error: unknown = await peer.refs().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(BkError);
    expect(error).toMatchObject(seen);
    expect(await peer.facts()).toEqual(FACTS);
  });

  test('of opening are told, and nothing is left open', async () => {
    const [here, there] = channelPair();
    const served = servePeer(there, { open: () => Promise.reject(new BkError('not-a-repository', 'no')) });
    await expect(connectPeer(here, { wish: WISH })).rejects.toMatchObject({
      code: 'not-a-repository',
      message: 'no',
    });
    await served;
  });

  test('an interrupt ends connecting and serving', async () => {
    const control = new AbortController();
    const [here, there] = channelPair();
    const served = servePeer(there, { open: () => new Promise(() => {}), signal: control.signal });
    const peer = connectPeer(here, { wish: WISH });
    peer.catch(() => {});
    await turns();
    control.abort();
    await expect(served).rejects.toMatchObject({ code: 'interrupted' });
    await expect(peer).rejects.toMatchObject({ code: 'unreachable' });
    const [other] = channelPair();
    await expect(
      connectPeer(other, { wish: WISH, signal: AbortSignal.abort(), timeouts: { closeMs: 10 } }),
    ).rejects.toMatchObject({ code: 'interrupted' });
  });
});

describe('ending', () => {
  test('what moves files for a side that has gone ends in order: nothing is closed under its feet', async () => {
    const events: string[] = [];
    const host = bareHost();
    let go = (): void => {};
    const moving = new Promise<void>((resolve) => {
      go = resolve;
    });
    const receive: MemoryHost['receive'] = async () => {
      events.push('moves');
      await moving;
      events.push('moved');
      return [];
    };
    Object.assign(host, { receive, close: () => events.push('closed') });
    const [here, there] = channelPair();
    const served = servePeer(there, { open: async () => hostPeer(host), timeouts: { closeMs: 10 } });
    const peer = await connectPeer(here, { wish: WISH, timeouts: { closeMs: 10 } });
    const sent = peer.sendPack(undefined, [{ name: 'refs/heads/main', next: NOWHERE }]);
    sent.catch(() => {});
    await turns();
    await peer.close();
    await expect(sent).rejects.toMatchObject({ code: 'unreachable' });
    expect(events).toEqual(['moves']);
    go();
    await served;
    expect(events).toEqual(['moves', 'moved', 'closed']);
  });
});

describe('a clone on the other side', () => {
  test('reads what is offered, tells how far it is, and gives its result', async () => {
    const host = bareHost();
    const bytes = crypto.randomBytes(3 * MIB);
    const content = host.put(bytes);
    const [here, there] = channelPair();
    const told: Progress[] = [];
    const served = servePeer(there, {
      open: () => Promise.reject(new Error('not asked for')),
      async clone(wish, { remote, report }) {
        const [seen] = await readAll(remote, [content]);
        report({ phase: 'copy', files: 1, bytes: seen!.bytes!.length, totalFiles: 1 });
        return {
          ...(wish.options as object),
          path: wish.path,
          right: seen!.bytes!.equals(bytes),
          id: (await remote.facts()).id,
        };
      },
    });
    const result = await cloneThere(here, {
      wish: { kind: 'clone', path: '/there', options: { name: 'x' } },
      offered: hostPeer(host),
      report: (progress) => void told.push(progress),
    });
    expect(result).toEqual({ name: 'x', path: '/there', right: true, id: FACTS.id });
    expect(told).toEqual([{ phase: 'copy', files: 1, bytes: bytes.length, totalFiles: 1 }]);
    await served;
  });

  test('its error is the error here, and an interrupt here ends it there', async () => {
    const [here, there] = channelPair();
    const control = new AbortController();
    let isAborted = (): boolean => false;
    const served = servePeer(there, {
      open: () => Promise.reject(new Error('not asked for')),
      clone: (_, { signal }) => {
        isAborted = () => signal.aborted;
        return new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(new BkError('interrupted', 'x'))),
        );
      },
    });
    const wish = { kind: 'clone', path: '/there', options: null } as const;
    const cloned = cloneThere(here, { wish, offered: hostPeer(bareHost()), signal: control.signal });
    await turns();
    control.abort();
    await expect(cloned).rejects.toMatchObject({ code: 'interrupted' });
    expect(isAborted()).toBe(true);
    await served;
    const [again, back] = channelPair();
    void servePeer(back, { open: () => Promise.reject(new Error('not asked for')) });
    await expect(cloneThere(again, { wish, offered: hostPeer(bareHost()) })).rejects.toMatchObject({
      code: 'refused',
    });
  });
});

describe('over Node’s streams', () => {
  test('contents go both ways, and both ends end', async () => {
    const [a, b] = duplexPair({ highWaterMark: 1 << 16 });
    const { host, peer, served } = await session({}, [streamChannel(a, a), streamChannel(b, b)]);
    const bytes = crypto.randomBytes(5 * MIB + 17);
    const content = host.put(bytes);
    expect((await readAll(peer, [content]))[0]?.bytes?.equals(bytes)).toBe(true);
    const receipts = await peer.sendContents(flow([{ ...content, offset: 0, chunks: flow([bytes]) }]));
    expect(receipts).toEqual([{ blake3: content.blake3, stored: true }]);
    expect(await collect(peer.fetchPack([NOWHERE], []))).toHaveLength(2_000);
    await peer.close();
    await served;
  });

  test('a line that breaks ends everything, with the reason if one is known', async () => {
    const [a, b] = duplexPair();
    const reason = async (): Promise<BkError> => new BkError('unreachable', 'ssh said no');
    const { host, peer, served } = await session({}, [streamChannel(a, a, { reason }), streamChannel(b, b)]);
    const { wanted, closed } = zeros(host, 2 ** 40);
    const reading = (async () => {
      for await (const sent of peer.readContents([wanted]))
        if (!('missing' in sent))
          for await (const _ of sent.chunks) {
            a.destroy();
            b.destroy();
          }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'unreachable', message: 'ssh said no' });
    await expect(served).rejects.toMatchObject({ code: 'unreachable' });
    expect(closed()).toBe(true);
  });
});
