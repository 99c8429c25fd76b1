import {
  type ContentHash,
  conditionsOf,
  type Duplicate,
  type DuplicateGroup,
  duplicatesAsked,
  type FileFacts,
  type GitId,
  groupDuplicates,
  type JsonObject,
  matchesQuery,
  type ObjectId,
  parseQuery,
  parseRecord,
  type Query,
  type QueryClock,
  type Rec,
  type RepoPath,
} from '@bk/core';
import type { Domain, SearchRow } from '@bk/store';
import type { Context } from './context.ts';
import { Around, checkRepositories } from './find/surroundings.ts';
import { withTables } from './find/tables.ts';
import type { Repository } from './repository.ts';

export interface FindOptions {
  /** As core's parseQuery reads it. */
  readonly query: string;
  /** Also every version that any commit ever had. */
  readonly allHistory?: boolean;
  /** With what was read from the contents: then each file's record is read. */
  readonly media?: boolean;
}

export interface FoundFile {
  readonly path: RepoPath;
  readonly type: 'file' | 'symlink';
  readonly id: ObjectId;
  readonly blake3: ContentHash;
  /** Bytes. */
  readonly size: number;
  /** It is in the folder now; of an earlier version, its content is. */
  readonly present: boolean;
  readonly media?: JsonObject;
  /** Hash of what is in the media file without its tags, if that was read. */
  readonly payload?: ContentHash;
  /** The commit that has this version no more; absent: the head has it. */
  readonly deletedIn?: GitId;
  /** If the query asks for duplicates: the hash that it shares with others. */
  readonly group?: ContentHash;
}

export interface FindResult {
  /** In byte order of their paths; of one path the newest version first. */
  readonly files: readonly FoundFile[];
  /** If the query asks for duplicates: what belongs together, the most to save first. */
  readonly groups?: readonly DuplicateGroup[];
}

/**
 * Files of the head that a query asks for, present or not; deleted ones too if it asks whether they are (`is:deleted`).
 * Brings the tables for searching up to date first.
 * @throws BkError 'usage' for a query that cannot be understood
 */
export async function find(
  repo: Repository,
  { query: text, allHistory = false, media = false }: FindOptions,
  context: Context,
): Promise<FindResult> {
  const query = parseQuery(text, clockOf(context));
  checkRepositories(repo, query);
  const { head } = repo;
  if (head === undefined) return { files: [] };
  const domain = domainOf(query, allHistory);
  return withTables(repo, { head, past: domain !== 'head' }, context, (search) => {
    const { rows, rest } = search.find(query, domain);
    // What is asked of the disks is asked about all rows at once; else a million of them need not be there together.
    const listed = rest === undefined && domain === 'head' ? undefined : [...rows];
    const around = new Around(repo, search, listed ?? [], context);
    return answers(repo, { rows: listed ?? rows, rest, media, query }, around);
  });
}

function domainOf(query: Query, allHistory: boolean): Domain {
  if (allHistory) return 'all';
  return [...conditionsOf(query)].some(({ is }) => is === 'deleted') ? 'deleted' : 'head';
}

interface Candidates {
  readonly rows: Iterable<SearchRow>;
  readonly rest: Query | undefined;
  readonly media: boolean;
  readonly query: Query;
}

function answers(repo: Repository, { rows, rest, media, query }: Candidates, around: Around): FindResult {
  const files: FoundFile[] = [];
  const duplicates: Duplicate[] = [];
  const by = duplicatesAsked(query);
  for (const row of rows) {
    if (rest !== undefined && !matchesQuery(rest, new RowFacts(repo, row), around)) continue;
    const { path, type, id, blake3, size, leftIn } = row;
    const present = around.isPresent(row);
    const record = media || by !== undefined ? parseRecord(repo.history.readBlobText(row.record)) : undefined;
    const payload = record?.hashes?.['payload'];
    const group = by === 'exact' ? blake3 : by === 'payload' ? payload : undefined;
    files.push({
      ...{ path, type, id, blake3, size, present },
      ...(media && record?.media && { media: record.media }),
      ...(media && payload && { payload }),
      ...(leftIn !== undefined && { deletedIn: leftIn }),
      ...(group && { group }),
    });
    if (group === undefined) continue;
    duplicates.push({ group, inode: record?.linked ?? id, size, present: present && leftIn === undefined });
  }
  return { files, ...(by !== undefined && { groups: groupDuplicates(duplicates) }) };
}

/** A row with its record, which is read only when something is asked that the row does not say. */
class RowFacts implements FileFacts {
  readonly path: RepoPath;
  readonly type: 'file' | 'symlink';
  readonly id: ObjectId;
  readonly blake3: ContentHash;
  readonly size: number;
  readonly deleted: boolean;
  readonly leftIn: GitId | undefined;
  readonly #history: Repository['history'];
  readonly #row: SearchRow;
  #record: Rec | undefined;

  constructor({ history }: Repository, row: SearchRow) {
    this.#history = history;
    this.#row = row;
    this.path = row.path;
    this.type = row.type;
    this.id = row.id;
    this.blake3 = row.blake3;
    this.size = row.size;
    this.deleted = row.deleted;
    this.leftIn = row.leftIn;
  }

  get record(): Rec {
    this.#record ??= parseRecord(this.#history.readBlobText(this.#row.record));
    return this.#record;
  }

  get entity(): Rec | undefined {
    const { entity } = this.#row;
    return entity === undefined ? undefined : parseRecord(this.#history.readBlobText(entity));
  }
}

/** Days begin when they do here. */
function clockOf({ nowMs }: Pick<Context, 'nowMs'>): QueryClock {
  return { ms: nowMs(), offsetMinutes: (ms) => -new Date(ms).getTimezoneOffset() };
}
