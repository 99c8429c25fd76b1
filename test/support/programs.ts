import { spawnSync } from 'node:child_process';
import process from 'node:process';
import type { TestContext } from 'vitest';

/**
 * What a test needs of the machine. A test that cannot run is skipped with its reason, which `npm test` counts and
 * prints at the end: a suite that skipped everything must not look like one that passed.
 */
export function needs(context: Pick<TestContext, 'skip'>, what: string, isThere: boolean): void {
  context.skip(!isThere, `needs ${what}`);
}

export function needsPrograms(context: Pick<TestContext, 'skip'>, ...programs: readonly string[]): void {
  for (const program of programs) needs(context, `the program ${program}`, hasProgram(program));
}

export function hasProgram(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0;
}

export const isRoot = process.getuid?.() === 0;

export function needsRoot(context: Pick<TestContext, 'skip'>): void {
  needs(context, 'root', isRoot);
}

/** strace may be installed and yet forbidden (ptrace in a container). */
export function needsStrace(context: Pick<TestContext, 'skip'>): void {
  needs(context, 'strace and permission to trace', spawnSync('strace', ['-qq', 'true']).status === 0);
}
