import { BkError, type JsonValue } from '@bk/core';
import {
  type CallFlows,
  type CallRequest,
  carriesContents,
  GivenCall,
  hasInput,
  hasOutput,
  METHODS,
  type Method,
  OwnCall,
} from './calls.ts';
import type { Channel } from './channel.ts';
import type { Clock } from './clock.ts';
import { errorOf, faultOf } from './fault.ts';
import { Inflow, Outflow } from './flow.ts';
import { FLAG, FRAME, type Frame, FrameReader, putU32, u32, violation } from './frame.ts';
import type { Incoming } from './incoming.ts';
import { Keeper } from './keeper.ts';
import { jsonOf, MOST_MESSAGE, partsOf } from './message.ts';
import { Outgoing } from './outgoing.ts';
import { type Packing, unpack } from './packing.ts';
import { BufferPool } from './pool.ts';
import type { Timeouts } from './timeouts.ts';

/** Calls under way in each direction. */
const MOST_CALLS = 32;

export type Handler = (call: GivenCall) => Promise<JsonValue>;

export interface ConnectionOptions {
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  readonly packing: Packing;
  /** Answers the calls of the other side. What it throws is told there. */
  readonly handler: Handler;
  /** Whether the other side knows records of contents with holes. */
  readonly holes: boolean;
  /** When all calls have ended, before the channel is closed: the other side waits for it. */
  readonly release: () => Promise<void>;
}

/** Calls in both directions over one channel, many at a time, each with a stream of its own. */
export class Connection {
  /** Resolves when it is over and everything is released; with what ended it, unless one side said that it ends. */
  readonly ended: Promise<BkError | undefined>;
  readonly #channel: Channel;
  readonly #options: ConnectionOptions;
  readonly #out: Outgoing;
  /** Buffers of frames, in and out. */
  readonly pool = new BufferPool();
  readonly holes: boolean;
  readonly #reader = new FrameReader(this.pool, (frame) => this.#take(frame));
  readonly #keeper: Keeper;
  readonly #own = new Map<number, OwnCall>();
  readonly #given = new Map<number, GivenCall>();
  readonly #handling = new Set<Promise<void>>();
  #lastOwn = 0;
  #lastGiven = 0;
  #frames = 0;
  #slots: (() => void)[] = [];
  #over: BkError | undefined;
  #isClosing = false;
  #settle: (error: BkError | undefined) => void = () => {};

  /** @param rest came after the greeting */
  constructor(channel: Channel, incoming: Incoming, rest: Uint8Array, options: ConnectionOptions) {
    this.#channel = channel;
    this.#options = options;
    const { clock, timeouts, packing, holes } = options;
    this.holes = holes;
    const onBroken = (error: BkError): void => void this.#explained(error).then((why) => this.#end(why));
    this.#out = new Outgoing(channel, { clock, packing, pool: this.pool, onBroken });
    this.#keeper = new Keeper(clock, timeouts, {
      patienceMs: () => this.#patience(),
      writingSinceMs: () => this.#out.writingSinceMs,
      isInFrame: () => this.#reader.isInFrame,
      ping: () => this.#out.push(FRAME.ping, 0, 0, word(0)),
      onTick: (now, slept) => this.#lookAfterCalls(now, slept),
      onDead: (error) => this.#end(error),
    });
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    void this.#read(incoming, rest);
  }

  /** @throws BkError 'unreachable' if it is over, 'interrupted' */
  check(signal: AbortSignal | undefined): void {
    if (this.#over !== undefined) throw this.#over;
    if (this.#isClosing) throw closed();
    if (signal?.aborted) throw interrupted();
  }

  /** Begins a call; its answer is awaited apart. @throws BkError 'unreachable', 'interrupted' */
  async call(request: CallRequest): Promise<OwnCall> {
    this.check(request.signal);
    const { signal, method, args } = request;
    const parts = partsOf([method, args]);
    const first = parts.next().value!;
    while (this.#own.size >= MOST_CALLS || this.#out.isFull) {
      await (this.#out.isFull ? this.#out.room() : this.#freeSlot());
      this.check(signal);
    }
    // In the same turn: calls are told in the order of their numbers.
    const call = this.#begin(request);
    this.#out.put(FRAME.call, first.more ? FLAG.more : 0, call.id, first.bytes);
    if (signal !== undefined) this.#cancelOn(signal, call);
    for (const { bytes, more } of parts) {
      await this.#out.room();
      if (call.isOver) break;
      this.#out.put(FRAME.call, more ? FLAG.more : 0, call.id, bytes);
    }
    return call;
  }

  #freeSlot(): Promise<void> {
    return new Promise((resolve) => void this.#slots.push(resolve));
  }

  #cancelOn(signal: AbortSignal, call: OwnCall): void {
    const abort = (): void => this.cancel(call, interrupted());
    signal.addEventListener('abort', abort, { once: true });
    void call.answer.catch(() => {}).then(() => signal.removeEventListener('abort', abort));
  }

  #begin(request: CallRequest): OwnCall {
    const id = ++this.#lastOwn;
    const flows: CallFlows = {
      ...(hasInput(request.method) && { outflow: new Outflow() }),
      ...(hasOutput(request.method) && {
        inflow: this.#inflow(request.method, (bytes) => this.#grant(0, id, bytes)),
      }),
    };
    const call = new OwnCall(id, request, flows, this.#options.clock.nowMs());
    this.#own.set(id, call);
    return call;
  }

  /** Chunks of contents are valid until the next is asked for; those of packs are not bound to that. */
  #inflow(method: Method, grant: (bytes: number) => void): Inflow {
    return new Inflow(carriesContents(method) ? this.pool : undefined, grant);
  }

  /** Bytes of the call's stream, as soon as the other side has room for them. @throws what ended the call */
  async sendData(call: OwnCall, payload: Uint8Array): Promise<void> {
    await call.flows.outflow?.reserve(payload);
    call.heardMs = this.#options.clock.nowMs();
    await this.#out.send(FRAME.data, 0, call.id, payload);
  }

  /** Ends the call's stream: all was sent, or `error` is why not. */
  endData(call: OwnCall, error?: unknown): void {
    if (call.isOver) return;
    if (error === undefined) this.#out.push(FRAME.end, 0, call.id);
    else this.#out.push(FRAME.break, 0, call.id, jsonBytes(faultOf(error)));
  }

  skip(call: OwnCall, ordinal: number): void {
    if (!call.isOver) this.#out.push(FRAME.skip, 0, call.id, word(ordinal));
  }

  /** Ends a call here at once, and there as soon as it is told. */
  cancel(call: OwnCall, error: BkError): void {
    if (call.isOver) return;
    call.fail(error);
    this.#out.push(FRAME.cancel, 0, call.id);
  }

  /** All calls end with 'unreachable'. Resolves when the other side has ended too, or after a bounded time. */
  async close(reason?: BkError): Promise<void> {
    if (!this.#isClosing && this.#over === undefined) {
      this.#isClosing = true;
      for (const call of this.#given.values()) call.abort(closed());
      this.#out.push(FRAME.bye, 0, 0, reason === undefined ? new Uint8Array(0) : jsonBytes(faultOf(reason)));
      await this.#within(Promise.all([this.#out.flush(), ...this.#handling]));
      await this.#within(this.#channel.close().catch(() => {}));
      this.#end(undefined);
    }
    await this.ended;
  }

  async #read(incoming: Incoming, rest: Uint8Array): Promise<void> {
    // Whoever made the connection has it before it is asked anything.
    await undefined;
    try {
      this.#push(rest);
      if (incoming.pour !== undefined) await incoming.pour((bytes) => this.#push(bytes));
      else for await (const bytes of { [Symbol.asyncIterator]: () => incoming }) this.#push(bytes);
    } catch (error) {
      this.#misled(error instanceof BkError ? error : bug(error));
      return drain(incoming);
    }
    if (this.#over !== undefined || this.#isClosing) return this.#end(undefined);
    const isIdle = this.#own.size === 0 && this.#given.size === 0 && !this.#reader.isInFrame;
    this.#end(isIdle ? undefined : await this.#explained(cutOff()));
  }

  #push(bytes: Uint8Array): void {
    if (this.#over !== undefined) return;
    this.#frames = 0;
    this.#reader.push(bytes);
    if (bytes.length > 0) this.#keeper.heard(this.#frames);
  }

  /** The other side is told why it is not listened to any more. */
  #misled(error: BkError): void {
    this.#out.push(FRAME.bye, 0, 0, jsonBytes(faultOf(error)));
    void this.#within(this.#out.flush()).then(() => this.#end(error));
  }

  #take(frame: Frame): void {
    this.#frames++;
    // What comes after an end is not looked at.
    if (this.#over !== undefined || this.#isClosing) return;
    if (frame.call === 0) this.#takeBare(frame);
    else if ((frame.flags & FLAG.answering) !== 0) this.#takeAnswer(frame);
    else this.#takeGiven(frame);
  }

  #takeBare({ type, payload }: Frame): void {
    if (type === FRAME.ping) this.#out.push(FRAME.pong, 0, 0, payload);
    if (type !== FRAME.bye) return;
    const error = payload.length === 0 ? undefined : errorOf(jsonOf(payload));
    this.#end(error ?? (this.#own.size > 0 ? leaving() : undefined));
  }

  #takeAnswer(frame: Frame): void {
    const { type, payload, flags } = frame;
    const call = this.#own.get(frame.call);
    if (call === undefined) throw violation('an answer to what was not asked');
    const { inflow, outflow } = call.flows;
    if (!call.isOver) call.heardMs = this.#options.clock.nowMs();
    if (type === FRAME.answer) {
      const value = call.parts.add(plain(frame), (flags & FLAG.more) !== 0);
      if (value !== undefined) this.#answered(call, { value });
    } else if (type === FRAME.error) this.#answered(call, { error: errorOf(jsonOf(payload)) });
    else if (call.isOver) return;
    else if (type === FRAME.data && inflow !== undefined) inflow.push(plain(frame));
    else if (type === FRAME.progress) call.request.onProgress?.(jsonOf(payload));
    else if (type === FRAME.grant && outflow !== undefined) outflow.grant(u32(payload, 0));
    else if (type === FRAME.skip && outflow !== undefined) outflow.skip(u32(payload, 0));
    else throw violation(`a frame of type ${type} where none belongs`);
  }

  #answered(call: OwnCall, result: Parameters<OwnCall['finish']>[0]): void {
    this.#own.delete(call.id);
    call.finish(result);
    this.#slots.shift()?.();
  }

  #takeGiven(frame: Frame): void {
    const { type } = frame;
    const call = this.#given.get(frame.call);
    if (type === FRAME.call) this.#takeCall(call ?? this.#newCall(frame.call), frame);
    else if (call !== undefined) this.#takeMore(call, frame);
    // It may not know yet that the call has ended.
    else if (frame.call > this.#lastGiven) throw violation('something for a call that it did not begin');
  }

  #takeMore(call: GivenCall, frame: Frame): void {
    const { type, payload } = frame;
    const { inflow, outflow } = call;
    if (type === FRAME.cancel) this.#cancelled(call);
    else if (inflow !== undefined && INPUT.has(type)) this.#takeInput(call, inflow, frame);
    else if (type === FRAME.grant && outflow !== undefined) outflow.grant(u32(payload, 0));
    else if (type === FRAME.skip && outflow !== undefined) outflow.skip(u32(payload, 0));
    else throw violation(`a frame of type ${type} where none belongs`);
  }

  #takeInput(call: GivenCall, inflow: Inflow, frame: Frame): void {
    const { type, payload } = frame;
    if (call.inputEnded) throw violation('more of a stream that it has ended');
    if (type !== FRAME.data) call.inputEnded = true;
    if (inflow.isEnded) return;
    if (type === FRAME.data) inflow.push(plain(frame));
    else inflow.end(type === FRAME.break ? errorOf(jsonOf(payload)) : undefined);
  }

  #newCall(id: number): GivenCall {
    if (id <= this.#lastGiven) throw violation('a call with a number that it had before');
    if (this.#given.size >= MOST_CALLS) throw violation(`more than ${MOST_CALLS} calls at once`);
    this.#lastGiven = id;
    const call = new GivenCall(id);
    this.#given.set(id, call);
    return call;
  }

  #takeCall(call: GivenCall, frame: Frame): void {
    if (call.request !== undefined) throw violation('a call with a number that it had before');
    const said = call.parts.add(plain(frame), (frame.flags & FLAG.more) !== 0);
    let bytes = 0;
    for (const { request, parts } of this.#given.values()) if (request === undefined) bytes += parts.bytes;
    if (bytes > 2 * MOST_MESSAGE) throw violation('too many messages at once');
    if (said === undefined) return;
    const [method, args] = Array.isArray(said) ? (said as readonly JsonValue[]) : [];
    if (typeof method !== 'string' || !Object.hasOwn(METHODS, method) || args === undefined)
      this.#refuse(call, new BkError('refused', 'cannot do what was asked: this bk does not know it'));
    else this.#handle(call, method as Method, args);
  }

  #handle(call: GivenCall, method: Method, args: JsonValue): void {
    const { id } = call;
    call.request = { method, args };
    if (hasInput(method))
      call.inflow = this.#inflow(method, (bytes) => this.#grant(FLAG.answering, id, bytes));
    if (hasOutput(method)) call.outflow = new Outflow();
    call.pool = this.pool;
    call.holes = this.holes;
    call.progress = (value) => this.#out.push(FRAME.progress, FLAG.answering, id, jsonBytes(value));
    call.skip = (ordinal) => this.#out.push(FRAME.skip, FLAG.answering, id, word(ordinal));
    call.send = async (payload) => {
      await call.outflow?.reserve(payload);
      await this.#out.send(FRAME.data, FLAG.answering, id, payload);
    };
    const work = this.#answer(call).finally(() => this.#handling.delete(work));
    // Nothing is at work yet while a repository is being opened: whoever does closes it again.
    if (method !== 'open') this.#handling.add(work);
  }

  async #answer(call: GivenCall): Promise<void> {
    try {
      const value = await this.#options.handler(call);
      for (const { bytes, more } of partsOf(value)) {
        await this.#out.room();
        this.#out.put(FRAME.answer, FLAG.answering | (more ? FLAG.more : 0), call.id, bytes);
      }
      this.#given.delete(call.id);
    } catch (error) {
      this.#refuse(call, error);
    }
  }

  #cancelled(call: GivenCall): void {
    if (call.request === undefined) this.#refuse(call, interrupted());
    else call.abort(interrupted());
  }

  #refuse(call: GivenCall, error: unknown): void {
    this.#given.delete(call.id);
    this.#out.push(FRAME.error, FLAG.answering, call.id, jsonBytes(faultOf(error)));
  }

  #grant(flags: number, id: number, bytes: number): void {
    if (flags !== 0 ? this.#given.has(id) : this.#own.get(id)?.isOver === false)
      this.#out.push(FRAME.grant, flags, id, word(bytes));
  }

  #patience(): number | undefined {
    if (this.#own.size === 0) return undefined;
    return Math.max(...[...this.#own.values()].map(({ request }) => request.patienceMs ?? 0));
  }

  #lookAfterCalls(now: number, slept: number): void {
    const { callMs } = this.#options.timeouts;
    for (const call of this.#own.values()) {
      call.heardMs = Math.min(now, call.heardMs + slept);
      if (call.flows.inflow?.isFilled || now - call.heardMs <= callMs + (call.request.patienceMs ?? 0))
        continue;
      const error = new BkError(
        'unreachable',
        'cannot wait for the other bk any more: it is there, but does not answer',
      );
      // One that does not even end what was called off holds its place for ever.
      if (call.isOver) this.#end(error);
      else this.cancel(call, error);
      call.heardMs = now;
    }
  }

  async #explained(error: BkError): Promise<BkError> {
    const known = this.#channel.reason?.().catch(() => undefined);
    return (await this.#within(known ?? Promise.resolve(undefined))) ?? error;
  }

  #end(error: BkError | undefined): void {
    if (this.#over !== undefined) return;
    this.#over = error ?? closed();
    this.#keeper.stop();
    for (const call of this.#own.values()) call.fail(this.#over);
    for (const call of this.#given.values()) call.abort(this.#over);
    this.#own.clear();
    this.#given.clear();
    this.#out.stop(this.#over);
    for (const wake of this.#slots) wake();
    void this.#wind(error);
  }

  /**
   * What works for the other side ends, then what it was given is let go, then the channel. All of it has been told to
   * end; what is in the middle of moving files gets the time for it, since nothing may be closed under its feet.
   */
  async #wind(error: BkError | undefined): Promise<void> {
    await this.#within(Promise.all(this.#handling), this.#options.timeouts.idleMs);
    await this.#within(this.#options.release().catch(() => {}));
    await this.#within(this.#channel.close().catch(() => {}));
    this.#settle(error);
  }

  async #within<T>(work: Promise<T>, ms = this.#options.timeouts.closeMs): Promise<T | undefined> {
    const { clock } = this.#options;
    let callOff = (): void => {};
    const late = new Promise<undefined>((resolve) => {
      callOff = clock.after(ms, () => resolve(undefined));
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      callOff();
    }
  }
}

const INPUT: ReadonlySet<number> = new Set([FRAME.data, FRAME.end, FRAME.break]);

function plain({ flags, payload }: Frame): Uint8Array {
  return (flags & FLAG.packed) === 0 ? payload : unpack(payload);
}

/** Lets nothing lie in the channel, or its end would never come. */
async function drain(incoming: AsyncIterator<Uint8Array>): Promise<void> {
  for (;;) {
    const { done } = await incoming.next();
    if (done === true) return;
  }
}

function word(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  putU32(bytes, 0, value);
  return bytes;
}

function jsonBytes(value: JsonValue): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

export function closed(): BkError {
  return new BkError('unreachable', 'cannot reach the other repository: the connection was closed');
}

export function interrupted(): BkError {
  return new BkError('interrupted', 'interrupted');
}

function cutOff(): BkError {
  return new BkError('unreachable', 'cannot reach the other bk any more: the connection broke', {
    hint: 'give the same command again; it goes on where it was',
  });
}

function leaving(): BkError {
  return new BkError('unreachable', 'cannot reach the other bk any more: it has ended');
}

function bug(cause: unknown): BkError {
  return new BkError('bug', `cannot read what the other bk sends: ${String(cause)}`, { cause });
}
