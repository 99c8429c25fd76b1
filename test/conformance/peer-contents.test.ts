import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { BkError, type ContentHash, type GitId } from '@bk/core';
import { type Arrived, type Content, checkedHold, LIMITS, type Peer, verifiedChunks } from '@bk/remote';
import type { HistoryReader } from '@bk/store';
import { createHasher, hashBytes } from '@bk/worktree';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { needsSshd } from '../support/sshd.ts';
import {
  MAIN,
  NOWHERE,
  openBothSides,
  packFrom,
  refused,
  SUBJECTS,
  UNKNOWN,
  unreachable,
} from './both-sides.ts';
import { collect, flow, one, readAll } from './streams.ts';
import type { Place, Subject } from './subject.ts';

describe.each(SUBJECTS)('%s', (kind, make) => {
  let subject: Subject;
  let here: Place;
  let peer: Peer;
  let reader: HistoryReader;

  beforeEach((context) => {
    if (kind === 'ssh') needsSshd(context);
    ({ subject, here, peer, reader } = openBothSides(make));
  });
  afterEach(async () => {
    reader?.close();
    await subject?.close();
  });

  function packed(wants: readonly GitId[], haves: readonly GitId[]): AsyncIterable<Uint8Array> {
    return packFrom(reader, wants, haves);
  }

  /** The peer anew, as the other side is now. */
  function fresh(options: Parameters<Subject['reopen']>[0] = {}): Peer {
    peer = subject.reopen({ moveMain: () => true, ...options });
    return peer;
  }

  describe('contents', () => {
    const LARGE = crypto.randomBytes(2 * LIMITS.chunk + 12_345);

    test('come whole, in the order asked for; what is not there is said', async () => {
      const small = await subject.put('a/small', Buffer.from('small'));
      const empty = await subject.put('empty', Buffer.alloc(0));
      const large = await subject.put('large', LARGE);
      peer = subject.peer;
      const seen = await readAll(peer, [large, UNKNOWN, small, empty, small]);
      expect(seen.map(({ bytes }) => bytes?.length)).toEqual([LARGE.length, undefined, 5, 0, 5]);
      expect(seen[0]?.bytes?.equals(LARGE)).toBe(true);
      expect(seen[1]?.missing).toBe('not-found');
    });

    test('go on where a part ends, if that part is right; else they begin anew', async () => {
      const large = await subject.put('large', LARGE);
      const small = await subject.put('small', Buffer.from('0123456789'));
      peer = subject.peer;
      for (const [content, whole] of [
        [large, LARGE],
        [small, Buffer.from('0123456789')],
      ] as const) {
        for (const bytes of [0, 1, 5, whole.length - 1, whole.length]) {
          const prefix = hashBytes(whole.subarray(0, bytes));
          const [right] = await readAll(peer, [{ ...content, have: { bytes, prefix } }]);
          expect(right).toMatchObject({ offset: bytes });
          expect(right?.bytes?.equals(whole.subarray(bytes))).toBe(true);
        }
        const [wrong] = await readAll(peer, [
          { ...content, have: { bytes: 5, prefix: hashBytes(Buffer.from('other')) } },
        ]);
        expect(wrong).toMatchObject({ offset: 0 });
        expect(wrong?.bytes?.equals(whole)).toBe(true);
      }
    });

    test('another size is another content', async () => {
      const { blake3 } = await subject.put('a', Buffer.from('0123456789'));
      const [seen] = await readAll(subject.peer, [{ blake3, size: 9 }]);
      expect(seen?.missing).toBe('not-found');
    });

    test('a file that is not what it was is not sent as if it were', async () => {
      const small = await subject.put('small', Buffer.from('0123456789'));
      const large = await subject.put('large', LARGE);
      peer = subject.peer;
      subject.spoil('small', small, Buffer.from('012345678X'));
      const rotten = Buffer.from(LARGE);
      rotten[rotten.length - 1]! ^= 1;
      subject.spoil('large', large, rotten);
      expect((await readAll(peer, [small]))[0]?.missing).toBe('damaged');
      await expect(readAll(peer, [large])).rejects.toMatchObject({ code: 'damaged' });
      expect((await readAll(peer, [large]))[0]?.missing).toBe('damaged');
      subject.spoil('large', large, LARGE.subarray(0, 100));
      expect((await readAll(fresh(), [large]))[0]?.missing).toBe('not-found');
    });

    test('can be asked for by hash only', async () => {
      await subject.put('a', Buffer.from('a'));
      fs.writeFileSync(path.join(subject.there.root, '..', 'outside'), 'outside');
      const outside = { blake3: hashBytes(Buffer.from('outside')), size: 7 };
      const config = fs.readFileSync(subject.there.layout.config);
      const seen = await readAll(subject.peer, [outside, { blake3: hashBytes(config), size: config.length }]);
      expect(seen.map(({ missing }) => missing)).toEqual(['not-found', 'not-found']);
      for (const name of [
        '../outside',
        '/etc/passwd',
        'a',
        '',
        'AB'.repeat(32),
        `${'ab'.repeat(32)}\n`,
        `${'../'.repeat(21)}x`,
      ]) {
        const asked = { blake3: name as ContentHash, size: 1 };
        await expect(readAll(subject.peer, [asked])).rejects.toThrow(refused);
        await expect(subject.peer.arrived([asked])).rejects.toThrow(refused);
        await expect(subject.peer.hold([asked], { forMs: 1000 })).rejects.toThrow(refused);
        await expect(
          subject.peer.sendContents(one({ ...asked, offset: 0, chunks: flow([]) })),
        ).rejects.toThrow(refused);
      }
    });

    test('what was read up to a point can be left', async () => {
      const large = await subject.put('large', LARGE);
      const small = await subject.put('small', Buffer.from('small'));
      const seen: number[] = [];
      for await (const sent of subject.peer.readContents([large, small])) {
        if ('missing' in sent) continue;
        for await (const chunk of sent.chunks) {
          seen.push(chunk.length);
          break;
        }
      }
      expect(seen).toEqual([LIMITS.chunk, 5]);
    });

    test('what arrives is checked again on this side', async () => {
      const content = { blake3: hashBytes(Buffer.from('abc')), size: 3, offset: 0 };
      const take = (...parts: string[]) =>
        collect(verifiedChunks(flow(parts.map((part) => Buffer.from(part))), content, createHasher()));
      expect((await take('a', '', 'bc')).toString()).toBe('abc');
      await expect(take('ab')).rejects.toThrow(unreachable);
      await expect(take('abc', 'd')).rejects.toMatchObject({ code: 'damaged' });
      await expect(take('abd')).rejects.toMatchObject({ code: 'damaged' });
      const rest = { ...content, offset: 1 };
      const hasher = createHasher();
      hasher.update(Buffer.from('a'));
      expect((await collect(verifiedChunks(flow([Buffer.from('bc')]), rest, hasher))).toString()).toBe('bc');
    });
  });

  describe('sending contents', () => {
    const WHOLE = crypto.randomBytes(3_000_000);
    const content: Content = { blake3: hashBytes(WHOLE), size: WHOLE.length };
    const sent = (chunks: readonly Uint8Array[], offset = 0, of: Content = content) =>
      one({ ...of, offset, chunks: flow(chunks) });

    test('what is whole is stored, in any chunks, and told as arrived', async () => {
      const empty = { blake3: hashBytes(Buffer.alloc(0)), size: 0 };
      const receipts = await peer.sendContents(
        flow([
          { ...content, offset: 0, chunks: flow(sliced(WHOLE, 777_777)) },
          { ...empty, offset: 0, chunks: flow([]) },
        ]),
      );
      expect(receipts).toEqual([
        { blake3: content.blake3, stored: true },
        { blake3: empty.blake3, stored: true },
      ]);
      expect(subject.arrived(content.blake3)?.equals(WHOLE)).toBe(true);
      expect(subject.arrived(empty.blake3)).toHaveLength(0);
      const told: Arrived = { ...content, bytes: content.size, prefix: content.blake3 };
      expect(await subject.reopen().arrived([UNKNOWN, content])).toEqual([told]);
      expect(await peer.sendContents(sent([], content.size))).toEqual([
        { blake3: content.blake3, stored: true },
      ]);
    });

    test.each([
      ['a flipped bit', () => [flip(WHOLE)], 'other-content'],
      ['an extra byte', () => [WHOLE, Buffer.from('x')], 'too-long'],
      ['another content of that size', () => [crypto.randomBytes(WHOLE.length)], 'other-content'],
    ])('%s: nothing is kept', async (_what, chunks, reason) => {
      expect(await peer.sendContents(sent(chunks()))).toEqual([
        { blake3: content.blake3, stored: false, reason },
      ]);
      expect(subject.arrived(content.blake3)).toBeUndefined();
      expect(await peer.arrived([content])).toEqual([]);
    });

    test('a part is kept, told with its hash, and gone on from', async () => {
      const part = WHOLE.subarray(0, 1_234_567);
      expect(await peer.sendContents(sent([part]))).toEqual([
        { blake3: content.blake3, stored: false, reason: 'cut-off' },
      ]);
      expect(subject.arrived(content.blake3)).toBeUndefined();
      const again = subject.reopen();
      const told: Arrived = { ...content, bytes: part.length, prefix: hashBytes(part) };
      expect(await again.arrived([content])).toEqual([told]);
      expect(await again.sendContents(sent([WHOLE], part.length + 1))).toEqual([
        { blake3: content.blake3, stored: false, reason: 'bad-offset' },
      ]);
      expect(await again.sendContents(sent([WHOLE.subarray(1_000_000)], 1_000_000))).toEqual([
        { blake3: content.blake3, stored: true },
      ]);
      expect(subject.arrived(content.blake3)?.equals(WHOLE)).toBe(true);
    });

    test('a wrong part spoils nothing: the end tells', async () => {
      await peer.sendContents(sent([flip(WHOLE).subarray(0, 2_000_000)]));
      const resumed = await peer.sendContents(sent([WHOLE.subarray(2_000_000)], 2_000_000));
      expect(resumed).toEqual([{ blake3: content.blake3, stored: false, reason: 'other-content' }]);
      expect(await peer.sendContents(sent([WHOLE]))).toEqual([{ blake3: content.blake3, stored: true }]);
    });

    test('a line that dies in the middle: the part stays, and the error is told', async () => {
      async function* dying(): AsyncGenerator<Uint8Array> {
        yield WHOLE.subarray(0, 1_000_000);
        throw new BkError('unreachable', 'the line is dead');
      }
      await expect(peer.sendContents(one({ ...content, offset: 0, chunks: dying() }))).rejects.toThrow(
        unreachable,
      );
      expect(await peer.arrived([content])).toMatchObject([{ bytes: 1_000_000 }]);
    });

    test('claims are capped before anything is made for them', async () => {
      for (const size of [2 ** 53, -1, 0.5, Number.NaN, '1' as unknown as number, 2 ** 51]) {
        await expect(peer.sendContents(sent([], 0, { ...content, size }))).rejects.toThrow(refused);
      }
      for (const offset of [-1, 0.5, content.size + 1, Number.NaN])
        expect(await peer.sendContents(sent([], offset))).toMatchObject([
          { stored: false, reason: 'bad-offset' },
        ]);
      if (kind === 'local') {
        const receipts = await peer.sendContents(sent([], 0, { ...content, size: 2 ** 50 }));
        expect(receipts).toMatchObject([{ stored: false, reason: 'no-space' }]);
      }
      expect(await peer.arrived([content])).toEqual([]);
    });
  });

  describe('holding', () => {
    test('proves what is there and promises to keep it until the deadline', async () => {
      const a = await subject.put('a', Buffer.from('a'));
      const b = await subject.put('b', Buffer.from('b'));
      peer = subject.peer;
      const held = await peer.hold([a, UNKNOWN, b], { forMs: 60_000 });
      expect(held.contents.map((one) => one.held)).toEqual([true, false, true]);
      expect(held.contents[1]).toEqual({ blake3: UNKNOWN.blake3, held: false });
      expect(held).toMatchObject({ forMs: 60_000, volume: (await peer.facts()).volume });
      expect(checkedHold(JSON.parse(JSON.stringify(held)), [a, UNKNOWN, b], 60_000)).toEqual(held);
      expect([a, b, UNKNOWN].map(({ blake3 }) => subject.isLeased(blake3))).toEqual([true, true, false]);
      subject.clock.ms += 59_999;
      expect(subject.isLeased(a.blake3)).toBe(true);
      subject.clock.ms += 1;
      expect(subject.isLeased(a.blake3)).toBe(false);
    });

    test('a promise outlives the session, ends when released, and not by another’s release', async () => {
      const a = await subject.put('a', Buffer.from('a'));
      const [one, two] = [
        await subject.peer.hold([a], { forMs: 60_000 }),
        await subject.peer.hold([a], { forMs: 60_000 }),
      ];
      expect(one.lease).not.toBe(two.lease);
      await subject.peer.release(one.lease!);
      await subject.peer.release(one.lease!);
      await subject.peer.close();
      expect(subject.isLeased(a.blake3)).toBe(true);
      await subject.reopen().release(two.lease!);
      expect(subject.isLeased(a.blake3)).toBe(false);
      await subject.reopen().release('0'.repeat(32));
    });

    test('does not believe a stat in doubt, nor an edited file', async () => {
      const a = await subject.put('a', Buffer.from('aaaa'));
      peer = subject.peer;
      expect((await peer.hold([a], { forMs: 1000, rehash: true })).contents).toEqual([
        { blake3: a.blake3, held: true, verified: 'hash' },
      ]);
      subject.spoil('a', a, Buffer.from('bbbb'));
      const held = await peer.hold([a], { forMs: 1000 });
      expect(held.contents).toEqual([{ blake3: a.blake3, held: false }]);
      expect(held.lease).toBeUndefined();
    });

    test('what is asked and told is capped', async () => {
      for (const forMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, LIMITS.leaseMs + 1])
        await expect(peer.hold([UNKNOWN], { forMs })).rejects.toThrow(refused);
      for (const lease of ['', '../x', 'x'.repeat(32), 7 as unknown as string])
        await expect(peer.release(lease)).rejects.toThrow(refused);
      const told = {
        lease: 'a'.repeat(32),
        forMs: 9e9,
        volume: 'v',
        contents: [{ blake3: UNKNOWN.blake3, held: true, verified: 'stat' }],
      };
      expect(checkedHold(told, [UNKNOWN], 1000).forMs).toBe(1000);
      expect(() => checkedHold(told, [], 1000)).toThrow(/other contents/);
      expect(() => checkedHold({ ...told, lease: undefined }, [UNKNOWN], 1000)).toThrow(/no name/);
      expect(
        checkedHold({ ...told, contents: [{ ...told.contents[0], verified: undefined }] }, [UNKNOWN], 1)
          .contents[0]?.held,
      ).toBe(false);
    });
  });

  describe('limits and ends', () => {
    test('too many of anything is refused before anything is done', async () => {
      const many = <T>(count: number, value: T): T[] => new Array<T>(count).fill(value);
      await expect(collect(peer.fetchPack(many(LIMITS.wants + 1, NOWHERE), []))).rejects.toThrow(refused);
      await expect(collect(peer.fetchPack([], many(LIMITS.haves + 1, NOWHERE)))).rejects.toThrow(refused);
      await expect(collect(peer.fetchPack(['x' as GitId], []))).rejects.toThrow(refused);
      await expect(readAll(peer, many(LIMITS.contents + 1, UNKNOWN))).rejects.toThrow(refused);
      await expect(peer.arrived(many(LIMITS.contents + 1, UNKNOWN))).rejects.toThrow(refused);
      await expect(peer.hold(many(LIMITS.contents + 1, UNKNOWN), { forMs: 1 })).rejects.toThrow(refused);
      const update = { name: MAIN, next: NOWHERE };
      await expect(peer.sendPack(undefined, many(LIMITS.updates + 1, update))).rejects.toThrow(refused);
      await expect(peer.sendPack(undefined, [update, update])).rejects.toThrow(refused);
    });

    test('read-only: nothing can be sent; what is there is told, given and promised', async () => {
      here.write('a', 'a');
      const head = await here.commit();
      const closed = subject.reopen({ readOnly: true });
      expect((await closed.facts()).readOnly).toBe(true);
      await expect(closed.sendPack(packed([head], []), [{ name: MAIN, next: head }])).rejects.toThrow(
        refused,
      );
      await expect(closed.sendContents(flow([]))).rejects.toThrow(refused);
      await expect(closed.arrived([UNKNOWN])).rejects.toThrow(refused);
      const kept = await subject.put('kept', Buffer.from('kept'));
      expect((await readAll(closed, [kept]))[0]?.bytes?.toString()).toBe('kept');
      const { lease } = await closed.hold([kept], { forMs: 60_000 });
      expect(subject.isLeased(kept.blake3)).toBe(true);
      await closed.release(lease!);
      expect(subject.isLeased(kept.blake3)).toBe(false);
      subject.reopen();
    });

    test('a signal ends a call', async () => {
      const large = await subject.put('large', crypto.randomBytes(5 * LIMITS.chunk));
      const control = new AbortController();
      const reading = async () => {
        for await (const sent of subject.peer.readContents([large], { signal: control.signal })) {
          if (!('missing' in sent)) for await (const _ of sent.chunks) control.abort();
        }
      };
      await expect(reading()).rejects.toMatchObject({ code: 'interrupted' });
      await expect(subject.peer.facts({ signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: 'interrupted',
      });
      expect((await readAll(subject.peer, [large]))[0]?.bytes).toHaveLength(large.size);
    });

    test('closed in the middle of everything: unreachable, and nothing half done', async () => {
      const large = await subject.put('large', crypto.randomBytes(5 * LIMITS.chunk));
      here.write('a', 'a');
      const head = await here.commit();
      peer = subject.reopen({ moveMain: () => true });
      const reading = async () => {
        for await (const sent of peer.readContents([large])) {
          if (!('missing' in sent)) for await (const _ of sent.chunks) await peer.close();
        }
      };
      await expect(reading()).rejects.toThrow(unreachable);
      const whole = await collect(packed([head], []));
      const target = subject.reopen({ moveMain: () => true });
      const before = subject.there.packs();
      async function* closing(): AsyncGenerator<Uint8Array> {
        yield whole.subarray(0, 40);
        await target.close();
        yield whole.subarray(40);
      }
      await expect(
        target.sendPack(closing(), [{ name: 'refs/remotes/here/main', next: head }]),
      ).rejects.toThrow(unreachable);
      expect(subject.there.packs()).toEqual(before);
      expect(subject.there.staged()).toEqual([]);
      for (const call of [
        () => target.facts(),
        () => target.refs(),
        () => target.hold([large], { forMs: 1 }),
        () => target.release('0'.repeat(32)),
        () => target.sendContents(flow([])),
        () => collect(target.fetchPack([], [])),
        () => readAll(target, []),
      ])
        await expect(call()).rejects.toThrow(unreachable);
      await target.close();
    });
  });
});

function sliced(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
    bytes.subarray(n * size, (n + 1) * size),
  );
}

function flip(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[Math.floor(copy.length / 3)]! ^= 4;
  return copy;
}
