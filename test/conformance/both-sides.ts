import type { ContentHash, GitId } from '@bk/core';
import type { Content, Peer } from '@bk/remote';
import { HistoryReader, missingObjects, packOf } from '@bk/store';
import { expect } from 'vitest';
import { sshSubject, startSshHost } from './over-ssh.ts';
import { offered, overWire, served } from './over-wire.ts';
import { flow } from './streams.ts';
import { localSubject, memorySubject, Place, type Subject } from './subject.ts';

await startSshHost();

/** One suite for every Peer: what works over one works over all. */
export const SUBJECTS = [
  ['memory', memorySubject],
  ['local', localSubject],
  ['wire', () => overWire(localSubject, served)],
  ['wire, called back', () => overWire(localSubject, offered)],
  ['ssh', sshSubject],
] as const;

export const MAIN = 'refs/heads/main';
export const NOWHERE = '1'.repeat(40) as GitId;
export const UNKNOWN: Content = { blake3: 'ab'.repeat(32) as ContentHash, size: 3 };

export const unreachable = expect.objectContaining({ code: 'unreachable' });
export const refused = expect.objectContaining({ code: 'refused' });

/** A peer, and the repository here that speaks with it. */
export interface BothSides {
  readonly subject: Subject;
  readonly here: Place;
  readonly peer: Peer;
  readonly reader: HistoryReader;
}

export function openBothSides(make: () => Subject): BothSides {
  const subject = make();
  const here = new Place('here');
  const reader = new HistoryReader(here.layout.history);
  subject.meet?.(reader);
  return { subject, here, peer: subject.peer, reader };
}

/** What of the history here leads to `wants` and not to `haves`. */
export function packFrom(
  reader: HistoryReader,
  wants: readonly GitId[],
  haves: readonly GitId[],
): AsyncIterable<Uint8Array> {
  reader.refresh();
  return flow(packOf(reader, missingObjects(reader, wants, haves)));
}
