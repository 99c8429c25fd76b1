import { channelPair, cloneThere, connectPeer, type Peer, servePeer } from '@bk/remote';
import type { Subject } from './subject.ts';

export const ASKS = { id: '0190a1b2-c3d4-7e5f-8a6b-000000000001', name: 'here' };

/** The peers of another subject, each behind a connection of its own. */
export function overWire(make: () => Subject, behind: (peer: Peer) => Peer): Subject {
  const inner = make();
  const wired = new WeakMap<Peer, Peer>();
  const put = (peer: Peer): Peer => {
    const known = wired.get(peer) ?? behind(peer);
    wired.set(peer, known);
    return known;
  };
  const opened: Peer[] = [];
  const noted = (peer: Peer): Peer => {
    opened.push(peer);
    return peer;
  };
  return {
    get peer() {
      return noted(put(inner.peer));
    },
    there: inner.there,
    clock: inner.clock,
    put: (file, bytes) => inner.put(file, bytes),
    spoil: (file, content, bytes) => inner.spoil(file, content, bytes),
    reopen: (options) => noted(put(inner.reopen(options))),
    isLeased: (blake3) => inner.isLeased(blake3),
    arrived: (blake3) => inner.arrived(blake3),
    async close() {
      for (const peer of opened) await peer.close();
      await inner.close();
    },
  };
}

/** The one that connects uses the peer of the one that serves. */
export function served(peer: Peer): Peer {
  const [here, there] = channelPair();
  void servePeer(there, { open: async () => peer });
  const connected = connectPeer(here, { wish: { kind: 'repository', path: '/there', asks: ASKS } });
  return later(() => connected);
}

/** The one that serves uses the peer of the one that connects, as a clone to another machine does. */
export function offered(peer: Peer): Peer {
  const [here, there] = channelPair();
  const remote = new Promise<Peer>((resolve) => {
    const clone = (_: unknown, { remote }: { readonly remote: Peer }): Promise<null> => {
      const done = new Promise<null>((end) => {
        const close = async (): Promise<void> => {
          await remote.close();
          end(null);
          await cloned;
          await peer.close();
        };
        resolve(
          new Proxy(remote, { get: (target, name) => (name === 'close' ? close : bound(target, name)) }),
        );
      });
      return done;
    };
    const cloned = cloneThere(here, {
      packing: 'always',
      wish: { kind: 'clone', path: '/there', options: {} },
      offered: peer,
    });
    // Calls that are under way when the other side leaves are what ends it.
    servePeer(there, {
      open: () => Promise.reject(new Error('not asked for')),
      clone,
      packing: 'always',
    }).catch(() => {});
  });
  return later(() => remote);
}

function bound(target: Peer, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name);
  return typeof value === 'function' ? value.bind(target) : value;
}

/** A peer that is being connected. */
export function later(connect: () => Promise<Peer>): Peer {
  return {
    facts: async (...asked) => (await connect()).facts(...asked),
    refs: async (...asked) => (await connect()).refs(...asked),
    fetchPack: async function* (...asked) {
      yield* (await connect()).fetchPack(...asked);
    },
    sendPack: async (...asked) => (await connect()).sendPack(...asked),
    readContents: async function* (...asked) {
      yield* (await connect()).readContents(...asked);
    },
    arrived: async (...asked) => (await connect()).arrived(...asked),
    sendContents: async (...asked) => (await connect()).sendContents(...asked),
    hold: async (...asked) => (await connect()).hold(...asked),
    release: async (...asked) => (await connect()).release(...asked),
    close: async () => (await connect()).close(),
  };
}
