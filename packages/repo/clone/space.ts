import fs from 'node:fs';
import path from 'node:path';
import { BkError, decodeName, encodeName, type FsName, KIND, STAT, STAT_WIDTH } from '@bk/core';
import { IndexDamaged, type IndexDb } from '@bk/store';
import { stableInodes, volumeOf } from '@bk/worktree';
import type { Pool } from '../observe/pool.ts';
import type { FolderPart } from './selection.ts';
import { allocated, type CloneTotals, LARGE, sumTotals } from './survey.ts';

/** Folders in one task. */
const BATCH = 512;
const MANY_FOLDERS = 2_000;
/** What history and index take for each file, in bytes; measured: 290 and 130. */
const RECORD_BYTES = 600;
/** Journals, indexes, the 256 folders of the net. */
const OWN_BYTES = 4 << 20;
const OWN_INODES = 320;
/** File systems that let files share their bytes. */
const SHARING = new Set(['btrfs', 'xfs', 'bcachefs', 'zfs']);

export interface SurveyPlaces {
  readonly history: string;
  readonly source: string | undefined;
  /** Where the clone is to be. */
  readonly root: string;
  /** The source's, if it mirrors the commit: sizes are known from it without reading a record. */
  readonly index?: Pick<IndexDb, 'known'>;
}

/** Counts what is to be copied: by the source's index if it can be asked, else by the records. */
export async function surveyParts(
  parts: readonly FolderPart[],
  { history, source, root, index }: SurveyPlaces,
  pool: Pool,
): Promise<CloneTotals> {
  const { bsize } = fs.statfsSync(existing(root));
  try {
    if (index !== undefined) return surveyIndex(parts, index, { block: bsize, source });
  } catch (error) {
    if (!(error instanceof IndexDamaged)) throw error;
  }
  if (parts.length > MANY_FOLDERS) pool.start();
  const tasks: Promise<CloneTotals>[] = [];
  for (let i = 0; i < parts.length; i += BATCH)
    tasks.push(
      pool.run('cloneSurvey', { history, source, block: bsize, folders: parts.slice(i, i + BATCH) }),
    );
  return sumTotals(await Promise.all(tasks));
}

function surveyIndex(
  parts: readonly FolderPart[],
  index: Pick<IndexDb, 'known'>,
  { block, source }: { readonly block: number; readonly source: string | undefined },
): CloneTotals {
  const total = { files: 0, bytes: 0, folders: 0, space: 0 };
  for (const part of parts) {
    if (!part.made) continue;
    total.folders++;
    const wanted = part.files === 'all' ? undefined : new Set<string>(part.files.map(decodeName));
    const listing = index.known(part.path)?.listing;
    for (let k = 1; k < (listing?.names.length ?? 0); k++) {
      if (listing!.kinds[k] === KIND.dir || wanted?.has(listing!.names[k]!) === false) continue;
      const size = Number(listing!.stats[k * STAT_WIDTH + STAT.size]);
      total.files++;
      total.bytes += size;
      const name = () => encodeName(listing!.names[k] as FsName);
      const held = size < LARGE ? size : Math.min(size, allocated(source, part, name()) ?? size);
      total.space += Math.ceil(held / block) * block;
    }
  }
  return total;
}

/** @throws BkError 'no-space', with what is needed */
export function checkSpace(root: string, totals: CloneTotals, source: string | undefined): void {
  const there = existing(root);
  const { bavail, bsize, files, ffree } = fs.statfsSync(there);
  const bytes = totals.space + totals.folders * bsize + totals.files * RECORD_BYTES + OWN_BYTES;
  const free = bavail * bsize;
  if (bytes > free && !mayShare(there, source))
    throw noSpace(root, `it needs ${shown(bytes)}, and ${shown(free)} are free`);
  const inodes = totals.files + totals.folders + OWN_INODES;
  // Where inodes are made as they are needed the system says 0, or makes a number up.
  if (files > 0 && stableInodes(volumeOf(there).type) && inodes > ffree)
    throw noSpace(root, `it needs ${inodes} inodes, and ${ffree} are free`);
}

function noSpace(root: string, why: string): BkError {
  return new BkError('no-space', `cannot clone to ${root}: ${why}`, {
    path: root,
    hint: 'free some space there, or clone a part by --subset; nothing was copied',
  });
}

function mayShare(there: string, source: string | undefined): boolean {
  if (source === undefined || fs.statSync(there).dev !== fs.statSync(source).dev) return false;
  return SHARING.has(volumeOf(there).type);
}

function existing(root: string): string {
  return fs.existsSync(root) ? root : path.dirname(root);
}

function shown(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
