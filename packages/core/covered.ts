import { type Holder, volumesOf } from './copies.ts';
import type { EntryType } from './entry.ts';
import type { ContentHash } from './ids.ts';

/** A file in the folder that is asked about; a symlink has the hash and size of its target's bytes. */
export interface CardFile {
  /** Below the folder, as the caller spells it. */
  readonly path: string;
  /** Absent: a file. */
  readonly type?: Exclude<EntryType, 'dir'>;
  readonly blake3: ContentHash;
  /** Bytes. */
  readonly size: number;
}

export interface CoverageTerms {
  /** Where a content is known to be, unplugged disks included. */
  readonly holders: (content: ContentHash) => Iterable<Pick<Holder, 'volume'>>;
  /** Of the folder itself: what is there does not count. Absent: no repository can be on it. */
  readonly volume?: string;
  /** Copies on other volumes that make a content safe, at least 1. */
  readonly min: number;
}

export interface Coverage {
  readonly files: number;
  readonly bytes: number;
  readonly covered: { readonly files: number; readonly bytes: number };
  /** Safe elsewhere, but on fewer than `min` volumes. */
  readonly under: readonly { readonly path: string; readonly copies: number }[];
  /** On no other volume; every path, also of equal contents. */
  readonly unique: readonly UniqueFile[];
  /** Contents of `unique`, each once: what an import has to bring. */
  readonly contents: { readonly files: number; readonly bytes: number };
}

export interface UniqueFile {
  readonly path: string;
  readonly size: number;
  readonly blake3: ContentHash;
}

/**
 * Whether every file of a folder is safe on at least `min` volumes other than its own (SPEC 3, `covered`). Lists are in
 * the order of the files. Empty files are covered: there is nothing to lose in them. A symlink is covered if one with the
 * same target is known.
 */
export function coverageOf(files: Iterable<CardFile>, terms: CoverageTerms): Coverage {
  const min = Math.max(1, terms.min);
  const total = { files: 0, bytes: 0 };
  const covered = { files: 0, bytes: 0 };
  const under: { path: string; copies: number }[] = [];
  const unique: UniqueFile[] = [];
  const copiesOf = rememberCopies(terms);
  for (const { path, type, size, blake3 } of files) {
    count(total, size);
    const copies = size === 0 && type !== 'symlink' ? min : copiesOf(blake3);
    if (copies >= min) count(covered, size);
    else if (copies > 0) under.push({ path, copies });
    else unique.push({ path, size, blake3 });
  }
  const contents = { files: 0, bytes: 0 };
  for (const { size } of firstOfEach(unique)) count(contents, size);
  return { ...total, covered, under, unique, contents };
}

/** Whether the folder may be wiped: all is covered, and nothing was left unread or out of sight. */
export function mayWipe(coverage: Coverage, unseen: { readonly length: number }): boolean {
  return coverage.under.length === 0 && coverage.unique.length === 0 && unseen.length === 0;
}

/** One file of each content, the first; what `--import` copies. */
export function firstOfEach(files: Iterable<UniqueFile>): UniqueFile[] {
  const seen = new Set<ContentHash>();
  const first: UniqueFile[] = [];
  for (const file of files) {
    if (seen.has(file.blake3)) continue;
    seen.add(file.blake3);
    first.push(file);
  }
  return first;
}

/** A card has many files of few contents, or the other way round; each content is looked up once. */
function rememberCopies({ holders, volume }: CoverageTerms): (content: ContentHash) => number {
  const known = new Map<ContentHash, number>();
  return (content) => {
    const found = known.get(content);
    if (found !== undefined) return found;
    const copies = volumesOf(holders(content), volume).size;
    known.set(content, copies);
    return copies;
  };
}

function count(sum: { files: number; bytes: number }, size: number): void {
  sum.files++;
  sum.bytes += size;
}
