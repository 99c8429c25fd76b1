import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';

/** A new folder, removed when the test file is done (BK_KEEP=1 keeps it and says where). */
export function temporaryFolder(prefix = 'bk-test-', under = os.tmpdir()): string {
  const dir = fs.realpathSync(fs.mkdtempSync(path.join(under, prefix)));
  made.push(dir);
  return dir;
}

/** Memory if there is any: crash tests make some thousands of small folders and sync each. */
export function fastFolder(prefix = 'bk-test-'): string {
  return temporaryFolder(prefix, fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir());
}

const made: string[] = [];
const undo: (() => void)[] = [];

/** Runs before the folders go, last first: unmounts and the like. */
export function atEnd(action: () => void): void {
  undo.push(action);
}

afterAll(() => {
  for (const action of undo.splice(0).reverse()) action();
  for (const dir of made.splice(0)) {
    if (process.env['BK_KEEP'] === '1') process.stderr.write(`kept ${dir}\n`);
    else spawnSync('rm', ['-rf', '--one-file-system', dir]);
  }
});
