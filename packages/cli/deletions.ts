import { BkError, type DeletionPolicy } from '@bk/core';

/** Of verbs that may follow or record very much at once. */
export const MASS_DELETE = {
  'allow-mass-delete': { type: 'boolean', describe: 'go on though very much is deleted or replaced' },
} as const;

/** Of verbs that commit. */
export const DELETIONS = {
  'confirm-deletions': { type: 'boolean', describe: 'the deletions are meant: the net may let go' },
  'keep-deletions': { type: 'boolean', describe: 'the net keeps what was deleted (the default)' },
  ...MASS_DELETE,
} as const;

/** Undefined: nothing was said. @throws BkError 'usage' for both */
export function policyOf(given: {
  readonly 'confirm-deletions'?: boolean | undefined;
  readonly 'keep-deletions'?: boolean | undefined;
}): DeletionPolicy | undefined {
  const [confirm, keep] = [given['confirm-deletions'] === true, given['keep-deletions'] === true];
  if (confirm && keep)
    throw new BkError('usage', '--confirm-deletions and --keep-deletions exclude each other');
  if (confirm) return 'confirmed';
  return keep ? 'kept' : undefined;
}
