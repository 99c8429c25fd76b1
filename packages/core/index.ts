/**
 * core: the model and every decision bk takes. Pure: no I/O, no clock, no randomness, no Node; clock, ids and random
 * bytes come in as arguments, results come out in a definite order. One noun or verb a file. Tests use literals.
 *
 * Nouns: path (names and their encoding), ids, record (canonical JSON), listing (a directory seen), entry (tracked and
 * seen), change, commit (message and trailers), plan (steps as data), subset, presence, error. Verbs: identify (which
 * object is this file), diff, brakes (absurd results stop), advance (from one tree to another), conserve (nothing is
 * lost by a plan), copies and covered (what is counted), proof (what may be dropped), merge (three trees become one),
 * query (which files are asked for).
 */
export * from './advance.ts';
export * from './advance-change.ts';
export type { FolderMoves } from './advance-folders.ts';
export * from './advance-groups.ts';

export * from './attributes.ts';
export * from './beside.ts';
export * from './brakes.ts';
export * from './change.ts';
export * from './commit.ts';
export * from './companions.ts';
export * from './compare.ts';
export * from './conserve.ts';
export * from './copies.ts';
export * from './covered.ts';
export * from './diff.ts';
export * from './entity.ts';
export * from './entry.ts';
export * from './error.ts';
export {
  EMPTY_CONTENT,
  type Evidence,
  hasLastingInode,
  type Observed,
  type Occupied,
  sameInode,
} from './evidence.ts';
export * from './folder-change.ts';
export * from './holes.ts';
export * from './identify.ts';
export * from './ids.ts';
export * from './json.ts';
export * from './listing.ts';
export * from './media.ts';
export { conflictNote } from './merge/conflict-name.ts';
export * from './merge/correspond.ts';
export type { ContentAt } from './merge/folder-contents.ts';
export * from './merge/graph.ts';
export * from './merge/input.ts';
export * from './merge/layout.ts';
export { mergeTrees } from './merge/merge.ts';
export * from './merge/resolve.ts';
export { haveSamePayload } from './merge/same-payload.ts';
export * from './mtime.ts';
export * from './name.ts';
export * from './path.ts';
export { encodePattern, everywherePattern, parsePattern, patternText } from './pattern.ts';
export * from './plan.ts';
export * from './presence.ts';
export * from './progress.ts';
export * from './proof.ts';
export { type Duplicate, type DuplicateGroup, duplicatesAsked, groupDuplicates } from './query/duplicates.ts';
export * from './query/facts.ts';
export { QUERY_FIELDS } from './query/field.ts';
export { matchesName, matchesPath } from './query/glob.ts';
export { matchesQuery, type Surroundings } from './query/matches.ts';
export { parseQuery } from './query/parse-query.ts';
export { type Condition, conditionsOf, type DuplicateOf, type Query } from './query/query.ts';
export { queryOfArguments } from './query/token.ts';
export type { QueryClock, Range } from './query/value.ts';
export { fold, wordsOf } from './query/words.ts';
export * from './record.ts';
export * from './recoverable.ts';
export * from './recoverable-companions.ts';
export * from './release.ts';
export * from './returned.ts';
export * from './rev.ts';
export * from './select.ts';
export * from './selector.ts';
export * from './settle.ts';
export * from './subset.ts';
export { closest } from './suggest.ts';
