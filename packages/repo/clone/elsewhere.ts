import type { ContentHash } from '@bk/core';
import type { Peer } from '@bk/remote';
import { layoutOf, SafetyNet } from '@bk/store';
import type { Pool } from '../observe/pool.ts';
import { type CloneFile, cannotHold, type FileCloner, type Made, NOT_HERE } from './files.ts';
import { type Outcomes, Receiver } from './receive.ts';

const AT_ONCE = 50_000;
/** Places of one content that are tried after one turned out to be bad on the way. */
const TRIES = 3;

export interface Elsewhere {
  readonly peer: Peer;
  /** Root of the source; undefined: its files cannot be opened here. */
  readonly source: string | undefined;
  readonly pool: Pool;
}

/**
 * Brings what could not be copied from its own path: from the source's safety net, else from wherever the peer has an
 * equal content. From a source whose files cannot be opened here everything comes this way.
 */
export async function bringElsewhere(
  files: readonly CloneFile[],
  cloner: FileCloner,
  { peer, source, pool }: Elsewhere,
): Promise<Outcomes> {
  const outcomes: Outcomes = new Map();
  const net = source === undefined ? undefined : new SafetyNet(layoutOf(source));
  for (const file of files) outcomes.set(file, fromNet(file, net, cloner) ?? file.reason ?? NOT_HERE);
  for (let tries = 0; tries < TRIES; tries++) {
    const left = [...byContent(files.filter((file) => typeof outcomes.get(file) === 'string'))];
    let damaged = false;
    for (let i = 0; i < left.length; i += AT_ONCE) {
      const receiver = new Receiver(left.slice(i, i + AT_ONCE), { peer, pool, cloner, outcomes });
      damaged = (await receiver.run()) || damaged;
    }
    if (!damaged) break;
  }
  return outcomes;
}

function byContent(files: readonly CloneFile[]): Map<ContentHash, CloneFile[]> {
  const groups = new Map<ContentHash, CloneFile[]>();
  for (const file of files) {
    const group = groups.get(file.wanted.blake3);
    if (group === undefined) groups.set(file.wanted.blake3, [file]);
    else group.push(file);
  }
  return groups;
}

function fromNet(file: CloneFile, net: SafetyNet | undefined, cloner: FileCloner): Made | undefined {
  for (const entry of net?.lookup(file.wanted.blake3) ?? []) {
    const made = copied(entry.file, file, cloner);
    if (typeof made !== 'string') return made;
  }
  return undefined;
}

/** Copies from a path that is not the file's own. */
function copied(source: string, file: CloneFile, cloner: FileCloner): Made | string {
  return cloner.inPlace(file, (at) => {
    try {
      return cloner.copier.copy(source, at, file.wanted) ?? cloner.finish(file, at);
    } catch (error) {
      return cannotHold(error);
    }
  });
}
