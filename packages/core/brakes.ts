import { BkError } from './error.ts';
import type { ContentHash } from './ids.ts';

export interface Damage {
  /** Files the head has, before. */
  readonly trackedFiles: number;
  /** Objects that would be deleted. */
  readonly deleted: number;
  /** Files that would get other contents. */
  readonly replaced: number;
}

export type Brake =
  | { readonly refuse: false }
  | { readonly refuse: true; readonly reason: string; readonly hint: string };

/** Where it was seen: in the folder itself, or in a history that the folder is to follow. */
export type DamageSeen = 'folder' | 'history';

const HINTS = {
  folder: {
    deleted:
      'if they are gone on purpose, say so with --allow-mass-delete; if not, see that the disk is there, or bring them back with "bk recover"',
    replaced:
      'if that was done on purpose, say so with --allow-mass-delete; if not, something may have damaged or encrypted them: look at some of them first',
  },
  history: {
    deleted:
      'the files here are untouched; see with --dry-run which ones, and if they were deleted there on purpose, say so with --allow-mass-delete',
    replaced:
      'the files here are untouched; if that was done on purpose there, say so with --allow-mass-delete; if not, something may have damaged or encrypted them there',
  },
} as const;

/**
 * SPEC 4, rule 5: a folder suddenly almost empty is an unmounted disk or an accident until somebody says otherwise.
 * The reason is a clause for after "refused: ".
 */
export function brake({ trackedFiles, deleted, replaced }: Damage, seen: DamageSeen = 'folder'): Brake {
  const fewLeft = trackedFiles >= 20 && deleted * 2 > trackedFiles;
  const manyDeleted = deleted > 1000 && deleted * 10 > trackedFiles;
  if (fewLeft || manyDeleted) {
    return {
      refuse: true,
      reason: `this would delete ${deleted} of ${trackedFiles} files`,
      hint: HINTS[seen].deleted,
    };
  }
  if (replaced > 1000 && replaced * 2 > trackedFiles) {
    return {
      refuse: true,
      reason: `this would replace the contents of ${replaced} of ${trackedFiles} files`,
      hint: HINTS[seen].replaced,
    };
  }
  return { refuse: false };
}

/**
 * SPEC 4, rule 6: what a plan makes disappear must be exactly what it says it deletes.
 * @throws BkError 'bug' that names up to three of the contents
 */
export function conserve(
  before: Iterable<ContentHash>,
  after: Iterable<ContentHash>,
  deletions: Iterable<ContentHash>,
): void {
  const kept = new Set(after);
  const lost = new Set<ContentHash>();
  for (const content of before) if (!kept.has(content)) lost.add(content);
  const listed = new Set(deletions);
  const unlisted = [...lost].filter((content) => !listed.has(content));
  if (unlisted.length > 0) throw unbalanced('would lose contents that it does not list as deleted', unlisted);
  const notLost = [...listed].filter((content) => !lost.has(content));
  if (notLost.length > 0) throw unbalanced('lists contents as deleted that it would not delete', notLost);
}

function unbalanced(what: string, contents: readonly ContentHash[]): BkError {
  const named = [...contents].sort().slice(0, 3).join(', ');
  const more = contents.length > 3 ? ` and ${contents.length - 3} more` : '';
  return new BkError('bug', `the plan ${what}: ${named}${more}`, {
    hint: 'nothing was changed; please report this',
  });
}
