import type { MediaKind, NumberField, TextField } from './facts.ts';
import type { Range } from './value.ts';

/** What is asked of a file. Texts are folded. */
export type Query =
  | { readonly is: 'all'; readonly of: readonly Query[] }
  | { readonly is: 'any'; readonly of: readonly Query[] }
  | { readonly is: 'not'; readonly of: Query }
  | Condition;

export type Condition =
  /** One after another in one text of the field, or of any; `prefix`: the last one needs only begin so. */
  | {
      readonly is: 'words';
      readonly field: TextField | undefined;
      readonly words: readonly string[];
      readonly prefix: boolean;
    }
  | { readonly is: 'name' | 'path'; readonly pattern: string }
  | { readonly is: 'number'; readonly field: NumberField; readonly range: Range }
  | { readonly is: 'media'; readonly kind: MediaKind }
  | { readonly is: 'type'; readonly type: 'file' | 'symlink' }
  | { readonly is: 'extension'; readonly anyOf: readonly string[] }
  | { readonly is: 'mime'; readonly mime: string }
  | { readonly is: 'has'; readonly what: 'gps' | 'entity' | 'conflict' }
  | { readonly is: 'conflict'; readonly kind: string }
  /** Hex digits (of an id: with dashes) that it begins with. */
  | { readonly is: 'id' | 'hash'; readonly prefix: string }
  | {
      readonly is: 'attribute';
      readonly key: string;
      readonly words: readonly string[];
      readonly prefix: boolean;
    }
  | { readonly is: 'deleted' }
  /** Another file of the head has the same content, or the same media in it. */
  | { readonly is: 'duplicate'; readonly of: DuplicateOf }
  | PlaceQuery;

/** What only the disks and the presences of repositories can tell. */
export type PlaceQuery =
  | { readonly is: 'present' }
  | { readonly is: 'copies'; readonly range: Range }
  | { readonly is: 'on'; readonly repository: string };

export type DuplicateOf = 'exact' | 'payload';

/** Every condition of a query, whatever it is joined by. */
export function* conditionsOf(query: Query): Generator<Condition> {
  if (query.is === 'all' || query.is === 'any') for (const part of query.of) yield* conditionsOf(part);
  else if (query.is === 'not') yield* conditionsOf(query.of);
  else yield query;
}
