import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fsyncDirectory } from './durable.ts';

/**
 * `.bk/staging`: one folder for each transaction, named by its id. In it lie `s<step>` (contents that are to be placed),
 * expendable, and `c<step>`: files that were captured from the tree, never removed but taken into the net. An older bk
 * that was killed left `t<n>` (second links of files whose times were set) and `clock` (reference files) there, too.
 * Temporary files of the net lie beside the folders.
 */
export const TEMPORARY_PREFIX = 'net-';
const TRANSACTION = /^tx-[0-9a-f]{32}$/;
/** Of the net, and packs that were not finished (history/pack-writer). */
const TEMPORARY = /^(?:net-[0-9a-f]{16}-\d+|pack-\d+-[0-9a-f-]{36}\.(?:pack|idx))$/;
const EXPENDABLE = /^(?:[mst]\d+|probe(?:-.*)?)$/;

/** An older bk's reference files for times, and what a look at the file system's abilities makes. */
const FOLDERS = new Set(['clock', 'probe']);

export function newTransactionId(): string {
  return `tx-${randomBytes(16).toString('hex')}`;
}

export function isTransactionId(text: string): boolean {
  return TRANSACTION.test(text);
}

/** Makes the folder of a transaction. @returns its absolute path */
export function makeStaging(layout: { readonly staging: string }, id: string): string {
  fs.mkdirSync(layout.staging, { recursive: true, mode: 0o700 });
  const folder = path.join(layout.staging, id);
  fs.mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/**
 * Removes a transaction's folder as far as it holds only what bk staged there.
 * @returns names that were left: captured files, and what is not bk's
 */
export function removeStaging(layout: { readonly staging: string }, id: string): string[] {
  const folder = path.join(layout.staging, id);
  const left: string[] = [];
  for (const entry of readEntries(folder)) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory() && FOLDERS.has(entry.name)) fs.rmSync(file, { recursive: true, force: true });
    else if (!entry.isDirectory() && isExpendable(file, entry.name)) fs.rmSync(file, { force: true });
    else left.push(entry.name);
  }
  if (left.length === 0) {
    fs.rmSync(folder, { recursive: true, force: true });
    if (fs.existsSync(layout.staging)) fsyncDirectory(layout.staging);
  }
  return left;
}

/** A link that was kept while a file moved may have become the file's last one. */
function isExpendable(file: string, name: string): boolean {
  return EXPENDABLE.test(name) && (!/^[mt]/.test(name) || fs.lstatSync(file).nlink > 1);
}

/** Removes a captured file whose content may go (`drop`: others hold it), or that has its name in the tree again. */
export function letGoOfCaptured(file: string): void {
  fs.unlinkSync(file);
}

export interface Leftovers {
  /** Captured files without a journal, absolute paths: for the net to adopt. */
  readonly captured: readonly string[];
  /** What is not bk's, as paths below `.bk`. */
  readonly strangers: readonly string[];
}

/**
 * Removes what killed commands left in staging; under the repository's lock only, since a running one needs its own.
 * @param active ids of transactions whose journals are still to be replayed
 */
export function clearStaging(layout: { readonly staging: string }, active: ReadonlySet<string>): Leftovers {
  const captured: string[] = [];
  const strangers: string[] = [];
  for (const entry of readEntries(layout.staging)) {
    if (TRANSACTION.test(entry.name) && entry.isDirectory()) {
      if (active.has(entry.name)) continue;
      for (const name of removeStaging(layout, entry.name)) {
        if (/^[cmt]\d+$/.test(name)) captured.push(path.join(layout.staging, entry.name, name));
        else strangers.push(`staging/${entry.name}/${name}`);
      }
    } else if (TEMPORARY.test(entry.name) && entry.isFile()) {
      fs.rmSync(path.join(layout.staging, entry.name), { force: true });
    } else strangers.push(`staging/${entry.name}`);
  }
  return { captured, strangers };
}

/** Only a missing folder is an empty one. */
function readEntries(folder: string): fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
