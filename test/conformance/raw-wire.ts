import type { JsonValue } from '@bk/core';
import {
  type Channel,
  channelPair,
  connectPeer,
  type Facts,
  hostPeer,
  MemoryHost,
  type Peer,
  type ServeOptions,
  servePeer,
} from '@bk/remote';
import { createHasher, hashBytes } from '@bk/worktree';
import {
  FLAG,
  FRAME,
  type Frame,
  FrameReader,
  type FrameType,
  HEADER,
  writeHeader,
} from '../../packages/remote/wire/frame.ts';
import { greeting } from '../../packages/remote/wire/greeting.ts';
import { partsOf } from '../../packages/remote/wire/message.ts';
import { BufferPool } from '../../packages/remote/wire/pool.ts';
import { HandClock, turns } from '../support/hand-clock.ts';

export const ASKS = { id: '0190a1b2-c3d4-7e5f-8a6b-000000000001', name: 'here' };
export const GREETING = Buffer.from(greeting());
export const OPEN = ['open', { path: '/there', asks: ASKS }];

export const FACTS: Facts = {
  protocol: 1,
  id: '0190a1b2-c3d4-7e5f-8a6b-000000000002',
  name: 'there',
  volume: 'v',
  subset: { include: [], exclude: [] },
  readOnly: false,
};

/** A repository without history: what its contents and calls do is enough to try the wire. */
export function bareHost(): MemoryHost {
  return new MemoryHost({
    facts: () => FACTS,
    createHasher,
    hashBytes,
    history: {
      refs: () => [{ name: 'refs/heads/main', id: '1'.repeat(40) as never }],
      pack: () => [Buffer.alloc(2_000, 'pack')],
      receive: async (bytes, updates) => {
        if (bytes !== undefined) for await (const _ of bytes);
        return updates.map(({ name }) => ({ name, moved: true }));
      },
    },
    nowMs: () => 0,
  });
}

export interface RawFrame {
  readonly type: FrameType | number;
  readonly flags?: number;
  readonly call?: number;
  readonly payload?: Uint8Array | string;
  /** What the header says, whatever is true. */
  readonly length?: number;
}

export function rawFrame({ type, flags = 0, call = 0, payload = '', length }: RawFrame): Buffer {
  const bytes = Buffer.from(payload as string);
  const header = Buffer.alloc(HEADER);
  writeHeader(header, { type: type as FrameType, flags, call, length: length ?? bytes.length });
  return Buffer.concat([header, bytes]);
}

/** One end that says what a test makes it say. */
export class RawEnd {
  readonly channel: Channel;
  readonly frames: Frame[] = [];
  isReading = true;
  readonly #reader = new FrameReader(new BufferPool(), ({ payload, ...frame }) => {
    this.frames.push({ ...frame, payload: Buffer.from(payload) });
  });
  #greeted = 0;

  constructor(channel: Channel) {
    this.channel = channel;
    void this.#read();
  }

  /** Never waits for the other side. */
  send(...frames: readonly (RawFrame | Uint8Array)[]): void {
    for (const frame of frames)
      this.channel.write([frame instanceof Uint8Array ? frame : rawFrame(frame)]).catch(() => {});
  }

  sendJson(type: FrameType | number, call: number, value: unknown, flags = 0): void {
    this.send({ type, call, flags, payload: JSON.stringify(value) });
  }

  /** A call, in as many parts as it needs. */
  sendCall(call: number, value: unknown): void {
    for (const { bytes, more } of partsOf(value as JsonValue))
      this.send({ type: FRAME.call, call, flags: more ? FLAG.more : 0, payload: bytes });
  }

  /** Frames of this type that came. */
  of(type: FrameType): readonly Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  async #read(): Promise<void> {
    for await (const bytes of this.channel.incoming) {
      while (!this.isReading) await turns(1);
      const skipped = Math.min(bytes.length, GREETING.length - this.#greeted);
      this.#greeted += skipped;
      this.#reader.push(bytes.subarray(skipped));
    }
  }
}

export interface Attacked {
  readonly raw: RawEnd;
  readonly clock: HandClock;
  readonly host: MemoryHost;
  /** How the honest side ends. */
  readonly ended: Promise<void>;
  readonly closed: () => boolean;
}

/** An honest server, whose client is the test. */
export function attackServer(options: Partial<ServeOptions> = {}): Attacked {
  const clock = new HandClock();
  const [here, there] = channelPair();
  const host = bareHost();
  const peer = hostPeer(host);
  let isClosed = false;
  const close = async (): Promise<void> => {
    isClosed = true;
    await peer.close();
  };
  const open = async (): Promise<Peer> =>
    new Proxy(peer, {
      get(target, name) {
        if (name === 'close') return close;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  const ended = servePeer(there, { open, clock, ...options });
  ended.catch(() => {});
  return { raw: new RawEnd(here), clock, host, ended, closed: () => isClosed };
}

export interface Deceived {
  readonly raw: RawEnd;
  readonly clock: HandClock;
  readonly peer: Promise<Peer>;
}

/** An honest client, whose server is the test. */
export function deceiveClient(): Deceived {
  const clock = new HandClock();
  const [here, there] = channelPair();
  const peer = connectPeer(here, { clock, wish: { kind: 'repository', path: '/there', asks: ASKS } });
  peer.catch(() => {});
  return { raw: new RawEnd(there), clock, peer };
}
