import fs from 'node:fs';
import { BkError } from '@bk/core';
import { type Peer, parseAddress, type SshAddress } from '@bk/remote';
import { leasesFile, readConfig, withRemote, writeConfig } from '@bk/store';
import type { HostOptions } from '../../packages/repo/peers/host.ts';
import { sshPeer } from '../../packages/repo/peers/ssh.ts';
import { BK } from '../support/bk.ts';
import { hasSshd, Sshd } from '../support/sshd.ts';
import { ASKS, later } from './over-wire.ts';
import { type Clock, localSubject, type Place, type Subject } from './subject.ts';

/** The key of this name may only read. */
const READER = 'kept';

let sshd: Sshd | undefined;

/** Starts the sshd that the subjects below stand behind; to be awaited before them. */
export async function startSshHost(): Promise<void> {
  if (!hasSshd()) return;
  sshd = await Sshd.start();
  sshd.files.allow(READER, `'${BK}' serve --stdio --read-only`);
}

/**
 * What `bk serve --stdio` serves at the other end of a real ssh, each peer by a connection and a process of its own,
 * begun when something is asked of it. Its clock is the system's: `clock` only says when a promise is looked at.
 */
export function sshSubject(): Subject {
  const inner = localSubject();
  const { there, clock } = inner;
  acquaint(there);
  const peers: Peer[] = [];
  const open = ({ readOnly = false }: Partial<HostOptions> = {}): Peer => {
    const peer = heldByItsClock(
      begunWhenAsked(() => connected(there, readOnly ? READER : 'user')),
      there,
      clock,
    );
    peers.push(peer);
    return peer;
  };
  let peer = open();
  return {
    get peer() {
      return peer;
    },
    there,
    clock,
    put: (file, bytes) => inner.put(file, bytes),
    spoil: (file, content, bytes) => inner.spoil(file, content, bytes),
    reopen: (options) => {
      peer = open(options);
      return peer;
    },
    isLeased: (blake3) => inner.isLeased(blake3),
    arrived: (blake3) => inner.arrived(blake3),
    async close() {
      for (const one of peers) await one.close();
      await inner.close();
    },
  };
}

function connected(there: Place, host: string): Promise<Peer> {
  const address = parseAddress(sshd!.address(there.root, host)) as SshAddress;
  return sshPeer(address, { asker: ASKS, command: sshd!.files.ssh }, there.context);
}

/** A connection that nobody uses is none. */
function begunWhenAsked(connect: () => Promise<Peer>): Peer {
  let begun: Promise<Peer> | undefined;
  let isClosed = false;
  const peer = async (): Promise<Peer> => {
    if (isClosed && begun === undefined) throw new BkError('unreachable', 'the peer is closed');
    begun ??= connect();
    return begun;
  };
  return {
    ...later(peer),
    async close() {
      isClosed = true;
      await (await begun)?.close();
    },
  };
}

/** When a promise was given, the hand of this clock is there too. */
function heldByItsClock(peer: Peer, { layout }: Place, clock: Clock): Peer {
  return {
    ...peer,
    async hold(contents, options) {
      const held = await peer.hold(contents, options);
      if (held.lease === undefined) return held;
      const { leases } = JSON.parse(fs.readFileSync(leasesFile(layout), 'utf8')) as {
        leases: Record<string, { grantedMs: number }>;
      };
      clock.ms = leases[held.lease]!.grantedMs;
      return held;
    },
  };
}

/** There, whoever asks is known as `here`. */
function acquaint({ layout }: Place): void {
  const config = readConfig(layout.config)!;
  const here = { address: '/here', id: ASKS.id };
  writeConfig(layout.config, withRemote(config, ASKS.name, here));
}
