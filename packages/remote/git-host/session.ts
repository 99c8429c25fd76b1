import { BkError } from '@bk/core';
import type { Credential, Credentials } from './credentials.ts';
import { type HttpAnswer, HttpConnections, type HttpRequest, isAllowed } from './http.ts';

export interface SessionOptions {
  readonly url: string;
  readonly credentials: Credentials;
  /** Longest silence of the host, in ms. */
  readonly patienceMs: number;
}

type Asked = Pick<HttpRequest, 'method' | 'headers' | 'body'>;

const MOST_REDIRECTS = 5;
const AGENT = { 'User-Agent': 'git/bk', Pragma: 'no-cache' };

/**
 * Requests to one repository at a git host: says who we are when the host asks, and follows where it has moved to. What
 * is known of us at one host is never told to another.
 */
export class Session {
  /** Of the repository, without an end. */
  #base: URL;
  readonly #connections = new HttpConnections();
  readonly #credentials: Credentials;
  readonly #user: string | undefined;
  readonly #origin: string;
  readonly #patienceMs: number;
  readonly #shown: string;
  #known: Credential | undefined;
  #isSettled = false;

  constructor({ url, credentials, patienceMs }: SessionOptions) {
    const { username, origin } = new URL(url);
    this.#user = username === '' ? undefined : decodeURIComponent(username);
    this.#base = withoutUser(new URL(url.replace(/\/+$/, '')));
    this.#origin = origin;
    this.#shown = url;
    this.#credentials = credentials;
    this.#patienceMs = patienceMs;
  }

  /** What the host offers for a service; follows redirects. */
  async discover(service: string, signal: AbortSignal, headers: Asked['headers'] = {}): Promise<HttpAnswer> {
    const end = `/info/refs?service=${service}`;
    let url = this.#at(end);
    for (let i = 0; i <= MOST_REDIRECTS; i++) {
      const answer = await this.#ask(url, { method: 'GET', headers }, signal);
      if (![301, 302, 303, 307, 308].includes(answer.status)) {
        if (i > 0) this.#base = new URL(url.href.slice(0, -end.length));
        return this.#checked(answer, `application/x-${service}-advertisement`);
      }
      answer.discard();
      url = this.#next(url, answer.location, end);
    }
    throw new BkError('refused', `cannot use ${this.#shown}: it redirects without an end`);
  }

  /** @param body a stream is sent as it comes, so the host must know already who we are */
  async post(service: string, body: NonNullable<Asked['body']>, options: Posting): Promise<HttpAnswer> {
    const headers = {
      'Content-Type': `application/x-${service}-request`,
      Accept: `application/x-${service}-result`,
      ...options.headers,
    };
    const answer = await this.#ask(
      this.#at(`/${service}`),
      { method: 'POST', headers, body },
      options.signal,
    );
    return this.#checked(answer, `application/x-${service}-result`);
  }

  get isKnown(): boolean {
    return this.#known !== undefined;
  }

  close(): void {
    this.#connections.close();
  }

  #at(end: string): URL {
    return new URL(this.#base.href + end);
  }

  async #ask(url: URL, asked: Asked, signal: AbortSignal): Promise<HttpAnswer> {
    const answer = await this.#send(url, asked, signal);
    if (answer.status !== 401) {
      if (answer.status < 300) await this.#settle(true);
      return answer;
    }
    answer.discard();
    const isStream = asked.body !== undefined && !(asked.body instanceof Uint8Array);
    if (this.#known !== undefined || isStream) throw await this.#refusedUs();
    this.#known = await this.#credentials.fill(url, url.origin === this.#origin ? this.#user : undefined);
    if (this.#known === undefined) throw notKnown(this.#shown);
    const again = await this.#send(url, asked, signal);
    if (again.status === 401) {
      again.discard();
      throw await this.#refusedUs();
    }
    if (again.status < 300) await this.#settle(true);
    return again;
  }

  #send(url: URL, { method, headers, body }: Asked, signal: AbortSignal): Promise<HttpAnswer> {
    const { username, password } = this.#known ?? {};
    const basic = Buffer.from(`${username}:${password}`).toString('base64');
    return this.#connections.send({
      method,
      url,
      headers: { ...AGENT, ...headers, ...(this.#known && { Authorization: `Basic ${basic}` }) },
      signal,
      patienceMs: this.#patienceMs,
      ...(body !== undefined && { body }),
    });
  }

  async #settle(good: boolean): Promise<void> {
    if (this.#known === undefined || this.#isSettled) return;
    this.#isSettled = good;
    await this.#credentials.settle(this.#known, good);
  }

  async #refusedUs(): Promise<BkError> {
    await this.#settle(false);
    this.#known = undefined;
    this.#isSettled = false;
    return new BkError('refused', `cannot use ${this.#shown}: it does not take this user and password`, {
      hint: 'many hosts want a token in place of the password',
    });
  }

  /** Where a redirect leads: the same question, encrypted as before. What another host is to know it must ask for. */
  #next(from: URL, location: string | undefined, end: string): URL {
    const to = location === undefined ? undefined : URL.parse(location, from.href);
    const isSame = to?.href.endsWith(end) === true && !to.href.includes('#');
    const isSafe = to !== null && to !== undefined && isAllowed(to) && to.protocol === from.protocol;
    if (!isSame || !isSafe)
      throw new BkError('refused', `cannot use ${this.#shown}: it redirects to what is no git host`, {
        hint: 'give the address that `git clone` takes',
      });
    if (to.origin !== from.origin) {
      this.#known = undefined;
      this.#isSettled = false;
    }
    return withoutUser(to);
  }

  #checked(answer: HttpAnswer, type: string): HttpAnswer {
    if (answer.status === 200 && answer.type === type) return answer;
    answer.discard();
    throw notGit(this.#shown, answer);
  }
}

export interface Posting {
  readonly signal: AbortSignal;
  readonly headers?: Asked['headers'];
}

function withoutUser(url: URL): URL {
  url.username = '';
  url.password = '';
  return url;
}

function notKnown(shown: string): BkError {
  return new BkError('refused', `cannot use ${shown}: it wants to know who you are`, {
    hint: 'teach a credential helper of git, or set BK_GIT_TOKEN and BK_GIT_HOST',
  });
}

function notGit(shown: string, { status, type }: HttpAnswer): BkError {
  if (status === 404 || status === 410)
    return new BkError('unreachable', `cannot reach ${shown}: there is no repository`, {
      hint: 'make an empty one there first, or look at the address: it is what `git clone` takes',
    });
  if (status === 403)
    return new BkError('refused', `cannot use ${shown}: it does not allow that`, {
      hint: 'the user or token may lack the right to write there',
    });
  if (status === 200)
    return new BkError('refused', `cannot use ${shown}: it is no git host: it answers with ${kindOf(type)}`, {
      hint: 'give the address that `git clone` takes',
    });
  if (status >= 300 && status < 400)
    return new BkError('refused', `cannot use ${shown}: it redirects in the middle of a question`);
  return new BkError('unreachable', `cannot reach ${shown}: it answers with status ${status}`, {
    hint: 'give the same command again later',
  });
}

function kindOf(type: string): string {
  return type === 'text/html'
    ? 'a page for people'
    : /^[a-z0-9.+/-]{1,80}$/.test(type)
      ? type
      : 'something else';
}
