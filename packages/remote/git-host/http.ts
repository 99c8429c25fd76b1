import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
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

/** Connections that are kept open from one request to the next. Follows no redirects, knows no passwords. */
export class HttpConnections {
  readonly #agents = new Map<string, Agent>();

  /** @throws BkError 'unreachable'; what the body throws */
  async send({ method, url, headers, body, signal, patienceMs }: HttpRequest): Promise<HttpAnswer> {
    if (!isAllowed(url))
      throw new BkError('refused', `cannot use ${url.protocol}//${url.host}: it is not encrypted`);
    const { request, Agent: Connections } = await import(
      url.protocol === 'https:' ? 'node:https' : 'node:http'
    );
    const proxyEnv = isLoopback(url.hostname) ? {} : process.env;
    const agent: Agent = this.#agents.get(url.origin) ?? new Connections({ keepAlive: true, proxyEnv });
    this.#agents.set(url.origin, agent);
    const length = body instanceof Uint8Array ? { 'Content-Length': String(body.length) } : {};
    const sent: ClientRequest = request(url, { method, agent, signal, headers: { ...headers, ...length } });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve);
      sent.on('error', reject);
      sent.setTimeout(patienceMs, () => sent.destroy(silent()));
    });
    const told = { failure: undefined as unknown };
    if (body === undefined || body instanceof Uint8Array) sent.end(body);
    else await stream(body, sent, told);
    try {
      return answerOf(await answered, url);
    } catch (error) {
      throw told.failure ?? outOfReach(error, url);
    }
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }
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
async function stream(
  body: AsyncIterable<Uint8Array>,
  to: ClientRequest,
  told: { failure: unknown },
): Promise<void> {
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
