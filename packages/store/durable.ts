import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** Makes the names in a folder durable (new, renamed and removed entries survive a power cut). */
export function fsyncDirectory(dir: string): void {
  const fd = fs.openSync(dir, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Writes all of `data` at the current position; a short write is continued, never ignored. */
export function writeFully(fd: number, data: Uint8Array): void {
  let done = 0;
  while (done < data.length) done += fs.writeSync(fd, data, done, data.length - done);
}

/**
 * Replaces one of bk's own files (never a user's) as a whole: the path holds the old bytes or the new, both durable.
 * After a failed fsync the temporary file is dropped, never synced again (its content would be unknown).
 * Callers hold the repository's lock: the temporary name is always the same, so that what a killed process left is used up.
 */
export function replaceFile(file: string, data: Uint8Array | string, mode = 0o600): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  const temporary = `${file}.tmp`;
  try {
    const fd = fs.openSync(
      temporary,
      fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC,
      mode,
    );
    try {
      writeFully(fd, bytes);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
  fsyncDirectory(path.dirname(file));
}

/** Removes what a killed `replaceFile` left; only for the holder of the repository's lock. */
export function clearReplacing(file: string): void {
  fs.rmSync(`${file}.tmp`, { force: true });
}

/** Makes the content of a file that was written elsewhere durable. */
export function fsyncFile(file: string): void {
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Makes all that was written to the file system of a folder durable at once (syncfs): for many files far cheaper than one by one.
 * @returns false where there is no such tool: then each file and folder has to be synced
 */
export function syncFileSystem(dir: string): boolean {
  const result = spawnSync('sync', ['-f', dir], { env: PROGRAMS, stdio: 'ignore' });
  return result.status === 0;
}

/** As syncFileSystem, while the caller goes on with what need not be durable by it. */
export function syncingFileSystem(dir: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('sync', ['-f', dir], { env: PROGRAMS, stdio: 'ignore' });
    child.on('error', () => resolve(false));
    child.on('close', (status) => resolve(status === 0));
  });
}

const PROGRAMS = { PATH: '/usr/local/bin:/usr/bin:/bin' };
