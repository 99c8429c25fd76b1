import fs from 'node:fs';
import path from 'node:path';
import { BkError } from '@bk/core';
import { checkedFacts, type Facts, hostPeer, openPeer, type Peer, parseAddress } from '@bk/remote';
import { layoutOf } from '@bk/store';
import type { Context } from '../context.ts';
import { gitHost } from '../peers/git-host.ts';
import { repositoryHost } from '../peers/host.ts';
import { hostOptions } from '../peers/host-options.ts';
import { NOBODY, sshPeer } from '../peers/ssh.ts';
import { openRepository, type Repository } from '../repository.ts';

/** A repository that is to be cloned, open. */
export interface CloneSource {
  /** As the clone is to keep it; absent: it cannot be reached from there, as far as is known. */
  readonly address?: string;
  readonly peer: Peer;
  readonly facts: Facts;
  /** If it can be opened here: then its files are copied directly, and it learns of the clone. */
  readonly repository?: Repository;
}

/**
 * Opens the repository at an address; the caller closes the peer.
 * @param address as on the command line; a path is relative to `from`
 * @throws BkError 'usage', 'not-a-repository', 'refused'
 */
export async function openCloneSource(address: string, from: string, context: Context): Promise<CloneSource> {
  let repository: Repository | undefined;
  const peer = await openPeer(parseAddress(address), {
    local: async (folder) => {
      repository = openRoot(path.resolve(from, folder));
      return localPeer(repository, context);
    },
    ssh: (there) => sshPeer(there, NOBODY, context),
    git: async (there) => gitHost(there, undefined),
  });
  return sourceOf(peer, repository?.layout.root ?? address, repository);
}

/** The repository that is open already. */
export async function cloneSourceOf(repository: Repository, context: Context): Promise<CloneSource> {
  return sourceOf(localPeer(repository, context), repository.layout.root, repository);
}

async function sourceOf(
  peer: Peer,
  address: string,
  repository: Repository | undefined,
): Promise<CloneSource> {
  const facts = checkedFacts(await peer.facts());
  return { address, peer, facts, ...(repository && { repository }) };
}

function localPeer(repository: Repository, context: Context): Peer {
  repository.becomeItself();
  return hostPeer(repositoryHost(repository, { ...hostOptions(repository, context), readOnly: true }));
}

/** A folder in a repository is no repository: to clone a part there is the subset. */
function openRoot(folder: string): Repository {
  const repository = openRepository(folder);
  if (repository.layout.root === fs.realpathSync.native(folder)) return repository;
  repository.close();
  throw new BkError('not-a-repository', `cannot clone ${folder}: it is not the root of a repository`, {
    path: folder,
    hint: `for a part of ${layoutOf(repository.layout.root).root} give its root, and the part by --subset`,
  });
}
