import fs from 'node:fs';
import { BkError, type ContentHash } from '@bk/core';
import { layoutOf, readConfig } from '@bk/store';
import { reasonOf } from '@bk/worktree';
import type { Context } from '../context.ts';
import { lookAhead } from '../holdings/ahead.ts';
import { type Place, placesOf } from '../holdings/holdings.ts';
import type { Pool } from '../observe/pool.ts';
import { lostSince } from '../peers/lost.ts';
import { type Remote, remotesOf } from '../peers/peers.ts';
import { isCopied } from '../peers/volume.ts';
import { presences } from '../presence/presence.ts';
import { Repository } from '../repository.ts';
import { localPath } from './elsewhere.ts';

export interface InReach {
  /** Where contents are: of repositories within reach what is there now, of all others what they said last. */
  readonly places: (content: ContentHash) => readonly Place[];
  /** Repositories that are within reach and cannot be read: they do not count. By the names that they have here. */
  readonly doubts: readonly { readonly name: string; readonly reason: string }[];
}

export interface Asking {
  readonly sought: ReadonlySet<ContentHash>;
  /** What all repositories said last. */
  readonly said: (content: ContentHash) => readonly Place[];
  readonly isElsewhere: (place: Place) => boolean;
  /** Of so many contents on, threads look at the files. */
  readonly many: number;
  readonly pool: Pool;
}

/**
 * Looks into the remotes that are folders here and can be opened now, as into this repository: what they said last may
 * have gone since. Nothing is written there, no lock is taken. What is out of reach, or is another repository than the one
 * that is known, is left to what was said last.
 */
export async function inReach(repo: Repository, asking: Asking, context: Context): Promise<InReach> {
  const seen = new Map<string, (content: ContentHash) => readonly Place[]>();
  const doubts: { name: string; reason: string }[] = [];
  for (const { remote, id, root } of nearOnes(repo, asking)) {
    if (seen.has(id)) continue;
    try {
      const places = await lookInto(root, id, asking, context);
      if (places !== undefined) seen.set(id, places);
    } catch (error) {
      if (!isFailure(error)) throw error;
      seen.set(id, () => []);
      const reason = error instanceof BkError ? error.message : reasonOf(error);
      doubts.push({ name: remote.name, reason: `it is within reach, but cannot be read: ${reason}` });
    }
  }
  const { said } = asking;
  const places = (content: ContentHash): readonly Place[] => [
    ...said(content).filter(({ repository }) => !seen.has(repository)),
    ...[...seen.values()].flatMap((placesIn) => placesIn(content)),
  ];
  return { places: seen.size === 0 ? said : places, doubts };
}

interface Near {
  readonly remote: Remote;
  readonly id: string;
  readonly root: string;
}

/** Remotes with a known id that have a `.bk` now; not those that do not count anyway. */
function nearOnes(repo: Repository, { isElsewhere }: Asking): Near[] {
  const said = new Map(presences(repo).map(({ facts }) => [facts.id, facts]));
  return remotesOf(repo).flatMap((remote): Near[] => {
    const { id, address } = remote;
    const root = id === undefined ? undefined : localPath(address, repo.layout.root);
    if (id === undefined || id === repo.config.id || root === undefined || !isThere(root)) return [];
    const facts = said.get(id);
    if (lostSince(repo, id, facts) !== undefined) return [];
    const place = { repository: id, name: remote.name, volume: facts?.volume ?? '', seen: '' };
    return isElsewhere(place) ? [{ remote, id, root }] : [];
  });
}

function isThere(root: string): boolean {
  try {
    return fs.statSync(layoutOf(root).dot, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return false;
  }
}

/** Undefined: another repository is there, or a copy of this one. */
async function lookInto(
  root: string,
  id: string,
  { sought, many, pool }: Asking,
  context: Context,
): Promise<((content: ContentHash) => readonly Place[]) | undefined> {
  const layout = layoutOf(fs.realpathSync.native(root));
  const config = readConfig(layout.config);
  if (config?.id !== id || isCopied(layout.root, config.volume, true)) return undefined;
  const there = new Repository(layout, config, { mayMend: false });
  try {
    const ahead = sought.size > many ? await lookAhead(there, sought, pool) : undefined;
    const places = placesOf(there, sought, context, ahead);
    return (content) => places(content).filter(({ repository }) => repository === id);
  } finally {
    there.close();
  }
}

function isFailure(error: unknown): error is Error {
  if (error instanceof BkError) return error.code !== 'bug' && error.code !== 'interrupted';
  return (error as NodeJS.ErrnoException).code !== undefined;
}
