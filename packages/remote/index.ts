/**
 * remote: where history and contents come from and go to. One port, `Peer`: another repository, whatever lies between.
 * A local folder, memory for tests, and another bk over a byte stream (`wire`). The same conformance suite
 * (test/conformance/peer*.test.ts) holds them all.
 *
 * A repository states what it offers to others as a `Host`; `hostPeer` makes a Peer of it and is the one place that
 * holds the rules: what is asked is checked and capped before anything is done, contents can be named by their hash
 * only, what goes out is hashed on its way and what comes in is whole and verified or never there, refs move by
 * compare-and-swap. What a peer says is never believed: who receives checks again (`checkedFacts`, `verifiedChunks`).
 * Addresses are parsed by a grammar; nothing of them ever reaches a shell.
 */
export * from './address.ts';
export * from './asked.ts';
export { type Credentials, credentialsFrom } from './git-host/credentials.ts';
export { type GitHostOptions, gitHostPeer } from './git-host/git-host-peer.ts';
export * from './host.ts';
export * from './host-peer.ts';
export * from './memory.ts';
export * from './open.ts';
export * from './port.ts';
export * from './ssh.ts';
export * from './told.ts';
export * from './verified.ts';
export { WholeChunks } from './whole-chunks.ts';
export * from './wire/index.ts';
