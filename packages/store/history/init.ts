import fs from 'node:fs';
import path from 'node:path';
import { fsyncDirectory, replaceFile } from '../durable.ts';

const FOLDERS = ['', 'objects', 'objects/pack', 'objects/info', 'refs', 'refs/heads', 'refs/tags'];
const CONFIG = '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n';

/** Makes the bare git repository at `historyDir`, durably. What is there already stays; HEAD comes last, so an interrupted one is made whole. */
export function initHistory(historyDir: string): void {
  for (const folder of FOLDERS) makeFolder(path.join(historyDir, folder));
  writeIfAbsent(path.join(historyDir, 'config'), CONFIG);
  writeIfAbsent(path.join(historyDir, 'HEAD'), 'ref: refs/heads/main\n');
}

/** Makes a folder whose parent is there, durably; true if it was not there before. */
export function makeFolder(folder: string): boolean {
  try {
    fs.mkdirSync(folder, 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  fsyncDirectory(path.dirname(folder));
  return true;
}

function writeIfAbsent(file: string, text: string): void {
  if (fs.existsSync(file)) return;
  replaceFile(file, text, 0o644);
}
