import zlib from 'node:zlib';
import { BkError } from '@bk/core';
import { hashBytes } from '@bk/worktree';
import { describe, expect, test } from 'vitest';
import { FLAG, FRAME, HEADER } from '../../packages/remote/wire/frame.ts';
import { turns } from '../support/hand-clock.ts';
import { type Attacked, attackServer, GREETING, OPEN, type RawFrame, rawFrame } from './raw-wire.ts';

/** Longer than anything that a server waits for. */
const BOUND_MS = 3_600_000;

/** What a client may do, and the code with which the server ends; undefined: as if it had said that it leaves. */
type Attack = readonly [
  what: string,
  code: string | undefined,
  attack: (to: Attacked) => void | Promise<void>,
];

const greeted = ({ raw }: Attacked): void => raw.send(GREETING);

function opened(to: Attacked): void {
  greeted(to);
  to.raw.sendJson(FRAME.call, 1, OPEN);
}

function thenLeaving(attack: (to: Attacked) => void): (to: Attacked) => void {
  return (to) => {
    attack(to);
    void to.raw.channel.close();
  };
}

/** Frames after a right beginning. */
function frames(...sent: readonly (RawFrame | Uint8Array)[]): (to: Attacked) => void {
  return (to) => {
    opened(to);
    to.raw.send(...sent);
  };
}

function call(id: number, value: unknown): RawFrame {
  return { type: FRAME.call, call: id, payload: JSON.stringify(value) };
}

const SENDING = call(2, ['sendContents', null]);
const data = (payload: Uint8Array): RawFrame => ({ type: FRAME.data, call: 2, payload });
const NAME = Buffer.concat([Buffer.alloc(32, 7), u64(100)]);

/** More than is sent to whoever does not read it. */
const ZEROS = Buffer.alloc(10 << 20);
const LARGE = [hashBytes(ZEROS), ZEROS.length];

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const BEGUN = Buffer.concat([Buffer.from([2]), NAME, u64(0)]);

const GREETINGS: readonly Attack[] = [
  ['says nothing', 'unreachable', () => {}],
  ['is a browser', 'refused', ({ raw }) => raw.send(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))],
  ['prints noise first', 'refused', ({ raw }) => raw.send(Buffer.from('Welcome!\n'), GREETING)],
  ['speaks only a later version', 'refused', ({ raw }) => raw.send(Buffer.from('\0bk-wire 2 7\n'))],
  ['speaks no version', 'refused', ({ raw }) => raw.send(Buffer.from('\0bk-wire 0 0\n'))],
  ['speaks backwards', 'refused', ({ raw }) => raw.send(Buffer.from('\0bk-wire 9 1\n'))],
  [
    'gives numbers without end',
    'refused',
    ({ raw }) => raw.send(Buffer.from(`\0bk-wire 1 ${'9'.repeat(400)}\n`)),
  ],
  [
    'greets without end',
    'refused',
    ({ raw }) => raw.send(Buffer.from(`\0bk-wire 1 1 ${'x'.repeat(70_000)}`)),
  ],
  [
    'greets with control characters',
    'refused',
    ({ raw }) => raw.send(Buffer.from('\0bk-wire 1 1 \x1b[2J\n')),
  ],
  ['leaves at once', 'unreachable', ({ raw }) => void raw.channel.close()],
  [
    'greets byte by byte, too slowly',
    'unreachable',
    async ({ raw, clock }) => {
      for (const byte of GREETING) {
        raw.send(Buffer.from([byte]));
        await clock.pass(5_000);
      }
    },
  ],
  ['asks for nothing', 'unreachable', greeted],
  ['greets and leaves', undefined, thenLeaving(greeted)],
];

const FRAMES: readonly Attack[] = [
  ...[0, 14, 99, 255].map(
    (type): Attack => [`a frame of type ${type}`, 'damaged', frames({ type, call: 2 })],
  ),
  ...Object.entries(FRAME).map(
    ([name, type]): Attack => [
      `${name} of 4 GiB`,
      'damaged',
      frames({ type, call: name === 'ping' ? 0 : 1, length: 0xffff_ffff }),
    ],
  ),
  ...[8, 16, 128].map((flags): Attack => [`the flag ${flags}`, 'damaged', frames({ ...SENDING, flags })]),
  ['a call as an answer', 'damaged', frames({ ...SENDING, flags: FLAG.answering })],
  ['an answer as a call', 'damaged', frames({ type: FRAME.answer, call: 1, payload: 'null' })],
  ['an answer to nothing', 'damaged', frames({ type: FRAME.answer, call: 1, payload: 'null', flags: 1 })],
  ['progress of nothing', 'damaged', frames({ type: FRAME.progress, call: 1, payload: '{}', flags: 1 })],
  ['a call without a number', 'damaged', frames({ ...SENDING, call: 0 })],
  ['a ping with a number', 'damaged', frames({ type: FRAME.ping, call: 1, payload: u32(0) })],
  ['a ping of one byte', 'damaged', frames({ type: FRAME.ping, payload: 'x' })],
  ['a compressed ping', 'damaged', frames({ type: FRAME.ping, flags: FLAG.packed, payload: u32(0) })],
  ['a number twice', 'damaged', frames(SENDING, SENDING)],
  ['a number that goes back', 'damaged', frames(call(5, ['facts', null]), call(3, ['facts', null]))],
  ['bytes for a call to come', 'damaged', frames({ ...data(Buffer.from('x')), call: 9 })],
  ['cancels a call to come', 'damaged', frames({ type: FRAME.cancel, call: 9 })],
  [
    'bytes for a call without a stream',
    'damaged',
    frames(call(2, ['fetchPack', { wants: [], haves: [] }]), data(Buffer.from('x'))),
  ],
  [
    'a leave for a call without a stream',
    'damaged',
    frames(SENDING, { type: FRAME.grant, call: 2, payload: u32(1) }),
  ],
  [
    'a leave for more than was sent',
    'damaged',
    frames(call(2, ['readContents', [LARGE]]), { type: FRAME.grant, call: 2, payload: u32(0xffff_ffff) }),
  ],
  ['bytes after the end', 'damaged', frames(SENDING, data(BEGUN), { type: FRAME.end, call: 2 }, data(BEGUN))],
  [
    'two ends',
    'damaged',
    frames(SENDING, data(BEGUN), { type: FRAME.end, call: 2 }, { type: FRAME.end, call: 2 }),
  ],
  ['empty bytes', 'damaged', frames(SENDING, data(Buffer.alloc(0)))],
  [
    'forty calls at once',
    'damaged',
    frames(...Array.from({ length: 40 }, (_, i) => call(i + 2, ['sendContents', null]))),
  ],
  ['header and end', 'unreachable', thenLeaving(frames(rawFrame(SENDING).subarray(0, HEADER - 1)))],
  [
    'noise in between',
    'damaged',
    frames(SENDING, Buffer.from('stty: standard input: Inappropriate ioctl\n')),
  ],
  ['another greeting', 'damaged', frames(GREETING)],
  [
    'an error as farewell',
    'refused',
    frames({ type: FRAME.bye, payload: '{"code":"refused","message":"no"}' }),
  ],
  ['a farewell that is no JSON', 'damaged', frames({ type: FRAME.bye, payload: '{' })],
];

const part = (text: string): RawFrame => ({ type: FRAME.call, call: 2, flags: FLAG.more, payload: text });
const packed = (size: number, bytes: Uint8Array): RawFrame => ({
  type: FRAME.call,
  call: 2,
  flags: FLAG.packed,
  payload: Buffer.concat([u32(size), bytes]),
});

const MESSAGES: readonly Attack[] = [
  ['no JSON', 'damaged', frames({ ...SENDING, payload: '["facts",' })],
  ['no UTF-8', 'damaged', frames({ ...SENDING, payload: Buffer.from([0x22, 0xff, 0x22]) })],
  ['JSON 10,000 deep', 'damaged', frames({ ...SENDING, payload: '['.repeat(10_000) + ']'.repeat(10_000) })],
  ['the key __proto__', 'damaged', frames({ ...SENDING, payload: '["hold",{"__proto__":{"forMs":1}}]' })],
  [
    'the key __proto__, escaped',
    'damaged',
    frames({ ...SENDING, payload: '["hold",{"__pr\\u006fto__":{}}]' }),
  ],
  [
    'two million values',
    'damaged',
    frames(...Array.from({ length: 4 }, () => part('[],'.repeat(340_000))), { ...SENDING, payload: '0' }),
  ],
  [
    'a message without end',
    'damaged',
    frames(...Array.from({ length: 30 }, () => part('x'.repeat(1 << 20)))),
  ],
  ['parts of one byte', 'damaged', frames(part('['))],
  [
    'three messages without end',
    'damaged',
    frames(
      ...[2, 3, 4].flatMap((id) =>
        Array.from({ length: 20 }, () => ({ ...part('x'.repeat(1 << 20)), call: id })),
      ),
    ),
  ],
  ['a bomb', 'damaged', frames(packed(1_000, bomb()))],
  ['a bomb that owns up', 'damaged', frames(packed(0x7fff_ffff, bomb()))],
  ['compressed to nothing', 'damaged', frames(packed(0, Buffer.alloc(0)))],
  ['compressed to more than it is', 'damaged', frames(packed(500, zstd(Buffer.alloc(400))))],
  ['compressed noise', 'damaged', frames(packed(100, Buffer.from('noise')))],
];

const RECORDS: readonly Attack[] = [
  ['an unknown record', undefined, frames(SENDING, data(Buffer.concat([Buffer.from([99]), NAME])))],
  ['a record that is cut', undefined, frames(SENDING, data(BEGUN.subarray(0, 20)))],
  ['chunks of nothing', undefined, frames(SENDING, data(Buffer.concat([Buffer.from([3]), u32(1), NAME])))],
  ['a chunk of no bytes', undefined, frames(SENDING, data(Buffer.concat([BEGUN, Buffer.from([3]), u32(0)])))],
  [
    'a chunk of 4 GiB',
    undefined,
    frames(SENDING, data(Buffer.concat([BEGUN, Buffer.from([3]), u32(0xffff_ffff)]))),
  ],
  ['a content within a content', undefined, frames(SENDING, data(Buffer.concat([BEGUN, BEGUN])))],
  [
    'a size of 2^53',
    undefined,
    frames(SENDING, data(Buffer.concat([Buffer.from([2]), Buffer.alloc(32), u64(2 ** 53), u64(0)]))),
  ],
  [
    'a size of 2^52',
    undefined,
    frames(SENDING, data(Buffer.concat([Buffer.from([2]), Buffer.alloc(32), u64(2 ** 52), u64(0)]))),
  ],
  [
    'a whole content that is not there',
    undefined,
    frames(SENDING, data(Buffer.concat([Buffer.from([1]), NAME]))),
  ],
  ['an answer as a content', undefined, frames(SENDING, data(Buffer.concat([Buffer.from([6]), NAME])))],
  ['a content without an end', undefined, frames(SENDING, data(BEGUN), { type: FRAME.end, call: 2 })],
];

describe.each([
  ['greeting', GREETINGS],
  ['frames', FRAMES],
  ['messages', MESSAGES],
])('a client: %s', (_class, attacks) => {
  test.each(attacks)('%s: %s', async (_what, code, attack) => {
    const to = attackServer();
    await attack(to);
    const outcome = await to.clock.outcome(to.ended, BOUND_MS);
    if (code === undefined) expect(outcome).toEqual({ value: undefined });
    else expect('error' in outcome && outcome.error).toMatchObject({ code });
    if ('error' in outcome) expect(outcome.error).toBeInstanceOf(BkError);
    // Who got as far as being served is served no more.
    if (to.raw.of(FRAME.answer).length > 0) expect(to.closed()).toBe(true);
  });
});

describe('a client: contents', () => {
  test.each(RECORDS)('%s: that call fails, the others go on', async (_what, _code, attack) => {
    const to = attackServer();
    await attack(to);
    await turns();
    to.raw.send(call(3, ['facts', null]));
    await turns();
    const errors = to.raw.of(FRAME.error);
    expect(errors.map(({ call }) => call)).toEqual([2]);
    expect(JSON.parse(Buffer.from(errors[0]!.payload).toString())).toMatchObject({
      code: expect.stringMatching(/^(damaged|refused)$/),
    });
    expect(to.raw.of(FRAME.answer).map(({ call }) => call)).toEqual([1, 3]);
    expect(to.host.received.size).toBe(0);
  });

  test('more bytes than there is room for end the connection', async () => {
    for (const [bytes, count] of [
      [1 << 20, 6],
      [1, 100_000],
    ] as const) {
      const to = attackServer();
      to.host.arrival = () => {
        throw new Error('not asked for');
      };
      opened(to);
      await turns();
      // Contents are taken one by one: what comes for the second call waits.
      to.raw.send(call(2, ['sendContents', null]), call(3, ['sendContents', null]));
      const frame = rawFrame({ type: FRAME.data, call: 3, payload: Buffer.alloc(bytes, 3) });
      for (let i = 0; i < count; i++) to.raw.send(frame);
      const outcome = await to.clock.outcome(to.ended, BOUND_MS);
      expect('error' in outcome && outcome.error).toMatchObject({ code: 'damaged' });
    }
  });

  test('a content that is another one is not stored', async () => {
    const to = attackServer();
    const name = Buffer.concat([Buffer.from(hashBytes(Buffer.from('abc')), 'hex'), u64(3)]);
    frames(SENDING, data(Buffer.concat([Buffer.from([1]), name, Buffer.from('abd')])), {
      type: FRAME.end,
      call: 2,
    })(to);
    await turns();
    const [, receipts] = to.raw.of(FRAME.answer);
    expect(JSON.parse(Buffer.from(receipts!.payload).toString())).toMatchObject([
      { stored: false, reason: 'other-content' },
    ]);
    expect(to.host.received.size).toBe(0);
  });
});

describe('a client: time', () => {
  test('that vanished is found out, and everything is let go', async () => {
    for (const more of [[], [SENDING], [SENDING, data(BEGUN)], [call(2, ['readContents', [LARGE]])]]) {
      const to = attackServer();
      to.host.put(ZEROS);
      opened(to);
      to.raw.send(...more);
      await turns();
      to.raw.isReading = false;
      const outcome = await to.clock.outcome(to.ended, 1_000_000);
      expect('error' in outcome && outcome.error).toMatchObject({ code: 'unreachable' });
      expect(to.closed()).toBe(true);
    }
  });

  test('that drips a frame is not waited for, however alive it is', async () => {
    const to = attackServer();
    opened(to);
    await turns();
    const frame = rawFrame({ ...SENDING, length: 100 });
    const dripping = (async () => {
      for (let i = 0; ; i++) {
        to.raw.send(i < frame.length ? frame.subarray(i, i + 1) : Buffer.from(' '));
        await to.clock.pass(3_000);
        if (to.closed()) return i;
      }
    })();
    expect(await dripping).toBeLessThan(60);
    expect(await to.clock.outcome(to.ended, 10_000)).toMatchObject({
      error: { code: 'unreachable', message: expect.stringContaining('120 s') },
    });
  });

  test('that asks and asks and reads no answers is not kept for', async () => {
    const to = attackServer();
    opened(to);
    await turns();
    to.raw.isReading = false;
    const pings = Buffer.concat(new Array(10_000).fill(rawFrame({ type: FRAME.ping, payload: u32(7) })));
    for (let i = 0; i < 40; i++) {
      to.raw.send(pings);
      await turns(2);
    }
    to.raw.isReading = true;
    expect(await to.clock.outcome(to.ended, 10_000)).toMatchObject({ error: { code: 'damaged' } });
  });

  test('that only pings keeps its server, and one that leaves lets it go', async () => {
    const to = attackServer();
    opened(to);
    for (let i = 0; i < 100; i++) {
      to.raw.send({ type: FRAME.ping, payload: u32(i) });
      await to.clock.pass(100_000);
    }
    expect(to.closed()).toBe(false);
    to.raw.send({ type: FRAME.bye });
    expect(await to.clock.outcome(to.ended, 10_000)).toEqual({ value: undefined });
    expect(to.closed()).toBe(true);
  });

  test('a call that is called off ends at once, and is answered once', async () => {
    const to = attackServer();
    opened(to);
    to.raw.send(SENDING, data(BEGUN));
    await turns();
    to.raw.send({ type: FRAME.cancel, call: 2 }, { type: FRAME.cancel, call: 2 }, data(BEGUN), {
      type: FRAME.end,
      call: 2,
    });
    to.raw.send(call(3, ['sendContents', null]), { type: FRAME.end, call: 3 });
    await turns();
    expect(to.raw.of(FRAME.error).map(({ call }) => call)).toEqual([2]);
    expect(to.raw.of(FRAME.answer).map(({ call }) => call)).toEqual([1, 3]);
  });
});

function zstd(bytes: Uint8Array): Buffer {
  return zlib.zstdCompressSync(bytes);
}

function bomb(): Buffer {
  return zstd(Buffer.alloc(64 << 20));
}
