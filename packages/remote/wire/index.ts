/**
 * wire: another repository at the other end of a byte stream (docs/protocol.md). `connectPeer` and `servePeer` are its
 * two ends; what goes between them are frames: calls of either side, many at a time, each with a stream of its own
 * that is sent no faster than it is consumed. Nothing is allocated for what the other side merely claims, nothing is
 * waited for without end, and whatever breaks ends all calls with a BkError.
 */
export * from './channel.ts';
export * from './clock.ts';
export * from './connect.ts';
export { SocketIncoming } from './incoming.ts';
export * from './memory-channel.ts';
export type { Packing } from './packing.ts';
export { TIMEOUTS, type Timeouts } from './timeouts.ts';
export type { Asker, CloneWish, RepositoryWish, Wish } from './wish.ts';
