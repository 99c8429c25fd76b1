import crypto from 'node:crypto';
import { BkError, type GitId, repositoryOfRef } from '@bk/core';
import { checkIds, checkUpdates } from '../asked.ts';
import {
  type CallOptions,
  type Content,
  type Facts,
  type Hold,
  type HoldOptions,
  LIMITS,
  type MissingContent,
  type Peer,
  PROTOCOL,
  type RefAt,
  type RefRefusal,
  type RefResult,
  type RefUpdate,
  type SentContent,
  type WantedContent,
} from '../port.ts';
import { type Advertisement, readAdvertisement } from './advertisement.ts';
import type { Credentials } from './credentials.ts';
import { limited } from './http.ts';
import { FLUSH, quoted } from './pkt-line.ts';
import { pushRequest, type RefReport, readReport } from './receive-pack.ts';
import { Session } from './session.ts';
import { fetchRequest, readFetched, readRefs, refsRequest, VERSION_2 } from './upload-pack.ts';

export interface GitHostOptions {
  /** As parsed: `https://[user@]host[:port]/path`. */
  readonly url: string;
  readonly credentials: Credentials;
  /** A host would let refs go anywhere; only forward is right, and who asks knows the commits. */
  readonly isAncestor: (ancestor: GitId, commit: GitId) => boolean;
  /** Commits before these that the host may know where it does not know them. */
  readonly before?: (heads: readonly GitId[]) => readonly GitId[];
  /** Longest silence of the host, and longest time for a list of refs, in ms. */
  readonly patienceMs?: number;
  readonly nowMs?: () => number;
}

const MAIN = 'refs/heads/main';
const PATIENCE_MS = 300_000;
/** Of an answer that is no pack. */
const MOST_ANSWER = 64 * 2 ** 20;
/** A pack of less is sent as a whole, with its length: some hosts want to know it before. */
const WHOLE = 2 ** 20;
/** What is wanted there: no content. */
const NOTHING = { include: [], exclude: ['**'] } as const;

/**
 * A repository at a git host, by git's smart http: history and presences, and no contents ever. `main` there has no files
 * that would have to follow; it moves forward only.
 */
export function gitHostPeer(options: GitHostOptions): Peer {
  return new GitHostPeer(options);
}

class GitHostPeer implements Peer {
  readonly #options: GitHostOptions;
  readonly #session: Session;
  readonly #closing = new AbortController();
  #upload: Advertisement | undefined;

  constructor(options: GitHostOptions) {
    const { url, credentials, patienceMs = PATIENCE_MS } = options;
    this.#options = options;
    this.#session = new Session({ url, credentials, patienceMs });
  }

  async facts(options: CallOptions = {}): Promise<Facts> {
    const head = (await this.refs(options)).find(({ name }) => name === MAIN)?.id;
    const { id, name } = identityOf(this.#options.url);
    return {
      protocol: PROTOCOL,
      id,
      name,
      volume: `git:${id}`,
      subset: NOTHING,
      readOnly: false,
      historyOnly: true,
      ...(head !== undefined && { head }),
    };
  }

  refs({ signal }: CallOptions = {}): Promise<readonly RefAt[]> {
    return this.#calling(
      signal,
      async (either) => {
        const offered = await this.#offered(either);
        if (offered.version === 0) return offered.refs;
        const answer = await this.#session.post('git-upload-pack', refsRequest(offered), {
          signal: either,
          headers: VERSION_2,
        });
        return readRefs(limited(answer.body, MOST_ANSWER));
      },
      this.#options.patienceMs ?? PATIENCE_MS,
    );
  }

  async *fetchPack(
    wants: readonly GitId[],
    haves: readonly GitId[],
    { signal }: CallOptions = {},
  ): AsyncGenerator<Uint8Array> {
    checkIds('wants', wants, LIMITS.wants);
    checkIds('haves', haves, LIMITS.haves);
    const either = this.#either(signal);
    try {
      this.#check(signal);
      const offered = this.#upload ?? (await this.#offered(either));
      const known = [...new Set([...haves, ...(this.#options.before?.(haves) ?? [])])];
      const request = fetchRequest(offered, wants, known);
      const headers = offered.version === 2 ? VERSION_2 : {};
      const answer = await this.#session.post('git-upload-pack', request, { signal: either, headers });
      for await (const chunk of readFetched(
        limited(answer.body, 2 * LIMITS.pack),
        offered,
        this.#patience(),
      )) {
        this.#check(signal);
        yield chunk;
      }
    } catch (error) {
      throw this.#said(error, signal, either);
    }
  }

  sendPack(
    bytes: AsyncIterable<Uint8Array> | undefined,
    updates: readonly RefUpdate[],
    { signal }: CallOptions = {},
  ): Promise<readonly RefResult[]> {
    return this.#calling(signal, async (either) => {
      checkUpdates(updates);
      const offered = await this.#offer('git-receive-pack', either);
      const there = new Map(offered.refs.map(({ name, id }) => [name, id]));
      const refused = new Map<string, RefResult>();
      for (const update of updates) {
        const reason = this.#refusal(update, there.get(update.name));
        if (reason !== undefined) refused.set(update.name, { name: update.name, moved: false, reason });
      }
      if (bytes !== undefined && [...refused.values()].filter(isStranger).length === updates.length)
        throw new BkError('refused', 'cannot send history for no ref that is used at a git host');
      const moving = updates.filter(({ name, expected, next }) => !refused.has(name) && expected !== next);
      const reports = moving.length === 0 ? [] : await this.#push(offered, moving, bytes, either);
      const told = new Map(reports.map((report) => [report.name, report]));
      const stayed = reports.some(({ moved }) => !moved);
      const now = stayed
        ? new Map((await this.refs({ signal: either })).map(({ name, id }) => [name, id]))
        : there;
      return updates.map((update) => {
        const { name } = update;
        return refused.get(name) ?? resultOf(update, told.get(name), now.get(name));
      });
    });
  }

  async *readContents(
    wanted: readonly WantedContent[],
    { signal }: CallOptions = {},
  ): AsyncGenerator<SentContent | MissingContent> {
    this.#check(signal);
    for (const { blake3, size } of wanted) yield { blake3, size, missing: 'not-found' };
  }

  async arrived(): Promise<readonly []> {
    return [];
  }

  async sendContents(contents: AsyncIterable<SentContent>): Promise<readonly []> {
    for await (const _one of contents)
      throw new BkError('refused', 'cannot send contents to a git host: it keeps the history only');
    return [];
  }

  async hold(contents: readonly Content[], _options: HoldOptions): Promise<Hold> {
    const { id } = identityOf(this.#options.url);
    return {
      forMs: 0,
      volume: `git:${id}`,
      contents: contents.map(({ blake3 }) => ({ blake3, held: false })),
    };
  }

  async release(): Promise<void> {}

  async close(): Promise<void> {
    this.#closing.abort();
    this.#session.close();
  }

  async #offered(signal: AbortSignal): Promise<Advertisement> {
    // By version 2 it says nothing of refs, so it need not be asked again.
    if (this.#upload?.version === 2) return this.#upload;
    this.#upload = await this.#offer('git-upload-pack', signal, VERSION_2);
    return this.#upload;
  }

  async #offer(
    service: string,
    signal: AbortSignal,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Advertisement> {
    const answer = await this.#session.discover(service, signal, headers);
    return readAdvertisement(answer.body, service);
  }

  #refusal({ name, expected, next }: RefUpdate, current: GitId | undefined): RefRefusal | undefined {
    const repository = repositoryOfRef(name);
    const isOwn = repository === identityOf(this.#options.url).id;
    if (name !== MAIN && (repository === undefined || isOwn)) return 'not-accepted';
    if (current !== expected) return 'moved-meanwhile';
    if (expected === undefined || this.#options.isAncestor(expected, next)) return undefined;
    return 'not-fast-forward';
  }

  async #push(
    offered: Advertisement,
    updates: readonly RefUpdate[],
    bytes: AsyncIterable<Uint8Array> | undefined,
    signal: AbortSignal,
  ): Promise<readonly RefReport[]> {
    // What is sent as it comes cannot be sent again, so who we are is settled before.
    if (!this.#session.isKnown) (await this.#session.post('git-receive-pack', FLUSH, { signal })).discard();
    const body = await gathered(pushRequest(offered, updates, bytes));
    const answer = await this.#session.post('git-receive-pack', body, { signal });
    const reports = await readReport(limited(answer.body, MOST_ANSWER), offered, updates, this.#patience());
    const lacking = reports.find(({ said = '' }) => said === 'missing necessary objects');
    if (lacking === undefined) return reports;
    throw new BkError('not-found', `the git host does not have what ${lacking.name} is to name`);
  }

  #patience() {
    const { patienceMs = PATIENCE_MS, nowMs = () => performance.now() } = this.#options;
    return { patienceMs, nowMs };
  }

  async #calling<T>(
    signal: AbortSignal | undefined,
    work: (either: AbortSignal) => Promise<T>,
    mostMs?: number,
  ): Promise<T> {
    this.#check(signal);
    const timeout = mostMs === undefined ? [] : [AbortSignal.timeout(mostMs)];
    const either = AbortSignal.any([this.#either(signal), ...timeout]);
    try {
      return await work(either);
    } catch (error) {
      throw this.#said(error, signal, either);
    }
  }

  #either(signal: AbortSignal | undefined): AbortSignal {
    return AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])]);
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#closing.signal.aborted)
      throw new BkError('unreachable', 'cannot reach the git host: the connection was closed');
    if (signal?.aborted) throw new BkError('interrupted', 'interrupted');
  }

  /** A request that was given up says only that it broke off. */
  #said(error: unknown, signal: AbortSignal | undefined, either: AbortSignal): unknown {
    if (!either.aborted || (error instanceof BkError && error.code !== 'unreachable')) return error;
    try {
      this.#check(signal);
    } catch (why) {
      return why;
    }
    return new BkError('unreachable', 'the git host does not come to an end', {
      hint: 'give the same command again later',
    });
  }
}

function isStranger({ reason }: RefResult): boolean {
  return reason === 'not-accepted';
}

/** A short stream as one piece; a long one as it comes. */
async function gathered(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const rest = chunks[Symbol.asyncIterator]();
  const begun: Uint8Array[] = [];
  let size = 0;
  while (size < WHOLE) {
    const { done, value } = await rest.next();
    if (done === true) return Buffer.concat(begun);
    begun.push(Uint8Array.from(value));
    size += value.length;
  }
  return (async function* () {
    yield* begun;
    yield* { [Symbol.asyncIterator]: () => rest };
  })();
}

function resultOf(
  { name, expected, next }: RefUpdate,
  report: RefReport | undefined,
  now: GitId | undefined,
): RefResult {
  if (report === undefined || report.moved) return { name, moved: true };
  // Its answer may have been lost on the way to whoever sent the same before.
  if (now === next) return { name, moved: true };
  if (now !== expected) return { name, moved: false, reason: 'moved-meanwhile' };
  return {
    name,
    moved: false,
    reason: 'not-accepted',
    detail: `the git host says ${quoted(report.said ?? '')}`,
  };
}

/** Name space of URLs (RFC 9562). */
const URLS = Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex');

/** A host has no id for its repositories: one is made of the address, whoever uses it under whatever user. */
function identityOf(text: string): { readonly id: string; readonly name: string } {
  const { host, pathname } = new URL(text);
  const path = pathname.replace(/\/+$/, '').replace(/\.git$/, '');
  const hash = crypto.createHash('sha1').update(URLS).update(`https://${host}${path}`).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  const id = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    '-',
  );
  return { id, name: decodeURIComponent(path.slice(path.lastIndexOf('/') + 1)) || host };
}
