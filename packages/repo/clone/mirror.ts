import crypto from 'node:crypto';
import type { ContentHash } from '@bk/core';
import {
  DIRECTORY_RECORD,
  decodeName,
  encodeName,
  type FsName,
  formatMode,
  formatMtime,
  formatRecord,
  GIT_ID_BYTES,
  HASH_BYTES,
  ID_BYTES,
  joinPath,
  KIND,
  type KnownDirectory,
  type ObjectId,
  PLAIN_FOLDER_MODE,
  PROTECTION,
  type Rec,
  STAT,
  STAT_WIDTH,
  timeNs,
} from '@bk/core';
import { decodeRow, type TreeEntry } from '@bk/store';
import type { WantedFile } from '@bk/worktree';
import type { FolderPart } from './selection.ts';

/** A folder whose files are all plain ones, as the source's index has them and the history proves. */
export interface Mirrored {
  readonly known: KnownDirectory;
  /** What each entry's record asks for; undefined: a sub-folder, or the folder itself. */
  readonly wanted: readonly (WantedFile | undefined)[];
}

/**
 * What the records of a folder say, without reading them: the source's row of the index says the same in a form that
 * needs no parsing. It is believed only as far as the history proves it: names and records are those of the tree, and
 * each record written anew from the row has that record's name. Whatever does not fit (links, media, a folder's own
 * record, what is absent, large files) is for the long way.
 * @param row of the source's index, as it is stored
 */
export function mirrorOf(
  part: FolderPart,
  row: Uint8Array,
  tree: readonly TreeEntry[],
  large: number,
): Mirrored | undefined {
  if (!part.made || part.files !== 'all' || part.folders !== 'all') return undefined;
  const known = decodeRow(row);
  if (known === undefined || known.tree !== part.tree || !hasEntriesOf(known, tree)) return undefined;
  const records = recordsOf(known);
  const wanted: (WantedFile | undefined)[] = [];
  for (let k = 0; k < known.listing.names.length; k++) {
    if (k === 0 || known.listing.kinds[k] === KIND.dir) {
      wanted.push(undefined);
      continue;
    }
    const file = provenFile(known, k, records);
    if (file === undefined || file.size > large) return undefined;
    wanted.push(file);
  }
  return { known, wanted };
}

/** The row as it is for the copy, with the source's stats taken out. */
export function rowOfCopy({ known }: Mirrored): KnownDirectory {
  const { names, kinds } = known.listing;
  const modes = new Uint16Array(names.length).fill(PLAIN_FOLDER_MODE);
  const listing = { names, kinds, modes, stats: new BigInt64Array(names.length * STAT_WIDTH) };
  const protections = new Uint8Array(names.length).fill(PROTECTION.none);
  return { ...known, observedNs: 0n, mount: false, listing, protections };
}

interface Columns {
  readonly hashes: string;
  readonly ids: string;
  readonly records: string;
}

function recordsOf(known: KnownDirectory): Columns {
  const hex = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
    Buffer.from(buffer, byteOffset, byteLength).toString('hex');
  return { hashes: hex(known.hashes), ids: hex(known.ids), records: hex(known.records) };
}

/** Whether the row has exactly the tree's names, with the tree's records. */
function hasEntriesOf(known: KnownDirectory, tree: readonly TreeEntry[]): boolean {
  const { names, kinds } = known.listing;
  if (names.length !== tree.length + 1) return false;
  const records = Buffer.from(known.records.buffer, known.records.byteOffset, known.records.byteLength);
  const folders = new Set<string>();
  let k = 1;
  for (const { name, kind, id } of tree) {
    if (name === DIRECTORY_RECORD) return false;
    if (kind === 'tree') {
      folders.add(decodeName(name));
      continue;
    }
    while (k < names.length && kinds[k] === KIND.dir) k++;
    if (k >= names.length || kinds[k] !== KIND.file || names[k] !== decodeName(name)) return false;
    if (known.protections[k] === PROTECTION.absent) return false;
    if (records.toString('hex', k * GIT_ID_BYTES, (k + 1) * GIT_ID_BYTES) !== id) return false;
    k++;
  }
  return names.every((name, at) => at === 0 || kinds[at] !== KIND.dir || folders.has(name));
}

/** Undefined if the record says anything else than the row does, or more. */
function provenFile(known: KnownDirectory, k: number, columns: Columns): WantedFile | undefined {
  const { stats, modes } = known.listing;
  const size = Number(stats[k * STAT_WIDTH + STAT.size]);
  const mtimeNs = timeNs(stats[k * STAT_WIDTH + STAT.mtime]!);
  const mode = modes[k]!;
  const blake3 = columns.hashes.slice(k * HASH_BYTES * 2, (k + 1) * HASH_BYTES * 2) as ContentHash;
  const id = columns.ids.slice(k * ID_BYTES * 2, (k + 1) * ID_BYTES * 2);
  const record: Rec = {
    v: 1,
    id: `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}` as ObjectId,
    type: 'file',
    blake3,
    size,
    mtime: formatMtime(mtimeNs),
    mode: formatMode(mode),
  };
  const text = formatRecord(record);
  const name = crypto.hash('sha1', `blob ${text.length}\0${text}`, 'hex');
  if (name !== columns.records.slice(k * GIT_ID_BYTES * 2, (k + 1) * GIT_ID_BYTES * 2)) return undefined;
  // Rule 11: set-uid and set-gid are recorded, not given.
  return { blake3, size, mode: mode & 0o1777, mtimeNs };
}

/** Where an entry of the row is in the tree. */
export function pathOf(part: FolderPart, { known }: Mirrored, k: number) {
  return joinPath(part.path, encodeName(known.listing.names[k] as FsName));
}
