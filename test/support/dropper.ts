import process from 'node:process';
import type { RepoPath } from '@bk/core';
import { drop, openRepository } from '@bk/repo';

/** A process of its own that drops what it is told, until its parent is gone: `fork(dropper.ts, [ROOT])`. */
export interface DropOrder {
  readonly path: string;
  /** Before it begins. */
  readonly waitMs: number;
}

export interface DropAnswer {
  readonly path: string;
  readonly dropped: boolean;
  /** Why not. */
  readonly reason?: string;
}

const context = {
  report: () => {},
  nowMs: () => Date.now(),
  random: (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)),
};

async function obey(root: string, { path, waitMs }: DropOrder): Promise<DropAnswer> {
  const start = performance.now();
  while (performance.now() - start < waitMs);
  const repository = openRepository(root);
  try {
    const { done, refused } = await drop(repository, { paths: [path as RepoPath], copies: 1 }, context);
    const reason = refused[0]?.reason;
    return { path, dropped: done.length === 1, ...(reason !== undefined && { reason }) };
  } catch (error) {
    return { path, dropped: false, reason: (error as Error).message };
  } finally {
    repository.close();
  }
}

const [root = ''] = process.argv.slice(2);
process.on('disconnect', () => process.exit(0));
process.on('message', (order: DropOrder) => {
  void obey(root, order).then((answer) => process.send?.(answer));
});
