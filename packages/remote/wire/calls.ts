import { BkError, type JsonValue } from '@bk/core';
import type { Inflow, Outflow } from './flow.ts';
import { MessageParts } from './message.ts';
import { BufferPool } from './pool.ts';

/** What one side may ask of the other, and which way a stream goes with it. */
export const METHODS = {
  open: {},
  clone: {},
  facts: {},
  refs: {},
  fetchPack: { output: true },
  sendPack: { input: true },
  readContents: { output: true },
  arrived: {},
  sendContents: { input: true },
  hold: {},
  release: {},
} as const satisfies Readonly<Record<string, { readonly input?: true; readonly output?: true }>>;

export type Method = keyof typeof METHODS;

export function hasInput(method: Method): boolean {
  return 'input' in METHODS[method];
}

/** Whether its stream is one of contents; else of bytes. */
export function carriesContents(method: Method): boolean {
  return method === 'readContents' || method === 'sendContents';
}

export function hasOutput(method: Method): boolean {
  return 'output' in METHODS[method];
}

export interface CallRequest {
  readonly method: Method;
  readonly args: JsonValue;
  readonly signal?: AbortSignal | undefined;
  /** How much longer than usual the other side may be silent over it. */
  readonly patienceMs?: number;
  readonly onProgress?: (progress: JsonValue) => void;
}

export interface CallFlows {
  /** What is sent with it. */
  readonly outflow?: Outflow;
  /** What is answered to it. */
  readonly inflow?: Inflow;
}

/** A call that this side has made. */
export class OwnCall {
  readonly id: number;
  readonly request: CallRequest;
  readonly flows: CallFlows;
  readonly parts = new MessageParts();
  /** Rejects with what the other side answered, or what ended it here. */
  readonly answer: Promise<JsonValue>;
  /** Last sign of life. */
  heardMs: number;
  isOver = false;
  #resolve: (value: JsonValue) => void = () => {};
  #reject: (error: BkError) => void = () => {};

  constructor(id: number, request: CallRequest, flows: CallFlows, nowMs: number) {
    this.id = id;
    this.request = request;
    this.flows = flows;
    this.heardMs = nowMs;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.answer.catch(() => {});
  }

  /** What came before is still read; nothing more is sent. */
  finish(result: { readonly value: JsonValue } | { readonly error: BkError }): void {
    if (this.isOver) return;
    this.isOver = true;
    const { inflow, outflow } = this.flows;
    if ('error' in result) {
      inflow?.end(result.error);
      outflow?.stop(result.error);
      this.#reject(result.error);
    } else {
      inflow?.end();
      outflow?.stop(new BkError('interrupted', 'the other side wants no more'));
      this.#resolve(result.value);
    }
  }

  /** Ends it here, whatever comes still. */
  fail(error: BkError): void {
    this.flows.inflow?.fail(error);
    this.finish({ error });
  }
}

/** A call that the other side has made. */
export class GivenCall {
  readonly id: number;
  readonly parts = new MessageParts();
  readonly #aborting = new AbortController();
  request: { readonly method: Method; readonly args: JsonValue } | undefined;
  inflow: Inflow | undefined;
  outflow: Outflow | undefined;
  inputEnded = false;
  progress: (value: JsonValue) => void = () => {};
  pool = new BufferPool();
  /** Whether the other side knows records of contents with holes. */
  holes = false;
  send: (payload: Uint8Array) => Promise<void> = async () => {};
  skip: (ordinal: number) => void = () => {};

  constructor(id: number) {
    this.id = id;
  }

  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  abort(error: BkError): void {
    this.#aborting.abort();
    this.inflow?.fail(error);
    this.outflow?.stop(error);
  }
}
