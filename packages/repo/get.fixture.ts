import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { ContentHash, RepoPath } from '@bk/core';
import { type Facts, hostPeer, MemoryHost, PROTOCOL } from '@bk/remote';
import { createHasher, hashBytes } from '@bk/worktree';
import { repositoryHost } from './peers/host.ts';
import type { OpenRemote } from './peers/peers.ts';
import { setAbsent } from './presence/absence.ts';
import { openRepository, type Repository } from './repository.ts';
import type { TestTree } from './tree.fixture.ts';

export const NO_HISTORY = {
  refs: () => [],
  *pack() {},
  async receive() {
    return [];
  },
};

/** A UUID that is always the same for a name. */
export function idOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** A remote in memory that holds these texts. */
export function memoryRemote(
  name: string,
  texts: readonly string[],
  facts: Partial<Facts> = {},
): OpenRemote & { readonly host: MemoryHost } {
  const all: Facts = {
    protocol: PROTOCOL,
    id: idOf(name),
    name,
    volume: `volume-of-${name}`,
    subset: { include: [], exclude: [] },
    readOnly: false,
    ...facts,
  };
  const host = new MemoryHost({ facts: () => all, createHasher, history: NO_HISTORY, nowMs: Date.now });
  for (const text of texts) host.put(Buffer.from(text, 'latin1'));
  return { remote: { name, address: `memory:${name}` }, peer: hostPeer(host), facts: all, host };
}

/** A remote that is a real folder. */
export function folderRemote(
  name: string,
  tree: TestTree,
  facts: Partial<Facts> = {},
): OpenRemote & { close(): void } {
  const repo = openRepository(tree.root);
  const host = repositoryHost(repo, {
    nowMs: Date.now,
    patienceMs: 100,
    volume: facts.volume ?? `volume-of-${name}`,
  });
  const peer = hostPeer(host);
  return {
    remote: { name, address: tree.root },
    peer,
    facts: { ...host.facts(), id: idOf(name), ...facts },
    close: () => repo.close(),
  };
}

export function hashOf(text: string): ContentHash {
  return hashBytes(Buffer.from(text, 'latin1'));
}

/** Says that files are absent, and removes them. */
export async function makeAbsent(tree: TestTree, paths: readonly string[]): Promise<void> {
  await tree.with((repo: Repository) => {
    repo.beginWriting();
    setAbsent(repo, paths as RepoPath[], tree.context);
  });
  for (const path of paths) fs.rmSync(tree.at(path));
}
