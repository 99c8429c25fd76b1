import type { ContentHash, ObjectId } from '../ids.ts';
import type { DuplicateOf, Query } from './query.ts';

/** What everything that a query finds has to be a duplicate by; undefined: it does not ask that of all. */
export function duplicatesAsked(query: Query): DuplicateOf | undefined {
  if (query.is === 'duplicate') return query.of;
  if (query.is !== 'all') return undefined;
  for (const part of query.of) {
    const of = duplicatesAsked(part);
    if (of !== undefined) return of;
  }
  return undefined;
}

/** A file that was found as a duplicate. */
export interface Duplicate {
  /** What it shares with others: the hash of its content, or of its payload. */
  readonly group: ContentHash;
  /** The same for all names of one inode. */
  readonly inode: ObjectId;
  /** Bytes. */
  readonly size: number;
  /** It takes room in the folder now. */
  readonly present: boolean;
}

export interface DuplicateGroup {
  readonly group: ContentHash;
  /** How many were found, names of one inode and files that are not here included. */
  readonly files: number;
  /** Bytes of the largest of them. */
  readonly size: number;
  /** Bytes that are free if only the largest one that is here stays. */
  readonly saved: number;
}

/** The groups of what was found, those with the most to save first; else in the order in which they were found. */
export function groupDuplicates(found: readonly Duplicate[]): readonly DuplicateGroup[] {
  return [...Map.groupBy(found, ({ group }) => group)]
    .map(([group, files]) => ({ group, files: files.length, size: largest(files), saved: savedBy(files) }))
    .sort((a, b) => b.saved - a.saved || b.size - a.size);
}

function largest(files: readonly { readonly size: number }[]): number {
  return files.reduce((most, { size }) => Math.max(most, size), 0);
}

function savedBy(files: readonly Duplicate[]): number {
  const here = files.filter(({ present }) => present);
  const inodes = [...new Map(here.map((file) => [file.inode, file])).values()];
  return inodes.reduce((sum, { size }) => sum + size, 0) - largest(inodes);
}
