import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { ContentHash, GitId } from '@bk/core';
import type { Content, Facts, Peer } from '@bk/remote';
import { gitHostPeer, hostPeer, MemoryHost } from '@bk/remote';
import { type Context, commit, init, openRepository, type Repository } from '@bk/repo';
import { activeLeases, type HistoryReader, Incoming, isAncestor, type Layout, layoutOf } from '@bk/store';
import { createHasher, hashBytes } from '@bk/worktree';
import { type HostOptions, repositoryHost } from '../../packages/repo/peers/host.ts';
import { GitHost, hasGitHost } from '../support/git-http.ts';
import { fastFolder } from '../support/temporary.ts';

/** Clock that a test moves. */
export interface Clock {
  ms: number;
}

/** A real repository with what a test does in it. */
export class Place {
  readonly root: string;
  readonly layout: Layout;
  readonly context: Context;

  constructor(name: string) {
    this.root = path.join(fastFolder('bk-peer-'), name);
    let seconds = Date.UTC(2026, 9, 1) / 1000;
    this.context = {
      report: () => {},
      nowMs: () => seconds++ * 1000,
      random: (bytes) => crypto.randomBytes(bytes),
    };
    fs.mkdirSync(this.root);
    init(this.root, {}, this.context);
    this.layout = layoutOf(this.root);
  }

  write(file: string, bytes: string | Buffer): Content {
    const full = path.join(this.root, file);
    fs.mkdirSync(path.dirname(full), { recursive: true });
    fs.writeFileSync(full, bytes);
    return { blake3: hashBytes(Buffer.from(bytes)), size: Buffer.from(bytes).length };
  }

  async commit(message = 'x'): Promise<GitId> {
    const repo = openRepository(this.root);
    try {
      await commit(repo, { message }, this.context);
      return repo.head!;
    } finally {
      repo.close();
    }
  }

  async with<T>(work: (repo: Repository) => Promise<T> | T): Promise<T> {
    const repo = openRepository(this.root);
    try {
      return await work(repo);
    } finally {
      repo.close();
    }
  }

  git(...args: string[]): string {
    const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' };
    return execFileSync('git', ['--git-dir', this.layout.history, ...args], {
      env,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  packs(): string[] {
    return fs.readdirSync(path.join(this.layout.history, 'objects/pack')).sort();
  }

  staged(): string[] {
    return fs.readdirSync(this.layout.staging).filter((name) => name !== 'incoming');
  }
}

/** One kind of Peer under test. What a test does to the other side goes through here. */
export interface Subject {
  readonly peer: Peer;
  /** The other side's history and refs. */
  readonly there: Place;
  readonly clock: Clock;
  /** A content that the other side holds. */
  put(file: string, bytes: Buffer): Promise<Content>;
  /** The bytes behind a content become others. */
  spoil(file: string, content: Content, bytes: Buffer): void;
  /** The same repository anew: what an interrupted session left is there still. */
  reopen(options?: Partial<HostOptions>): Peer;
  /** Whose history the peer is to believe, if it cannot know itself. */
  meet?(reader: HistoryReader): void;
  isLeased(blake3: ContentHash): boolean;
  /** Bytes of a content that was sent there whole. */
  arrived(blake3: ContentHash): Buffer | undefined;
  close(): Promise<void>;
}

export function localSubject(): Subject {
  return new LocalSubject();
}

class LocalSubject implements Subject {
  readonly there = new Place('there');
  readonly clock: Clock = { ms: Date.UTC(2027, 0, 1) };
  readonly #opened: Repository[] = [];
  readonly #peers: Peer[] = [];
  peer: Peer;

  constructor() {
    this.peer = this.reopen();
  }

  async put(file: string, bytes: Buffer): Promise<Content> {
    const content = this.there.write(file, bytes);
    await this.there.commit();
    this.peer = this.reopen();
    return content;
  }

  spoil(file: string, _content: Content, bytes: Buffer): void {
    fs.writeFileSync(path.join(this.there.root, file), bytes);
  }

  reopen(options: Partial<HostOptions> = {}): Peer {
    const repo = openRepository(this.there.root);
    this.#opened.push(repo);
    const host = repositoryHost(repo, {
      nowMs: () => this.clock.ms,
      remotes: ['here'],
      patienceMs: 0,
      ...options,
    });
    const peer = hostPeer(host);
    this.#peers.push(peer);
    return peer;
  }

  isLeased(blake3: ContentHash): boolean {
    return activeLeases(this.there.layout, this.clock.ms).has(blake3);
  }

  arrived(blake3: ContentHash): Buffer | undefined {
    const file = new Incoming(this.there.layout).fileOf(blake3);
    return file === undefined ? undefined : fs.readFileSync(file);
  }

  async close(): Promise<void> {
    for (const peer of this.#peers) await peer.close();
    for (const repo of this.#opened) repo.close();
  }
}

/** Contents, arrivals and leases in memory; the history is a real one. */
export function memorySubject(): Subject {
  const inner = new LocalSubject();
  const { there, clock } = inner;
  let options: Partial<HostOptions> = {};
  const host = new MemoryHost({
    facts: (): Facts => ({
      protocol: 1,
      id: openedId(there),
      name: 'there',
      volume: 'memory',
      subset: options.subset ?? { include: [], exclude: [] },
      readOnly: options.readOnly ?? false,
      ...headOf(there),
    }),
    createHasher,
    history: {
      refs: () => withHistory(there, options, (one) => one.refs()),
      pack: (wants, haves) => withHistory(there, options, (one) => [...one.pack(wants, haves)]),
      receive: async (bytes, updates, signal) => {
        const repo = openRepository(there.root);
        try {
          return await repositoryHost(repo, hostOptions(clock, options)).receive(bytes, updates, signal);
        } finally {
          repo.close();
        }
      },
    },
    nowMs: () => clock.ms,
  });
  const subject = {
    peer: hostPeer(host),
    there,
    clock,
    async put(file: string, bytes: Buffer) {
      await inner.put(file, bytes);
      return host.put(Buffer.from(bytes));
    },
    spoil: (_file: string, content: Content, bytes: Buffer) =>
      void host.files.set(content.blake3, Buffer.from(bytes)),
    reopen(changed: Partial<HostOptions> = {}) {
      options = changed;
      return hostPeer(host);
    },
    isLeased: (blake3: ContentHash) => host.isLeased(blake3),
    arrived(blake3: ContentHash) {
      const bytes = host.received.get(blake3);
      return bytes === undefined ? undefined : Buffer.from(bytes);
    },
    close: () => inner.close(),
  };
  return subject;
}

function hostOptions(clock: Clock, options: Partial<HostOptions>): HostOptions {
  return { nowMs: () => clock.ms, remotes: ['here'], patienceMs: 0, ...options };
}

function withHistory<T>(
  there: Place,
  options: Partial<HostOptions>,
  work: (host: ReturnType<typeof repositoryHost>) => T,
): T {
  const repo = openRepository(there.root);
  try {
    return work(repositoryHost(repo, hostOptions({ ms: 0 }, options)));
  } finally {
    repo.close();
  }
}

function openedId(there: Place): string {
  return (JSON.parse(fs.readFileSync(there.layout.config, 'utf8')) as { id: string }).id;
}

function headOf(there: Place): { head?: GitId } {
  const file = path.join(there.layout.history, 'refs/heads/main');
  return fs.existsSync(file) ? { head: fs.readFileSync(file, 'utf8').trim() as GitId } : {};
}

let web: GitHost | undefined;

/** Starts the web server that the subjects below stand behind; to be awaited before them. */
export async function startGitHost(): Promise<void> {
  if (hasGitHost) web = await GitHost.start({ folder: '/' });
}

/** The other side's history, served by git itself. */
export function gitHostSubject(): Subject {
  const inner = new LocalSubject();
  const { there, clock } = inner;
  let known: HistoryReader | undefined;
  const open = (): Peer =>
    gitHostPeer({
      url: `${web?.origin}${there.layout.history}`,
      credentials: { fill: async () => undefined, settle: async () => {} },
      isAncestor: (ancestor, commit) => known?.has(ancestor) === true && isAncestor(known, ancestor, commit),
    });
  const peers = [open()];
  return {
    peer: peers[0]!,
    there,
    clock,
    put: (file, bytes) => inner.put(file, bytes),
    spoil: (file, content, bytes) => inner.spoil(file, content, bytes),
    meet: (reader) => {
      known = reader;
    },
    reopen: () => {
      peers.push(open());
      return peers.at(-1)!;
    },
    isLeased: (blake3) => inner.isLeased(blake3),
    arrived: (blake3) => inner.arrived(blake3),
    async close() {
      for (const peer of peers) await peer.close();
      await inner.close();
    },
  };
}
