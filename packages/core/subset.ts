import { blake3 } from '@noble/hashes/blake3.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { BkError } from './error.ts';
import { formatJson } from './json.ts';
import { utf8Bytes } from './name.ts';
import { parsePattern } from './pattern.ts';

/**
 * The part of the tree that one repository wants to hold: what a pattern of `include` matches (none: everything) and no
 * pattern of `exclude`. Patterns are kept exactly as given, in order; see parsePattern. It belongs to the repository, never
 * to the history: what is outside is not deleted, only not wanted here.
 */
export interface Subset {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export const EVERYTHING: Subset = { include: [], exclude: [] };

/**
 * Checks every pattern. Repetitions are left out.
 * @throws BkError 'refused' or 'usage', as parsePattern does
 */
export function parseSubset(include: readonly string[], exclude: readonly string[]): Subset {
  for (const pattern of include) parsePattern(pattern);
  for (const pattern of exclude) parsePattern(pattern);
  return { include: [...new Set(include)], exclude: [...new Set(exclude)] };
}

export function isEverything(subset: Subset): boolean {
  return subset.include.length === 0 && subset.exclude.length === 0;
}

/** The text that stands for a subset in its hash. `v` changes with the meaning of patterns, so that a newer bk asks again. */
export function formatSubset(subset: Subset): string {
  return formatJson({ v: 1, include: subset.include, exclude: subset.exclude });
}

/** BLAKE3-256 of formatSubset, 64 lower-case hex digits. Patterns whose stored hash is another were changed by hand. */
export function subsetHash(subset: Subset): string {
  const text = utf8Bytes(formatSubset(subset));
  return bytesToHex(blake3(Uint8Array.from(text, (byte) => byte.charCodeAt(0))));
}

/**
 * The subset with more of the tree in it.
 * @throws BkError 'usage' if it is everything already: to add would then take away; 'refused' or 'usage' for a bad pattern
 */
export function addToSubset(subset: Subset, patterns: readonly string[]): Subset {
  if (patterns.length > 0 && subset.include.length === 0) {
    throw new BkError('usage', 'cannot add to the subset: everything is wanted already', {
      hint: 'to want only a part use "bk subset set"',
    });
  }
  return parseSubset([...subset.include, ...patterns], subset.exclude);
}

/**
 * The subset without some of its patterns, includes or excludes.
 * @throws BkError 'usage' if it has no such pattern, or if the last include would go: no include means everything
 */
export function removeFromSubset(subset: Subset, patterns: readonly string[]): Subset {
  const unknown = patterns.find(
    (pattern) => !subset.include.includes(pattern) && !subset.exclude.includes(pattern),
  );
  if (unknown !== undefined)
    throw new BkError('usage', `cannot remove ${JSON.stringify(unknown)}: the subset has no such pattern`, {
      hint: 'see "bk subset show"',
    });
  const include = subset.include.filter((pattern) => !patterns.includes(pattern));
  if (include.length === 0 && subset.include.length > 0) {
    throw new BkError('usage', 'cannot remove the last pattern: without one everything would be wanted', {
      hint: 'to want everything use "bk subset set" without patterns; to want nothing exclude "**"',
    });
  }
  return { include, exclude: subset.exclude.filter((pattern) => !patterns.includes(pattern)) };
}
