import fs from 'node:fs';
import path from 'node:path';
import { fsyncDirectory, writeFully } from '../durable.ts';
import { checkRefName, packedRefs, takeLock } from './refs.ts';

/**
 * Removes a ref, durably; one that is not there is no error. As git does: out of packed-refs first, so that an old
 * value never comes back. Only for the holder of bk's own lock.
 */
export function deleteRef(historyDir: string, name: string): void {
  checkRefName(name);
  if (packedRefs(historyDir).has(name)) unpack(historyDir, name);
  const file = path.join(historyDir, name);
  if (!isFile(file)) return;
  const lock = `${file}.lock`;
  fs.closeSync(takeLock(lock, name, true));
  try {
    fs.rmSync(file, { force: true });
  } finally {
    fs.rmSync(lock, { force: true });
  }
  fsyncDirectory(path.dirname(file));
}

/** Writes packed-refs without one ref (and the line of what its tag means, if there is one). */
function unpack(historyDir: string, name: string): void {
  const file = path.join(historyDir, 'packed-refs');
  const lock = `${file}.lock`;
  const fd = takeLock(lock, name, true);
  try {
    const lines = fs.readFileSync(file, 'utf8').split('\n');
    const gone = lines.findIndex((line) => line.slice(41) === name && /^[0-9a-f]{40} /.test(line));
    if (gone >= 0) lines.splice(gone, lines[gone + 1]?.startsWith('^') ? 2 : 1);
    try {
      writeFully(fd, Buffer.from(lines.join('\n')));
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(lock, file);
  } catch (error) {
    fs.rmSync(lock, { force: true });
    throw error;
  }
  fsyncDirectory(historyDir);
}

function isFile(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}
