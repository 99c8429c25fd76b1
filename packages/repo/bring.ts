import { BkError, type ContentHash, type PlacedContent } from '@bk/core';
import type { Content } from '@bk/remote';
import type { Context } from './context.ts';
import type { OpenRemote } from './peers.ts';
import type { Repository } from './repository.ts';

/** Contents that can be placed now, and why the others cannot. */
export interface Brought {
  readonly contents: ReadonlyMap<ContentHash, PlacedContent>;
  readonly missing: ReadonlyMap<ContentHash, string>;
  /** What came from elsewhere. */
  readonly transferred: { readonly files: number; readonly bytes: number };
}

/**
 * Makes contents available for `place` steps: those that are here under any name (net, folder) where they are, the
 * others from the remotes into `.bk/staging/incoming`, whole, verified and durable. Goes on where an interrupted one was.
 * Only while writing. @throws BkError 'no-space' before anything is fetched
 */
export async function bring(
  _repo: Repository,
  _wanted: readonly Content[],
  _from: readonly OpenRemote[],
  _context: Context,
): Promise<Brought> {
  throw new BkError('bug', 'not built yet');
}
