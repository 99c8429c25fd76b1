import fs from 'node:fs';

export type Call = (...given: unknown[]) => unknown;
export const calls = fs as unknown as Record<string, Call>;
const MUTATING = [
  'openSync',
  'writeSync',
  'writeFileSync',
  'linkSync',
  'renameSync',
  'unlinkSync',
  'rmSync',
  'rmdirSync',
  'mkdirSync',
  'symlinkSync',
  'lutimesSync',
  'utimesSync',
  'chmodSync',
  'copyFileSync',
  'fsyncSync',
];
const WRITING = fs.constants.O_WRONLY | fs.constants.O_RDWR | fs.constants.O_CREAT;

export class Killed extends Error {}

/** Puts a counting shim around every mutating call; the n-th does not happen, nor any after it. */
function shim(
  n: number,
  refuseLinks: boolean,
): { readonly count: () => number; readonly restore: () => void } {
  const originals = new Map(MUTATING.map((name) => [name, calls[name]!]));
  let count = 0;
  for (const [name, original] of originals) {
    calls[name] = (...given) => {
      const reading =
        name === 'openSync' && typeof given[1] !== 'string' && (Number(given[1] ?? 0) & WRITING) === 0;
      if (!reading && ++count >= n) throw new Killed();
      if (name === 'linkSync' && refuseLinks) throw Object.assign(new Error('EPERM'), { code: 'EPERM' });
      return original(...given);
    };
  }
  const restore = (): void => {
    for (const [name, original] of originals) calls[name] = original;
  };
  return { count: () => count, restore };
}

interface Run {
  readonly calls: number;
  readonly killed: boolean;
}

/** Runs `work` until the n-th mutating call. @returns how many there were */
export function killedAt(n: number, work: () => void, refuseLinks: boolean): Run {
  const { count, restore } = shim(n, refuseLinks);
  try {
    work();
    return { calls: count(), killed: false };
  } catch (error) {
    if (!isKill(error)) throw error;
    return { calls: count(), killed: true };
  } finally {
    restore();
  }
}

/** The same for work that takes its time. */
export async function killedDuring(n: number, work: () => Promise<unknown>): Promise<Run> {
  const { count, restore } = shim(n, false);
  try {
    await work();
    return { calls: count(), killed: false };
  } catch (error) {
    if (!isKill(error)) throw error;
    return { calls: count(), killed: true };
  } finally {
    restore();
  }
}

function isKill(error: unknown): boolean {
  return error instanceof Killed || (error as { cause?: unknown }).cause instanceof Killed;
}
