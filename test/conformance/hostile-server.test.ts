import { BkError, type ContentHash, type GitId } from '@bk/core';
import { channelPair, cloneThere, hostPeer, type Peer } from '@bk/remote';
import { hashBytes } from '@bk/worktree';
import { describe, expect, test } from 'vitest';
import { FLAG, FRAME } from '../../packages/remote/wire/frame.ts';
import { HandClock, turns } from '../support/hand-clock.ts';
import { ASKS, bareHost, type Deceived, deceiveClient, FACTS, GREETING, RawEnd } from './raw-wire.ts';
import { collect, flow, readAll } from './streams.ts';

/** Longer than anything that a client waits for: an hour for a call, and what it is given for its work. */
const BOUND_MS = 8_000_000;
const NOWHERE = '1'.repeat(40) as GitId;
const ABC = { blake3: hashBytes(Buffer.from('abc')), size: 3 };

/** The client's side of a connection, once the hostile server has let it in. */
async function letIn(): Promise<Deceived & { readonly opened: Peer }> {
  const to = deceiveClient();
  to.raw.send(GREETING);
  await turns();
  answer(to, 1, null);
  const outcome = await to.clock.outcome(to.peer, 1_000);
  if ('error' in outcome) throw outcome.error;
  return { ...to, opened: outcome.value };
}

function answer({ raw }: Deceived, call: number, value: unknown): void {
  raw.sendJson(FRAME.answer, call, value, FLAG.answering);
}

function bytes({ raw }: Deceived, payload: Uint8Array): void {
  raw.send({ type: FRAME.data, call: 2, flags: FLAG.answering, payload });
}

describe('a server: greeting', () => {
  const HINT = /start-up files/;

  test.each<readonly [string, string, RegExp, (to: Deceived) => void | Promise<void>]>([
    ['says nothing', 'unreachable', /within 30 s/, () => {}],
    ['ends at once', 'unreachable', /before it answered/, ({ raw }) => void raw.channel.close()],
    [
      'is no bk',
      'unreachable',
      /“This account is not available\.”/,
      ({ raw }) => {
        raw.send(Buffer.from('This account is not available.\n'));
        void raw.channel.close();
      },
    ],
    ['prints without end', 'refused', /“yyyyy/, ({ raw }) => raw.send(Buffer.alloc(66_000, 'y'))],
    [
      'prints what steers terminals',
      'unreachable',
      /“\\x1b\[2J\\x07\\u\{202e\}”/,
      ({ raw }) => {
        raw.send(Buffer.from('\x1b[2J\x07\u202e'));
        void raw.channel.close();
      },
    ],
    [
      'speaks a later version',
      'refused',
      /speaks versions 2 to 3, this one 1/,
      ({ raw }) => raw.send(Buffer.from('\0bk-wire 2 3\n')),
    ],
    ['greets, and lets nobody in', 'unreachable', /no sign of life/, ({ raw }) => raw.send(GREETING)],
    [
      'greets, and makes noise then',
      'damaged',
      /unknown type/,
      ({ raw }) => raw.send(GREETING, Buffer.from('stty: standard input: Inappropriate ioctl for device\n')),
    ],
    [
      'answers with an error',
      'not-found',
      /no such folder\\x1b/,
      async (to) => {
        to.raw.send(GREETING);
        await turns();
        const fault = { code: 'not-found', message: 'no such folder\u001b', hint: 'look\u202e' };
        to.raw.sendJson(FRAME.error, 1, fault, FLAG.answering);
      },
    ],
    [
      'answers with an error of its own making',
      'damaged',
      /^it said no more$/,
      async (to) => {
        to.raw.send(GREETING);
        await turns();
        to.raw.sendJson(FRAME.error, 1, { code: 'constructor', message: 7, path: '\0' }, FLAG.answering);
      },
    ],
  ])('that %s', async (_what, code, message, attack) => {
    const to = deceiveClient();
    await attack(to);
    const outcome = await to.clock.outcome(to.peer, BOUND_MS);
    const error = 'error' in outcome ? outcome.error : undefined;
    expect(error).toBeInstanceOf(BkError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    if (/no bk|instead of one/.test((error as BkError).message))
      expect((error as BkError).hint).toMatch(HINT);
    if (/versions/.test((error as BkError).message))
      expect((error as BkError).hint).toMatch(/older of the two/);
  });

  test('that is alive, but never lets anybody in', async () => {
    const to = deceiveClient();
    to.raw.send(GREETING);
    let isOver = false;
    to.peer.catch(() => {
      isOver = true;
    });
    for (let i = 0; i < 1_000 && !isOver; i++) {
      to.raw.send({ type: FRAME.pong, payload: Buffer.alloc(4) });
      await to.clock.pass(10_000);
    }
    await expect(to.peer).rejects.toMatchObject({ code: 'unreachable', message: /does not answer/ });
  });

  test('noise before the greeting is passed over, up to a limit, and the client says nothing before it', async () => {
    for (const noise of ['Welcome to nas!\r\n', 'x'.repeat(65_536), '\0bk-wir', 'motd without a line end ']) {
      const to = deceiveClient();
      for (let at = 0; at < noise.length; at += 10_000)
        to.raw.send(Buffer.from(noise.slice(at, at + 10_000)));
      await turns();
      expect(to.raw.frames).toEqual([]);
      for (const byte of GREETING) to.raw.send(Buffer.from([byte]));
      await turns();
      answer(to, 1, null);
      expect('value' in (await to.clock.outcome(to.peer, 1_000))).toBe(true);
    }
    const to = deceiveClient();
    to.raw.send(Buffer.alloc(65_537, 'x'), GREETING);
    expect(await to.clock.outcome(to.peer, 10_000)).toMatchObject({ error: { code: 'refused' } });
  });
});

const RECORDS: readonly (readonly [string, string, readonly number[]])[] = [
  ['no such record', 'damaged', [99]],
  ['an end before a beginning', 'damaged', [4]],
  ['a content that is cut', 'damaged', [1, 97, 98]],
  ['more than was asked for', 'damaged', [1, 97, 98, 99, 6]],
  ['a beginning behind the end', 'damaged', [2, 0, 0, 0, 0, 0, 0, 0, 4]],
  ['a beginning at 2^60', 'damaged', [2, 16, 0, 0, 0, 0, 0, 0, 0]],
  ['a chunk that is too long', 'damaged', [2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 97, 98, 99, 100, 4]],
  ['too few chunks', 'damaged', [2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 97, 98, 4]],
  ['an error that is no JSON', 'damaged', [2, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 97]],
  ['an error longer than the frame', 'damaged', [2, 0, 0, 0, 0, 0, 0, 0, 0, 5, 255, 255, 255, 255]],
];

describe('a server: answers', () => {
  type Lie = readonly [
    what: string,
    call: (peer: Peer) => Promise<unknown>,
    lie: (to: Deceived) => void,
    code: string,
  ];
  const json = (value: unknown) => (to: Deceived) => answer(to, 2, value);
  const hold = (peer: Peer) => peer.hold([ABC], { forMs: 1_000 });
  const send = (peer: Peer) =>
    peer.sendContents(flow([{ ...ABC, offset: 0, chunks: flow([Buffer.from('abc')]) }]));
  const push = (peer: Peer) => peer.sendPack(undefined, [{ name: 'refs/heads/main', next: NOWHERE }]);
  const held = { lease: 'a'.repeat(32), forMs: 1_000, volume: 'v' };
  const other = 'ef'.repeat(32);
  const lies: readonly Lie[] = [
    ['another protocol', (peer) => peer.facts(), json({ ...FACTS, protocol: 2 }), 'refused'],
    ['no facts', (peer) => peer.facts(), json(null), 'damaged'],
    ['facts with an escape', (peer) => peer.facts(), json({ ...FACTS, name: '\u001b[2J' }), 'damaged'],
    [
      'refs that lead out',
      (peer) => peer.refs(),
      json([{ name: 'refs/heads/../../x', id: NOWHERE }]),
      'damaged',
    ],
    ['refs without end', (peer) => peer.refs(), json(new Array(100_001).fill(1)), 'damaged'],
    ['results for other refs', push, json([{ name: 'refs/heads/other', moved: true }]), 'damaged'],
    ['no results', push, json([]), 'damaged'],
    ['a result that is none', push, json([{ name: 'refs/heads/main', moved: 'yes' }]), 'damaged'],
    [
      'a detail with an escape',
      push,
      json([{ name: 'refs/heads/main', moved: false, detail: '\u001b' }]),
      'damaged',
    ],
    [
      'a promise for another content',
      hold,
      json({ ...held, contents: [{ blake3: other, held: true, verified: 'hash' }] }),
      'damaged',
    ],
    [
      'a promise for more',
      hold,
      json({ ...held, contents: [1, 2].map(() => ({ blake3: ABC.blake3, held: true, verified: 'hash' })) }),
      'damaged',
    ],
    [
      'a promise without a name',
      hold,
      json({ ...held, lease: '../x', contents: [{ blake3: ABC.blake3, held: true, verified: 'hash' }] }),
      'damaged',
    ],
    ['a receipt for another content', send, json([{ blake3: other, stored: true }]), 'damaged'],
    ['a receipt too many', send, json([1, 2].map(() => ({ blake3: ABC.blake3, stored: true }))), 'damaged'],
    ['no receipt', send, json([]), 'damaged'],
    ['a receipt without a reason', send, json([{ blake3: ABC.blake3, stored: false }]), 'damaged'],
    [
      'more arrived than there is',
      (peer) => peer.arrived([ABC]),
      json([{ blake3: ABC.blake3, bytes: 4, prefix: other }]),
      'damaged',
    ],
    [
      'another content arrived',
      (peer) => peer.arrived([ABC]),
      json([{ blake3: other, bytes: 1, prefix: other }]),
      'damaged',
    ],
    [
      'arrived twice',
      (peer) => peer.arrived([ABC]),
      json([1, 2].map(() => ({ blake3: ABC.blake3, bytes: 1, prefix: other }))),
      'damaged',
    ],
    [
      'an answer of 4 million lists',
      (peer) => peer.refs(),
      (to) => {
        for (let i = 0; i < 12; i++)
          to.raw.send({
            type: FRAME.answer,
            call: 2,
            flags: FLAG.answering | FLAG.more,
            payload: '[],'.repeat(340_000),
          });
        answer(to, 2, 0);
      },
      'damaged',
    ],
    [
      'an answer without end',
      (peer) => peer.refs(),
      (to) => {
        for (let i = 0; i < 30; i++)
          to.raw.send({
            type: FRAME.answer,
            call: 2,
            flags: FLAG.answering | FLAG.more,
            payload: Buffer.alloc(1 << 20, ' '),
          });
      },
      'damaged',
    ],
    ['bytes where none belong', (peer) => peer.facts(), (to) => bytes(to, Buffer.from('x')), 'damaged'],
    [
      'a leave for more than was sent',
      send,
      (to) =>
        to.raw.send({ type: FRAME.grant, call: 2, flags: FLAG.answering, payload: Buffer.alloc(4, 255) }),
      'damaged',
    ],
    [
      'a pack in chunks that are too large',
      (peer) => collect(peer.fetchPack([], [])),
      (to) => bytes(to, Buffer.alloc((1 << 20) + 1)),
      'damaged',
    ],
    [
      'more of a pack than there is room for',
      async (peer) => {
        const chunks = peer.fetchPack([], [])[Symbol.asyncIterator]();
        for (let i = 0; i < 3; i++) {
          await chunks.next();
          await turns(8);
        }
      },
      (to) => {
        for (let i = 0; i < 6; i++) bytes(to, Buffer.alloc(1 << 20));
      },
      'damaged',
    ],
    ['no contents at all', (peer) => readAll(peer, [ABC]), json(null), 'damaged'],
    ...RECORDS.map(
      ([what, code, record]): Lie => [
        what,
        (peer) => readAll(peer, [ABC]),
        (to) => {
          bytes(to, Buffer.from(record));
          answer(to, 2, null);
        },
        code,
      ],
    ),
  ];

  test.each(lies)('%s', async (_what, ask, lie, code) => {
    const to = await letIn();
    const asked = ask(to.opened);
    asked.catch(() => {});
    await turns();
    lie(to);
    const outcome = await to.clock.outcome(asked, BOUND_MS);
    expect('error' in outcome && outcome.error).toBeInstanceOf(BkError);
    expect('error' in outcome && outcome.error).toMatchObject({ code });
  });

  test('a content that is another one passes for nothing but bytes: its hash is for whoever asked', async () => {
    const to = await letIn();
    const seen = readAll(to.opened, [ABC]);
    await turns();
    bytes(to, Buffer.from([1, 120, 121, 122]));
    answer(to, 2, null);
    expect(await seen).toMatchObject([{ ...ABC, offset: 0, bytes: Buffer.from('xyz') }]);
  });

  test('what is wrong with one content is told with it; the next one follows', async () => {
    const to = await letIn();
    const wanted = [ABC, { ...ABC, blake3: 'ab'.repeat(32) as ContentHash }];
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const one of to.opened.readContents(wanted))
        if (!('missing' in one)) seen.push(await collect(one.chunks).catch((error: BkError) => error.code));
    })();
    await turns();
    const fault = Buffer.from('{"code":"damaged","message":"rotten"}');
    const broken = [2, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, fault.length, ...fault];
    bytes(to, Buffer.from([...broken, 1, 97, 98, 99]));
    answer(to, 2, null);
    await reading;
    expect(seen).toEqual(['damaged', Buffer.from('abc')]);
  });

  test('asks what is not offered: refused, and the connection goes on', async () => {
    const to = await letIn();
    to.raw.sendCall(1, ['facts', null]);
    to.raw.sendCall(2, ['open', { path: '/etc', asks: ASKS }]);
    await turns();
    expect(to.raw.of(FRAME.error).map(({ call }) => call)).toEqual([1, 2]);
    const facts = to.opened.facts();
    await turns();
    answer(to, 2, FACTS);
    expect(await facts).toEqual(FACTS);
  });
});

describe('a server: time', () => {
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) yield Buffer.alloc(1 << 20);
  };
  const calls: readonly (readonly [string, (peer: Peer) => Promise<unknown>])[] = [
    ['facts', (peer) => peer.facts()],
    ['a pack', (peer) => collect(peer.fetchPack([], []))],
    ['contents', (peer) => readAll(peer, [ABC])],
    ['a promise', (peer) => peer.hold([ABC], { forMs: 1_000 })],
    ['sending a pack', (peer) => peer.sendPack(endless(), [{ name: 'refs/heads/main', next: NOWHERE }])],
    [
      'sending contents',
      (peer) => peer.sendContents(flow([{ ...ABC, size: 2 ** 40, offset: 0, chunks: endless() }])),
    ],
  ];

  test.each(calls)('that dies over %s is found out', async (_what, ask) => {
    for (const reads of [true, false]) {
      const to = await letIn();
      to.raw.isReading = reads;
      const outcome = await to.clock.outcome(ask(to.opened), 1_500_000);
      expect('error' in outcome && outcome.error).toMatchObject({ code: 'unreachable' });
    }
  });

  test.each(calls)('that only says that it lives is not waited for for ever: %s', async (_what, ask) => {
    const to = await letIn();
    let outcome: unknown;
    ask(to.opened).catch((error: unknown) => {
      outcome = error;
    });
    for (let i = 0; i < 400 && outcome === undefined; i++) {
      to.raw.send({ type: FRAME.ping, payload: Buffer.alloc(4) });
      await to.clock.pass(20_000);
    }
    expect(outcome).toMatchObject({ code: 'unreachable' });
  });

  test.each(calls)('that ends in the middle of %s', async (_what, ask) => {
    for (const isFarewell of [true, false]) {
      const to = await letIn();
      const asked = ask(to.opened);
      asked.catch(() => {});
      await turns();
      if (isFarewell) to.raw.sendJson(FRAME.bye, 0, { code: 'io', message: 'the disk is gone' });
      void to.raw.channel.close();
      const outcome = await to.clock.outcome(asked, 60_000);
      expect('error' in outcome && outcome.error).toMatchObject({ code: isFarewell ? 'io' : 'unreachable' });
      await expect(to.opened.facts()).rejects.toBeInstanceOf(BkError);
    }
  });

  test('one that does not end when it should is left', async () => {
    const to = await letIn();
    expect(await to.clock.outcome(to.opened.close(), 20_000)).toEqual({ value: undefined });
    await expect(to.opened.facts()).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('time in which this side did not run is nobody’s silence', async () => {
    const to = await letIn();
    const facts = to.opened.facts();
    await turns();
    // The machine was suspended: the clock went on, no timer did.
    const timers = to.clock.jump(10_000_000);
    expect(timers).toBe(true);
    await turns();
    answer(to, 2, FACTS);
    expect(await facts).toEqual(FACTS);
  });
});

interface Cloning extends Omit<Deceived, 'peer'> {
  readonly done: Promise<unknown>;
  readonly told: readonly unknown[];
}

describe('a server: clones', () => {
  async function cloning(): Promise<Cloning> {
    const clock = new HandClock();
    const [here, there] = channelPair();
    const told: unknown[] = [];
    const done = cloneThere(here, {
      clock,
      wish: { kind: 'clone', path: '/there', options: { name: 'x' } },
      offered: hostPeer(bareHost()),
      report: (progress) => void told.push(progress),
    });
    done.catch(() => {});
    const raw = new RawEnd(there);
    raw.send(GREETING);
    await turns();
    return { raw, clock, done, told };
  }

  test('what it says of its work is taken where it makes sense', async () => {
    const { raw, clock, done, told } = await cloning();
    for (const said of [
      { phase: 'copy', files: 1, bytes: 2, totalFiles: 3, path: '\u001b[2J' },
      { phase: 'constructor', files: 1, bytes: 2 },
      { phase: 'copy', files: -1, bytes: 2 },
      { phase: 'copy', files: 1 },
      { phase: 'copy', files: 1, bytes: 2, totalBytes: 'x' },
    ])
      raw.sendJson(FRAME.progress, 1, said, FLAG.answering);
    raw.sendJson(FRAME.answer, 1, { root: '/there' }, FLAG.answering);
    await turns();
    expect(await clock.outcome(done, 10_000)).toEqual({ value: { root: '/there' } });
    expect(told).toEqual([
      { phase: 'copy', files: 1, bytes: 2, totalFiles: 3 },
      { phase: 'copy', files: 1, bytes: 2 },
    ]);
  });

  test('it may ask for what the history holds, and for nothing else', async () => {
    const { raw, done, clock } = await cloning();
    raw.sendCall(1, ['facts', null]);
    raw.sendCall(2, ['readContents', [['../../etc/passwd', 1]]]);
    raw.sendCall(3, ['open', { path: '/etc', asks: ASKS }]);
    await turns();
    expect(raw.of(FRAME.answer).map(({ call }) => call)).toEqual([1]);
    expect(
      raw
        .of(FRAME.error)
        .map(({ call }) => call)
        .sort(),
    ).toEqual([2, 3]);
    raw.sendJson(FRAME.error, 1, { code: 'no-space', message: 'full' }, FLAG.answering);
    expect(await clock.outcome(done, 10_000)).toMatchObject({ error: { code: 'no-space', message: 'full' } });
  });
});
