import fs from 'node:fs';
import { fsyncDirectory, fsyncFile } from '@bk/store';
import { nodePath } from '@bk/worktree';

/** Makes a folder of staging durable file by file, where a whole file system cannot be synced at once. */
export function syncTree(folder: string): void {
  for (const entry of fs.readdirSync(nodePath(folder), {
    withFileTypes: true,
    encoding: 'latin1' as 'utf8',
  })) {
    const at = `${folder}/${entry.name}`;
    if (entry.isDirectory()) syncTree(at);
    else if (entry.isFile()) fsyncFile(nodePath(at) as string);
  }
  fsyncDirectory(nodePath(folder) as string);
}
