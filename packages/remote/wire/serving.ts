import { BkError, type JsonValue } from '@bk/core';
import { LIMITS, type Peer } from '../port.ts';
import {
  contentsAsked,
  fields,
  holdAsked,
  idsAsked,
  plainContentsAsked,
  text,
  updatesAsked,
} from './arguments.ts';
import { sendBytes } from './bytes-out.ts';
import type { GivenCall, Method } from './calls.ts';
import type { Handler } from './connection.ts';
import { offeredContents } from './contents-in.ts';
import { sendRecords } from './contents-out.ts';
import { violation } from './frame.ts';

type PeerMethod = Exclude<Method, 'open' | 'clone'>;

/**
 * Answers calls by asking a Peer. Calls that change something there, or that lay hold of what arrived, go one after the
 * other: the Peer has one lock and one place for each content.
 */
export function servedBy(peer: Peer): Handler {
  let last: Promise<unknown> = Promise.resolve();
  return (call) => {
    const { method } = requestOf(call);
    if (method === 'open' || method === 'clone') return refuse(`it was asked already`);
    const work = () => ANSWERS[method](peer, call);
    if (!ONE_BY_ONE.has(method)) return work();
    const turn = last.then(work);
    last = turn.catch(() => {});
    return turn;
  };
}

const ONE_BY_ONE: ReadonlySet<Method> = new Set(['sendPack', 'sendContents', 'arrived', 'hold', 'release']);

const ANSWERS: Readonly<Record<PeerMethod, (peer: Peer, call: GivenCall) => Promise<JsonValue>>> = {
  async facts(peer, { signal }) {
    return json(await peer.facts({ signal }));
  },
  async refs(peer, { signal }) {
    return json(await peer.refs({ signal }));
  },
  async fetchPack(peer, call) {
    const { wants, haves } = fields(requestOf(call).args);
    await sendBytes(peer.fetchPack(idsAsked(wants), idsAsked(haves), call), call);
    return null;
  },
  async sendPack(peer, call) {
    const { pack, updates } = fields(requestOf(call).args);
    const bytes = pack === true ? arriving(call) : undefined;
    return json(await peer.sendPack(bytes, updatesAsked(updates), call));
  },
  async readContents(peer, call) {
    const { send, pool, holes, outflow } = call;
    const contents = peer.readContents(contentsAsked(requestOf(call).args), call);
    await sendRecords(contents, { named: false, holes, send, pool, skipped: () => outflow?.skipped ?? 0 });
    return null;
  },
  async arrived(peer, call) {
    return json(await peer.arrived(plainContentsAsked(requestOf(call).args), call));
  },
  async sendContents(peer, call) {
    const { inflow, skip } = call;
    if (inflow === undefined) throw violation('no contents');
    return json(await peer.sendContents(offeredContents({ inflow, skip }), call));
  },
  async hold(peer, call) {
    const { args } = requestOf(call);
    const { signal } = call;
    return json(
      await peer.hold(plainContentsAsked(fields(args)['contents']), { ...holdAsked(args), signal }),
    );
  },
  async release(peer, call) {
    await peer.release(text(requestOf(call).args));
    return null;
  },
};

export function requestOf({ request }: GivenCall): { readonly method: Method; readonly args: JsonValue } {
  if (request === undefined) throw violation('a call that is not whole');
  return request;
}

export function refuse(why: string): Promise<never> {
  return Promise.reject(new BkError('refused', `cannot do what was asked: ${why}`));
}

async function* arriving({ inflow }: GivenCall): AsyncGenerator<Uint8Array> {
  for (;;) {
    const bytes = await inflow?.next();
    if (bytes === undefined) return;
    if (bytes.length > LIMITS.chunk) throw violation(`a chunk of ${bytes.length} bytes`);
    yield bytes;
  }
}

/** Plain data as it is. */
function json(value: unknown): JsonValue {
  return value as JsonValue;
}
