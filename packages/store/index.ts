/**
 * store: the hidden `.bk` folder. What it promises: everything of bk's lies below it (layout), what is written there
 * is whole and durable or was never there (durable), and one process writes at a time (lock).
 *
 * Parts: config (who this repository is, and its settings), history (a bare git repository: packs, refs, quarantine),
 * index (SQLite, what was last seen on disk; always rebuildable, never evidence that something was deleted), safety net
 * (contents that left or may leave the folder), journal (what an interrupted command has to finish), incoming (contents
 * on their way here), leases (promises to other repositories), clone-state (a clone that is not finished).
 * It knows nothing of the user's files outside `.bk`; repo brings both together.
 */

export { CardCache } from './card-cache.ts';
export * from './clone-state.ts';
export * from './config.ts';
export * from './durable.ts';
export * from './history/index.ts';
export { INCOMING, Incoming, type IncomingFile } from './incoming.ts';
export { IndexDamaged } from './index-db/damage.ts';
export * from './index-db/departed.ts';
export * from './index-db/index-db.ts';
export * from './index-db/inspect.ts';
export * from './index-db/row.ts';
export * from './journal.ts';
export * from './layout.ts';
export { activeLeases, forgetLeases, grantLease, leasesFile, releaseLease } from './leases.ts';
export * from './lock.ts';
export * from './remote-name.ts';
export * from './safety.ts';
export type { Left, SearchEntry } from './search-db/columns.ts';
export type { Domain } from './search-db/plan.ts';
export { isSearchDamage, SearchDb, type SearchRow } from './search-db/search-db.ts';
export * from './settings.ts';
export * from './staging.ts';
export * from './verified.ts';
