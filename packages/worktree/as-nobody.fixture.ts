import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';

/** Whether a program can be run as somebody who is not root and may run this project's code. */
export function whyNotAsNobody(): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return runAsNobody('process.stdout.write("1")') === '1' ? undefined : 'cannot run node as nobody (setpriv)';
}

/** Runs a module as nobody (as oneself, if one is not root). @returns what it printed */
export function runAsNobody(program: string, ...args: readonly string[]): string {
  const node = [process.execPath, '--input-type=module', '-e', program, ...args];
  const through =
    process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  const [command = '', ...rest] = [...through, ...node];
  const done = spawnSync(command, rest, { encoding: 'utf8', cwd: '/' });
  return done.status === 0 ? done.stdout : `failed: ${done.stderr}`;
}

/** For `import` in such a program. */
export function moduleHere(name: string): string {
  return JSON.stringify(path.join(import.meta.dirname, name));
}
