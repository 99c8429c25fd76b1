import fs from 'node:fs';
import { BkError, type ContentHash, decodePath, type FsPath } from '@bk/core';
import { type Content, LIMITS, type MissingContent, type Peer, type SentContent } from '@bk/remote';
import { layoutOf, SafetyNet } from '@bk/store';
import { nodePath, removeStaged } from '@bk/worktree';
import { type CloneFile, cannotHold, type FileCloner, type Made, NOT_HERE } from './files.ts';

/** Of each file: as it is now, or why it could not be had. */
export type Outcomes = Map<CloneFile, Made | string>;

const AT_ONCE = 10_000;
/** Places of one content that are tried after one turned out to be bad on the way. */
const TRIES = 3;

/**
 * Brings what could not be copied from its own path: from the source's safety net, else from wherever else the peer has
 * an equal content.
 */
export async function bringElsewhere(
  files: readonly CloneFile[],
  cloner: FileCloner,
  from: { readonly peer: Peer; readonly source: string | undefined },
): Promise<Outcomes> {
  const outcomes: Outcomes = new Map();
  const net = from.source === undefined ? undefined : new SafetyNet(layoutOf(from.source));
  for (const file of files) outcomes.set(file, fromNet(file, net, cloner) ?? file.reason ?? NOT_HERE);
  for (let tries = 0; tries < TRIES; tries++) {
    const left = byContent(files.filter((file) => typeof outcomes.get(file) === 'string'));
    const wanted = [...left.values()].map(([file]) => contentOf(file!));
    let damaged = false;
    for (let i = 0; i < wanted.length; i += AT_ONCE)
      damaged =
        (await receive(wanted.slice(i, i + AT_ONCE), left, { peer: from.peer, cloner, outcomes })) || damaged;
    if (!damaged) break;
  }
  return outcomes;
}

function contentOf({ wanted: { blake3, size } }: CloneFile): Content {
  return { blake3, size };
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
  return inPlace(file, cloner, (at) => {
    try {
      return cloner.copier.copy(source, at, file.wanted) ?? cloner.finish(file, at);
    } catch (error) {
      return cannotHold(error);
    }
  });
}

function inPlace<T>(file: CloneFile, cloner: FileCloner, work: (at: string) => T): T {
  const whole = decodePath(file.path);
  const slash = whole.lastIndexOf('/');
  return cloner.inFolder(whole.slice(0, Math.max(0, slash)) as FsPath, (at) =>
    work(at + whole.slice(slash + 1)),
  );
}

interface Receiver {
  readonly peer: Peer;
  readonly cloner: FileCloner;
  readonly outcomes: Outcomes;
}

/** @returns whether something broke off on its way, so that another place may have it whole */
async function receive(
  contents: readonly Content[],
  files: ReadonlyMap<ContentHash, readonly CloneFile[]>,
  { peer, cloner, outcomes }: Receiver,
): Promise<boolean> {
  let broken = false;
  for await (const sent of peer.readContents(contents)) {
    const [first, ...others] = files.get(sent.blake3) ?? [];
    if (first === undefined) continue;
    const came = 'missing' in sent ? WHY[sent.missing] : await receiveOne(sent, first, cloner);
    broken ||= came === WHY.damaged && !('missing' in sent);
    // What was found out at its own path says more than that it is nowhere else.
    if (typeof came === 'string') {
      for (const file of [first, ...others])
        outcomes.set(file, file.reason === NOT_HERE ? came : (file.reason ?? came));
      continue;
    }
    outcomes.set(first, came);
    const staged = inPlace(first, cloner, (at) => fs.openSync(nodePath(at), fs.constants.O_RDONLY));
    try {
      for (const file of others) outcomes.set(file, copiedFrom(staged, file, cloner));
    } finally {
      fs.closeSync(staged);
    }
  }
  return broken;
}

function copiedFrom(fd: number, file: CloneFile, cloner: FileCloner): Made | string {
  return inPlace(file, cloner, (at) => {
    const chunk = Buffer.allocUnsafe(LIMITS.chunk);
    const receiving = opened(cloner, at);
    if (typeof receiving === 'string') return receiving;
    for (let done = 0, read = 1; read > 0; done += read) {
      read = fs.readSync(fd, chunk, 0, chunk.length, done);
      receiving.append(chunk.subarray(0, read));
    }
    if (receiving.finish(file.wanted)) return cloner.finish(file, at);
    removeStaged(at);
    return WHY.damaged;
  });
}

async function receiveOne(sent: SentContent, file: CloneFile, cloner: FileCloner): Promise<Made | string> {
  const whole = decodePath(file.path);
  const slash = whole.lastIndexOf('/');
  const folder = whole.slice(0, Math.max(0, slash)) as FsPath;
  const name = whole.slice(slash + 1);
  const receiving = cloner.inFolder(folder, (at) => opened(cloner, at + name));
  if (typeof receiving === 'string') {
    for await (const _ of sent.chunks);
    return receiving;
  }
  try {
    for await (const chunk of sent.chunks) receiving.append(chunk);
  } catch (error) {
    receiving.abandon();
    cloner.inFolder(folder, (at) => removeStaged(at + name));
    if (error instanceof BkError && (error.code === 'damaged' || error.code === 'not-found'))
      return WHY.damaged;
    throw error;
  }
  return cloner.inFolder(folder, (at) => {
    if (receiving.finish(file.wanted)) {
      cloner.counted(file.wanted.size);
      return cloner.finish(file, at + name);
    }
    removeStaged(at + name);
    return WHY.damaged;
  });
}

function opened(cloner: FileCloner, at: string): ReturnType<FileCloner['copier']['receive']> | string {
  try {
    return cloner.copier.receive(at);
  } catch (error) {
    return cannotHold(error);
  }
}

const WHY: Readonly<Record<MissingContent['missing'], string>> = {
  'not-found': 'the source does not have it',
  damaged: 'damaged at the source',
  unreadable: 'cannot be read at the source',
};
