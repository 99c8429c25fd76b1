import { BkError, type JsonValue, type Report } from '@bk/core';
import type { Peer } from '../port.ts';
import type { Channel } from './channel.ts';
import { type Clock, systemClock } from './clock.ts';
import { Connection, type Handler, interrupted } from './connection.ts';
import {
  commonVersion,
  type Greeting,
  greeting,
  HOLES,
  MOST_NOISE,
  NOISE_HINT,
  readGreeting,
} from './greeting.ts';
import type { Incoming } from './incoming.ts';
import type { Packing } from './packing.ts';
import { RemotePeer } from './remote-peer.ts';
import { refuse, requestOf, servedBy } from './serving.ts';
import { patienceFor, TIMEOUTS, type Timeouts } from './timeouts.ts';
import {
  type CloneWish,
  progressSaid,
  type RepositoryWish,
  reporting,
  type Wish,
  wishAsked,
  wishSaid,
} from './wish.ts';

export interface WireOptions {
  readonly clock?: Clock;
  readonly timeouts?: Partial<Timeouts>;
  readonly packing?: Packing;
  /** Ends it, whatever is under way. */
  readonly signal?: AbortSignal;
}

export interface ConnectOptions extends WireOptions {
  readonly wish: RepositoryWish;
}

export interface CloneThereOptions extends WireOptions {
  readonly wish: CloneWish;
  /** The repository here, which the other side clones. Whoever gives it closes it. */
  readonly offered: Peer;
  readonly report?: Report;
}

export interface CloneContext {
  /** The repository of the side that asks. Valid while the clone is being made. */
  readonly remote: Peer;
  readonly report: Report;
  readonly signal: AbortSignal;
}

export interface ServeOptions extends WireOptions {
  /** Opens what was wished for. What it throws is told to the other side. The Peer is closed at the end. */
  readonly open: (wish: RepositoryWish) => Promise<Peer>;
  /** Makes a clone; the result is for the asking side. Absent: refused. */
  readonly clone?: (wish: CloneWish, context: CloneContext) => Promise<JsonValue>;
}

/**
 * The client's end: greets, asks for a repository, and gives a Peer of it. Closing the Peer closes the channel; if there
 * is no Peer in the end, the channel is closed too.
 * @throws BkError 'unreachable' for no answer in time, or a channel that ended; 'refused' for no bk or another version
 * there; what opening it there threw
 */
export async function connectPeer(channel: Channel, options: ConnectOptions): Promise<Peer> {
  const { method, args } = wishSaid(options.wish);
  const connection = await connect(channel, options, () => refuse('nothing is offered here'));
  try {
    const call = await connection.call({ method, args, patienceMs: patienceFor(0), signal: options.signal });
    await call.answer;
  } catch (error) {
    await connection.close();
    throw error;
  }
  return new RemotePeer(connection, () => connection.close());
}

/**
 * Lets the other side make a clone of the repository here, over the same connection, and closes it.
 * @returns what the other side says of it: not checked
 * @throws BkError like `connectPeer`, and what making the clone threw
 */
export async function cloneThere(channel: Channel, options: CloneThereOptions): Promise<JsonValue> {
  const { wish, offered, report, signal } = options;
  const { method, args } = wishSaid(wish);
  const connection = await connect(channel, options, servedBy(offered));
  try {
    const patienceMs = 4 * patienceFor(0);
    const onProgress = reporting(report ?? (() => {}));
    return await (await connection.call({ method, args, patienceMs, onProgress, signal })).answer;
  } finally {
    await connection.close();
  }
}

/**
 * The server's end: greets, opens what is wished for, and serves it until the channel ends.
 * @throws BkError what ended it, unless the other side said that it ends
 */
export async function servePeer(channel: Channel, options: ServeOptions): Promise<void> {
  const settings = settingsOf(options);
  const { clock, timeouts } = settings;
  const { incoming, rest, holes } = await greet(channel, settings, { speaksFirst: true });
  const serving = new Serving(options);
  const connection: Connection = new Connection(channel, incoming, rest, {
    ...settings,
    holes,
    handler: (call) => serving.handle(call, connection),
    release: () => serving.close(),
  });
  let late: BkError | undefined;
  const callOff = clock.after(timeouts.greetingMs, () => {
    if (serving.wasAsked) return;
    late = new BkError('unreachable', 'cannot serve the other bk: it asks for nothing');
    void connection.close(late);
  });
  const abort = (): void => void connection.close();
  options.signal?.addEventListener('abort', abort, { once: true });
  const error = await connection.ended;
  callOff();
  options.signal?.removeEventListener('abort', abort);
  if (options.signal?.aborted) throw interrupted();
  if (late !== undefined || error !== undefined) throw late ?? error;
}

/** One wish for each connection; what follows is for what it opened. */
class Serving {
  readonly #options: ServeOptions;
  #handler: Handler | undefined;
  #peer: Peer | undefined;
  #isClosed = false;
  wasAsked = false;

  constructor(options: ServeOptions) {
    this.#options = options;
  }

  async handle(call: Parameters<Handler>[0], connection: Connection): Promise<JsonValue> {
    if (this.#handler !== undefined) return this.#handler(call);
    const { method, args } = requestOf(call);
    const wish: Wish = wishAsked(method, args);
    if (this.wasAsked) return refuse('something else was asked for before');
    this.wasAsked = true;
    if (wish.kind === 'clone') return this.#clone(wish, call, connection);
    const peer = await this.#options.open(wish);
    if (this.#isClosed) await peer.close();
    this.#peer = peer;
    this.#handler = servedBy(peer);
    return null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#peer?.close();
  }

  async #clone(wish: CloneWish, call: Parameters<Handler>[0], connection: Connection): Promise<JsonValue> {
    if (this.#options.clone === undefined) return refuse('clones are not made here');
    const remote = new RemotePeer(connection, async () => {});
    const report: Report = (progress) => call.progress(progressSaid(progress));
    return this.#options.clone(wish, { remote, report, signal: call.signal });
  }
}

interface Settings {
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  readonly packing: Packing;
  readonly signal: AbortSignal | undefined;
}

function settingsOf({ clock, timeouts, packing, signal }: WireOptions): Settings {
  return {
    clock: clock ?? systemClock,
    timeouts: { ...TIMEOUTS, ...timeouts },
    packing: packing ?? 'auto',
    signal,
  };
}

async function connect(channel: Channel, options: WireOptions, handler: Handler): Promise<Connection> {
  const settings = settingsOf(options);
  const { incoming, rest, holes } = await greet(channel, settings, { speaksFirst: false });
  return new Connection(channel, incoming, rest, { ...settings, holes, handler, release: async () => {} });
}

interface Greeted {
  readonly incoming: Incoming;
  readonly rest: Uint8Array;
  /** See ConnectionOptions. */
  readonly holes: boolean;
}

/**
 * Whoever serves speaks first. The other side says nothing before it has seen that a bk is there: what else might be
 * there (a shell) is sent nothing that it could take for its own.
 */
async function greet(
  channel: Channel,
  settings: Settings,
  { speaksFirst }: { readonly speaksFirst: boolean },
): Promise<Greeted> {
  const incoming: Incoming = channel.incoming[Symbol.asyncIterator]();
  try {
    if (speaksFirst) await inTime(channel.write([greeting()]), settings);
    const said = await inTime(readGreeting(incoming, speaksFirst ? 0 : MOST_NOISE), settings);
    if (!('rest' in said)) throw await ended(channel, said, settings);
    commonVersion(said);
    if (!speaksFirst) await inTime(channel.write([greeting()]), settings);
    return { incoming, rest: said.rest, holes: said.words.has(HOLES) };
  } catch (error) {
    void drain(incoming);
    await inTime(channel.close(), { ...settings, signal: undefined, closing: true }).catch(() => {});
    if (error instanceof BkError) throw error;
    throw new BkError('unreachable', 'cannot reach the other bk: the connection is broken', { cause: error });
  }
}

async function ended(
  channel: Channel,
  { noise }: Pick<Greeting, 'noise'>,
  settings: Settings,
): Promise<BkError> {
  const known = await inTime(channel.reason?.() ?? Promise.resolve(undefined), settings).catch(
    () => undefined,
  );
  if (known !== undefined) return known;
  if (noise === '')
    return new BkError('unreachable', 'cannot reach the other bk: the connection ended before it answered');
  return new BkError('unreachable', `cannot reach a bk there: instead of one, this answered: “${noise}”`, {
    hint: NOISE_HINT,
  });
}

async function inTime<T>(work: Promise<T>, settings: Settings & { readonly closing?: true }): Promise<T> {
  const { clock, timeouts, signal, closing } = settings;
  const ms = closing === true ? timeouts.closeMs : timeouts.greetingMs;
  let callOff = (): void => {};
  let abort = (): void => {};
  const late = new Promise<never>((_, reject) => {
    const error = new BkError(
      'unreachable',
      `cannot reach the other bk: no answer within ${Math.round(ms / 1000)} s`,
    );
    callOff = clock.after(ms, () => reject(error));
    abort = () => reject(interrupted());
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
  });
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    callOff();
    signal?.removeEventListener('abort', abort);
  }
}

async function drain(incoming: AsyncIterator<Uint8Array>): Promise<void> {
  for (;;) {
    const { done } = await incoming.next();
    if (done === true) return;
  }
}
