import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { BkError } from '@bk/core';
import { isLoopback } from '../address.ts';
import { brokenOff } from './pkt-line.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Of a known length, or sent as it comes. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  /** Longest silence, in ms. */
  readonly patienceMs: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly location?: string;
  /** To be read to its end, or given up with `discard`. */
  readonly body: AsyncIterable<Uint8Array>;
  discard(): void;
}

/** Encrypted everywhere but on this machine itself. */
export function isAllowed(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

/** Longest time for a connection to come about. */
const CONNECT_MS = 20_000;

/** Connections that are kept open from one request to the next. Follows no redirects, knows no passwords. */
export class HttpConnections {
  readonly #agents = new Map<string, Agent>();

  /** @throws BkError 'unreachable'; what the body throws */
  async send(asked: HttpRequest): Promise<HttpAnswer> {
    const { url, body } = asked;
    if (!isAllowed(url))
      throw new BkError('refused', `cannot use ${url.protocol}//${url.host}: it is not encrypted`);
    const told: Told = { failure: undefined };
    const sent = await this.#begin(asked, told);
    try {
      return answerOf(await sent.answered, url);
    } catch (error) {
      // The host had let go of a connection that was kept. What is sent as it comes gets one of its own.
      const { code = '' } = error as NodeJS.ErrnoException;
      const isStale = sent.request.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(code);
      if (isStale && !asked.signal.aborted && !isStream(body)) return this.send(asked);
      throw told.failure ?? outOfReach(error, url);
    }
  }

  async #begin({ method, url, headers, body, signal, patienceMs }: HttpRequest, told: Told): Promise<Sent> {
    const web = await import(url.protocol === 'https:' ? 'node:https' : 'node:http');
    const agent = this.#agent(web.Agent, url, !isStream(body));
    const length = body instanceof Uint8Array ? { 'Content-Length': String(body.length) } : {};
    const all = { ...headers, ...length };
    const request: ClientRequest = web.request(url, { method, agent, signal, headers: all });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', reject);
    });
    answered.catch(() => {});
    request.setTimeout(patienceMs, () => request.destroy(silent()));
    request.once('socket', (socket) => notTooLong(socket, request, Math.min(patienceMs, CONNECT_MS)));
    if (isStream(body)) await stream(body, request, told);
    else request.end(body);
    return { request, answered };
  }

  #agent(Connections: typeof Agent, url: URL, keepAlive: boolean): Agent {
    const key = `${keepAlive} ${url.origin}`;
    const proxyEnv = isLoopback(url.hostname) ? {} : process.env;
    const agent = this.#agents.get(key) ?? new Connections({ keepAlive, proxyEnv });
    this.#agents.set(key, agent);
    return agent;
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }
}

interface Sent {
  readonly request: ClientRequest;
  readonly answered: Promise<IncomingMessage>;
}

/** What went wrong on this side while a body was made. */
interface Told {
  failure: unknown;
}

function isStream(body: HttpRequest['body']): body is AsyncIterable<Uint8Array> {
  return body !== undefined && !(body instanceof Uint8Array);
}

/** Silence is measured from the moment that there is a connection; until then this is. */
function notTooLong(socket: Socket, request: ClientRequest, mostMs: number): void {
  if (!socket.connecting) return;
  const timer = setTimeout(() => request.destroy(silent()), mostMs);
  for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
}

function answerOf(answer: IncomingMessage, url: URL): HttpAnswer {
  const { location, 'content-type': type = '', 'content-encoding': encoding = 'identity' } = answer.headers;
  if (encoding !== 'identity') {
    answer.destroy();
    throw new BkError('damaged', `cannot use ${url.host}: it answers in an encoding that was not asked for`);
  }
  return {
    status: answer.statusCode ?? 0,
    type: type.split(';')[0]!.trim().toLowerCase(),
    ...(location !== undefined && { location }),
    body: reading(answer, url),
    discard: () => answer.destroy(),
  };
}

async function* reading(answer: IncomingMessage, url: URL): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of answer) yield chunk as Uint8Array;
  } catch (error) {
    throw outOfReach(error, url);
  }
}

/** At most so many bytes. @throws BkError 'refused' */
export async function* limited(body: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > most)
      throw new BkError('refused', `cannot take more than ${most} bytes of an answer of the git host`);
    yield chunk;
  }
}

/** Sends as it comes, while the answer is waited for; what the body throws is told. */
async function stream(body: AsyncIterable<Uint8Array>, to: ClientRequest, told: Told): Promise<void> {
  const { pipeline } = await import('node:stream/promises');
  const noting = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      told.failure = error;
      throw error;
    }
  };
  // What goes wrong on the way is told by the request.
  pipeline(noting, to).catch(() => {});
}

function silent(): BkError {
  return new BkError('unreachable', 'the git host does not answer', {
    hint: 'give the same command again later',
  });
}

/** What the system says is told by its code: its text may quote what was sent. */
function outOfReach(error: unknown, { host }: URL): unknown {
  if (error instanceof BkError) return error;
  const { code, name, cause } = error as NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException };
  if (name === 'AbortError' || code === 'ABORT_ERR') return error;
  const said = code ?? cause?.code;
  if (said === undefined) return error;
  if (['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(said)) return brokenOff();
  const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ERR_TLS/.test(said);
  return new BkError('unreachable', `cannot reach ${host}: the system says ${said}`, {
    ...(untrusted && { hint: 'if its certificate is your own: NODE_EXTRA_CA_CERTS=FILE makes it known' }),
  });
}
