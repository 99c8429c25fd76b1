import fs from 'node:fs';
import { BkError, parseSubset, type Subset, subsetHash } from '@bk/core';
import type { WantedPart } from '@bk/remote';
import type { Context } from '../context.ts';
import type { Repository } from '../repository.ts';
import type { HostOptions } from './host.ts';

/** A pattern that nothing escapes. */
const NOTHING: WantedPart = { include: [], exclude: ['**'] };
/** Two that ask each other for promises while they let go themselves must not wait for long: both are refused. */
const PATIENCE_MS = 5_000;

/**
 * What an opened repository tells and allows others. Who may write which ref, and how its files follow, is for the
 * caller to add: it knows who asks.
 */
export function hostOptions(there: Repository, context: Pick<Context, 'nowMs'>): HostOptions {
  const { volume } = there.config;
  return {
    nowMs: () => context.nowMs(),
    subset: wantedPart(there),
    readOnly: !isWritable(there.layout.dot),
    patienceMs: PATIENCE_MS,
    ...(volume !== undefined && { volume: volume.id }),
  };
}

/**
 * The patterns of this repository's subset, to be acted upon.
 * @throws BkError 'refused' if they are not those that bk wrote: edited by hand, or of another meaning since (P07)
 */
export function trustedSubset({ config }: Pick<Repository, 'config'>): Subset {
  const { subset } = config;
  if (subset === undefined) return { include: [], exclude: [] };
  const { include, exclude } = subset;
  if (isAsWritten(subset)) return { include, exclude };
  throw new BkError('refused', 'cannot use the subset: its patterns are not those that bk wrote', {
    hint: 'look at them with `bk subset show`, then give the ones that are meant to `bk subset set`',
  });
}

/** Whether the stored hash fits the patterns, and all of them can be read. */
export function isAsWritten(subset: { readonly hash: string } & Subset): boolean {
  try {
    return subsetHash(parseSubset(subset.include, subset.exclude)) === subset.hash;
  } catch (error) {
    if (error instanceof BkError) return false;
    throw error;
  }
}

/** Until its owner said what is meant, nothing is sent for a subset that was edited by hand. */
function wantedPart({ config: { subset } }: Repository): WantedPart {
  if (subset === undefined) return { include: [], exclude: [] };
  return isAsWritten(subset) ? { include: subset.include, exclude: subset.exclude } : NOTHING;
}

function isWritable(folder: string): boolean {
  try {
    fs.accessSync(folder, fs.constants.W_OK);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return false;
    throw error;
  }
}
