import type { SeenEntry, TrackedEntry } from './entry.ts';
import {
  type Claims,
  claimBy,
  claimByPlace,
  type Evidence,
  type Observed,
  SAME_CONTENT,
  SAME_INODE,
} from './evidence.ts';
import { followFolders } from './folders.ts';
import type { ContentHash } from './ids.ts';
import { sortByPath } from './nearest.ts';
import type { RepoPath } from './path.ts';
import { claimReturned, type DepartedObject } from './returned.ts';

export interface IdentifyInput extends Observed {
  /** Objects deleted by earlier commits whose ids are not alive. */
  readonly departed: readonly DepartedObject[];
  /** How many files and symlinks the head has directly in a folder, changed or not. */
  readonly objectsIn: (folder: RepoPath) => number;
  /** What the head says of a file's pixels or sound; absent: nothing is known of any. */
  readonly payloadOf?: ((tracked: TrackedEntry) => ContentHash | undefined) | undefined;
}

/** Which object a seen entry is. `new`: it gets an id of its own. */
export type IdentifiedObject =
  | { readonly kind: 'known'; readonly tracked: TrackedEntry; readonly evidence: Evidence }
  | { readonly kind: 'returned'; readonly departed: DepartedObject }
  | { readonly kind: 'new' };

export interface IdentifiedEntry {
  readonly seen: SeenEntry;
  readonly object: IdentifiedObject;
}

export interface Identified {
  /** One for each seen entry of the input, sorted by the bytes of the path. */
  readonly entries: readonly IdentifiedEntry[];
  /** Objects that no entry is any more, gone or overwritten, sorted by path. */
  readonly deleted: readonly TrackedEntry[];
}

/**
 * Decides which object each seen entry is, by the evidence of SPEC 2.2, best first; each kind is weighed for all
 * entries before the next. Each tracked object is claimed at most once, ambiguity is settled by the nearest path, and
 * the order of the input does not matter. Cost: hash maps and sorts.
 *
 * An entry whose content is unknown (status did not read it) is judged by the rest: edited at a known path, else new.
 * The type is part of an object: where a symlink stands in place of a file, the old object is deleted and a new one
 * begins (changesOf reports the two as one `typechange`). An object whose path another known object took is as lost
 * as one whose path is empty, and found again by the same evidence.
 */
export function identify(input: IdentifyInput): Identified {
  const claims = claimByPlace(input);
  claimBy(claims, 'same-content', SAME_CONTENT);
  const returned = claimReturned(claims.found, input.departed);
  if (returned.size > 0) claims.found = claims.found.filter((seen) => !returned.has(seen));
  claimBy(claims, 'moved-and-edited', SAME_INODE);
  if (input.payloadOf !== undefined) claimByPayload(claims, input.payloadOf);
  claimWithFolders(claims, input.objectsIn);
  return outcome(claims, returned);
}

/** Media that were moved and got other tags. */
function claimByPayload(claims: Claims, payloadOf: (tracked: TrackedEntry) => ContentHash | undefined): void {
  if (claims.lost.length === 0 || claims.found.every(({ payload }) => payload === undefined)) return;
  claimBy(claims, 'same-payload', {
    rough: (entry) =>
      entry.type !== 'file' ? undefined : 'record' in entry ? payloadOf(entry) : entry.payload,
    same: (a, b) => a.type === b.type,
  });
}

/** The same name and type in the folder to which its own was moved; a folder where what was in it went. */
function claimWithFolders(claims: Claims, objectsIn: (folder: RepoPath) => number): void {
  if (claims.lost.length === 0 || claims.found.length === 0) return;
  const { ofFile, ofFolder } = followFolders(claims, objectsIn);
  const targets = new Map<unknown, RepoPath | undefined>();
  for (const tracked of claims.lost)
    targets.set(tracked, (tracked.type === 'dir' ? ofFolder : ofFile)(tracked.path));
  claimBy(claims, 'moved-folder', {
    rough: (entry) => ('record' in entry ? targets.get(entry) : entry.path),
    same: (a, b) => a.type === b.type,
  });
}

const NEW: IdentifiedObject = { kind: 'new' };

function outcome(claims: Claims, returned: ReadonlyMap<SeenEntry, DepartedObject>): Identified {
  const entries: IdentifiedEntry[] = [];
  for (const { seen, tracked, evidence } of claims.matches) {
    entries.push({ seen, object: { kind: 'known', tracked, evidence } });
  }
  for (const [seen, departed] of returned) entries.push({ seen, object: { kind: 'returned', departed } });
  for (const seen of claims.found) entries.push({ seen, object: NEW });
  return {
    entries: sortByPath(entries, (entry) => entry.seen.path),
    deleted: sortByPath(claims.lost, (tracked) => tracked.path),
  };
}
