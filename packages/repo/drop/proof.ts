import fs from 'node:fs';
import {
  BkError,
  type ContentHash,
  type DropContent,
  type DropTerms,
  isHeldByHistory,
  isTooLate,
  LONGEST_LEASE_MS,
  mayDrop,
  mayIntend,
  type Proof,
} from '@bk/core';
import { checkedHold, type Hold, type Peer } from '@bk/remote';
import { activeLeases, settingsOf } from '@bk/store';
import type { Context } from '../context.ts';
import { ownVolume } from '../holdings/volume.ts';
import { closeAll, type OpenRemote, type Reached, reach } from '../peers/peers.ts';
import { deviceNameOf } from '../peers/volume.ts';
import type { Repository } from '../repository.ts';
import { type Clock, farthestClock } from './clock.ts';

export interface ProofOptions {
  /** Other volumes that must hold each content; absent: the setting `copies`. */
  readonly copies?: number;
}

export interface ProofPorts {
  /** Whom to ask; absent: all remotes. The caller closes what it gives. */
  readonly reached?: Reached;
  /** Must go on while the machine sleeps. */
  readonly clock?: Clock;
  /** What tells file systems apart now; undefined: not known. */
  readonly deviceOf?: (root: string) => string | undefined;
}

/** What others proved and promised. While the promises run, what is not refused may be let go of here. */
export interface Proven {
  /** Contents that must stay here, and why: a clause. */
  readonly refused: ReadonlyMap<ContentHash, string>;
  /** To be asked just before each content goes: the promises end. */
  isTooLate(): boolean;
  /** Gives the promises back; in any case, at the end. */
  release(): Promise<void>;
}

/** Contents that one remote is asked for at once. */
const BATCH = 20_000;
const LEAST_LEASE_MS = 10 * 60_000;
/** For reading contents again there, and for letting go of files here. */
const MS_PER_BYTE = 1 / 50_000;
const MS_PER_CONTENT = 10;
/** This part of a promise is used; the rest is for clocks that go differently. */
const SHARE = 0.85;

/**
 * Asks all remotes to prove that they hold contents, and to keep them while this repository lets go (core/proof.ts).
 * Only while writing: the lock, held from before the question until all is gone, is the intent that keeps this
 * repository from promising the same contents to others, and from asking while it has promised them.
 */
export async function proveElsewhere(
  repo: Repository,
  contents: readonly DropContent[],
  options: ProofOptions,
  context: Context,
  ports: ProofPorts = {},
): Promise<Proven> {
  if (!repo.locked) throw new BkError('bug', 'a proof is only good for who holds the lock');
  const asking = new Asking(repo, context, ports);
  try {
    return await asking.ask(contents, options.copies ?? settingsOf(repo.config).copies);
  } catch (error) {
    await asking.release();
    throw error;
  }
}

class Asking {
  readonly #repo: Repository;
  readonly #context: Context;
  readonly #ports: ProofPorts;
  readonly #clock: Clock;
  readonly #proofs = new Map<ContentHash, Proof[]>();
  readonly #leases: { readonly peer: Peer; readonly lease: string }[] = [];
  #opened: readonly OpenRemote[] = [];
  #files = 0;

  constructor(repo: Repository, context: Context, ports: ProofPorts) {
    this.#repo = repo;
    this.#context = context;
    this.#ports = ports;
    this.#clock = ports.clock ?? farthestClock();
  }

  async ask(contents: readonly DropContent[], copies: number): Promise<Proven> {
    const refused = new Map<ContentHash, string>();
    const asked = this.#notPromised(contents, refused);
    const startMs = this.#clock();
    const leaseMs = leaseFor(asked);
    const deadlineMs = startMs + leaseMs * SHARE;
    if (asked.length > 0) await this.#askAll(asked, leaseMs);
    const own = { repository: this.#repo.config.id, volume: ownVolume(this.#repo) };
    for (const content of contents) {
      if (refused.has(content.blake3)) continue;
      const terms: DropTerms = { copies, own, nowMs: this.#clock(), deadlineMs };
      const decision = mayDrop(content, this.#proofs.get(content.blake3) ?? [], terms);
      if (!decision.drop) refused.set(content.blake3, decision.reason);
    }
    return {
      refused,
      isTooLate: () => isTooLate({ nowMs: this.#clock(), deadlineMs }),
      release: () => this.release(),
    };
  }

  async release(): Promise<void> {
    for (const { peer, lease } of this.#leases.splice(0)) {
      try {
        await peer.release(lease);
      } catch (error) {
        // It ends by itself.
        if (!(error instanceof BkError)) throw error;
      }
    }
    await closeAll(this.#opened);
    this.#opened = [];
  }

  /** Without those that others rely on, and those that need no proof. */
  #notPromised(contents: readonly DropContent[], refused: Map<ContentHash, string>): DropContent[] {
    const nowMs = this.#context.nowMs();
    const promised = activeLeases(this.#repo.layout, nowMs);
    return contents.filter((content) => {
      if (isHeldByHistory(content)) return false;
      const until = promised.get(content.blake3);
      if (until === undefined || mayIntend([until], nowMs)) return true;
      refused.set(content.blake3, 'another repository is dropping its copy and relies on this one');
      return false;
    });
  }

  async #askAll(contents: readonly DropContent[], leaseMs: number): Promise<void> {
    const reached = this.#ports.reached ?? (await reach(this.#repo, this.#context, { contents: true }));
    if (this.#ports.reached === undefined) this.#opened = reached.open;
    const volumes = new Volumes(this.#repo, this.#ports.deviceOf ?? deviceOf);
    for (const remote of reached.open) {
      const volume = volumes.of(remote);
      for (let at = 0; at < contents.length; at += BATCH)
        await this.#askOne(remote, contents.slice(at, at + BATCH), { leaseMs, volume });
    }
    for (const { name, reason } of reached.unreachable)
      for (const { blake3 } of contents)
        this.#add({ repository: '', name, volume: '', content: blake3, held: false, reason });
  }

  async #askOne(
    { peer, facts, remote }: OpenRemote,
    contents: readonly DropContent[],
    { leaseMs, volume }: { leaseMs: number; volume: (said: string) => string },
  ): Promise<void> {
    const from = { repository: facts.id, name: remote.name };
    const askedMs = this.#clock();
    let hold: Hold;
    try {
      const forMs = Math.floor(leaseMs);
      const asked = contents.map(({ blake3, size }) => ({ blake3, size }));
      const said = await peer.hold(asked, { forMs });
      if (typeof said.lease === 'string') this.#leases.push({ peer, lease: said.lease });
      hold = checkedHold(said, asked, forMs);
    } catch (error) {
      if (!(error instanceof BkError) || error.code === 'bug' || error.code === 'interrupted') throw error;
      const reason = error.code === 'locked' ? 'another bk is working there' : error.message;
      for (const { blake3 } of contents)
        this.#add({ ...from, volume: '', content: blake3, held: false, reason });
      return;
    }
    const answer = { ...from, volume: volume(hold.volume), askedMs, leaseMs: hold.forMs };
    for (const { blake3, held } of hold.contents) {
      if (held) this.#add({ ...answer, content: blake3, held });
      else this.#add({ ...answer, content: blake3, held, reason: 'it does not hold it now' });
    }
    this.#files += contents.length;
    this.#context.report({ phase: 'prove', files: this.#files, bytes: 0 });
  }

  #add(proof: Proof): void {
    const proofs = this.#proofs.get(proof.content);
    if (proofs === undefined) this.#proofs.set(proof.content, [proof]);
    else proofs.push(proof);
  }
}

/** What each remote's volume counts as: what lies on one device is one volume, whatever ids it goes by (L03). */
class Volumes {
  readonly #devices = new Map<string, string>();
  readonly #deviceOf: (root: string) => string | undefined;

  constructor(repo: Repository, device: (root: string) => string | undefined) {
    this.#deviceOf = device;
    const own = device(repo.layout.root);
    if (own !== undefined) this.#devices.set(own, ownVolume(repo));
  }

  of({ peer, facts }: OpenRemote): (said: string) => string {
    const device = peer.localRoot === undefined ? facts.device : this.#deviceOf(peer.localRoot);
    return (said) => {
      if (device === undefined) return said;
      const known = this.#devices.get(device);
      if (known !== undefined) return known;
      this.#devices.set(device, said);
      return said;
    };
  }
}

function deviceOf(root: string): string | undefined {
  return fs.statSync(root, { throwIfNoEntry: false }) === undefined ? undefined : deviceNameOf(root);
}

function leaseFor(contents: readonly DropContent[]): number {
  const bytes = contents.reduce((sum, { size }) => sum + size, 0);
  const needed = LEAST_LEASE_MS + bytes * MS_PER_BYTE + contents.length * MS_PER_CONTENT;
  return Math.min(LONGEST_LEASE_MS, needed);
}
