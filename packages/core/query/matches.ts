import { isHeldByHistory } from '../copies.ts';
import {
  attributeOf,
  conflictKindOf,
  extensionOf,
  type FileFacts,
  hasPlace,
  mediaKindOf,
  mimeOf,
  numberOf,
  plainText,
  TEXT_FIELDS,
  textsOf,
} from './facts.ts';
import { matchesName, matchesPath } from './glob.ts';
import type { DuplicateOf, Query } from './query.ts';
import { isInRange } from './value.ts';
import { fold, hasWords } from './words.ts';

/** What has to be asked of others than the file's record. */
export interface Surroundings {
  /** Whether this folder has it now. */
  isPresent(file: FileFacts): boolean;
  /** Volumes that hold its content. */
  copies(file: FileFacts): number;
  /** @param repository as the query names it, folded */
  isOn(repository: string, file: FileFacts): boolean;
  isDuplicate(of: DuplicateOf, file: FileFacts): boolean;
}

/** Whether a file is what a query asks for: what the search's tables and plans must agree with. */
export function matchesQuery(query: Query, file: FileFacts, around: Surroundings): boolean {
  switch (query.is) {
    case 'all':
      return query.of.every((part) => matchesQuery(part, file, around));
    case 'any':
      return query.of.some((part) => matchesQuery(part, file, around));
    case 'not':
      return !matchesQuery(query.of, file, around);
    case 'present':
      return around.isPresent(file);
    case 'copies':
      return !isHeldByHistory(file) && isInRange(around.copies(file), query.range);
    case 'on':
      return around.isOn(query.repository, file);
    case 'duplicate':
      return around.isDuplicate(query.of, file);
    default:
      return matchesFile(query, file);
  }
}

type OfFile = Exclude<
  Query,
  { readonly is: 'all' | 'any' | 'not' | 'present' | 'copies' | 'on' | 'duplicate' }
>;

function matchesFile(query: OfFile, file: FileFacts): boolean {
  switch (query.is) {
    case 'words':
      return (query.field === undefined ? TEXT_FIELDS : [query.field]).some((field) =>
        textsOf(file, field).some((text) => hasWords(text, query.words, query.prefix)),
      );
    case 'name':
      return matchesName(query.pattern, fold(textsOf(file, 'name')[0] ?? ''));
    case 'path':
      return matchesPath(query.pattern, fold(plainText(file.path)));
    case 'number':
      return isInRange(numberOf(file, query.field), query.range);
    case 'media':
      return mediaKindOf(file) === query.kind;
    case 'type':
      return file.type === query.type;
    case 'extension':
      return query.anyOf.includes(extensionOf(file.path));
    case 'mime':
      return mimeOf(file) === query.mime;
    case 'has':
      return has(query.what, file);
    case 'conflict':
      return conflictKindOf(file) === query.kind;
    case 'id':
      return file.id.startsWith(query.prefix);
    case 'hash':
      return [file.blake3, file.record.hashes?.payload].some((hash) => hash?.startsWith(query.prefix));
    case 'attribute':
      return attributeOf(file, query.key).some((text) => hasWords(text, query.words, query.prefix));
    case 'deleted':
      return file.deleted;
    default:
      return query satisfies never;
  }
}

function has(what: 'gps' | 'entity' | 'conflict', file: FileFacts): boolean {
  if (what === 'gps') return hasPlace(file);
  return what === 'entity' ? file.entity !== undefined : file.record.conflict !== undefined;
}
