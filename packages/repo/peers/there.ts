import fs from 'node:fs';
import { BkError } from '@bk/core';
import { layoutOf } from '@bk/store';
import { openRepository, type Repository } from '../repository.ts';

/**
 * The repository whose root is exactly this folder: one above it is another, seen through an empty mount point.
 * @param address as whoever asks calls it
 * @throws BkError 'unreachable' if there is none
 */
export function openThere(folder: string, address: string, open = openRepository): Repository {
  try {
    if (fs.statSync(layoutOf(folder).dot, { throwIfNoEntry: false })?.isDirectory() === true)
      return open(folder);
  } catch (error) {
    throw outOfReach(error, address);
  }
  throw new BkError('unreachable', `cannot reach ${address}: there is no repository now`, {
    hint: 'if it is on a disk that is not plugged in or not mounted: do that first',
    path: address,
  });
}

function outOfReach(error: unknown, address: string): unknown {
  if (error instanceof BkError) {
    if (error.code !== 'not-a-repository' && error.code !== 'not-found') return error;
    return new BkError('unreachable', `cannot reach ${address}: ${error.message}`, {
      path: address,
      cause: error,
    });
  }
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  return new BkError('unreachable', `cannot reach ${address}: the system says ${code}`, {
    path: address,
    cause: error,
  });
}
