import fs from 'node:fs';
import { DIRECTORY_RECORD, decodePath, type EncodedName, joinPath, parseRecord } from '@bk/core';
import { HistoryReader } from '@bk/store';
import { bytePath, nodePath } from '@bk/worktree';
import type { FolderPart } from './selection.ts';

/** Folders of a commit of which the files are to be counted. */
export interface CloneSurveyTask {
  readonly history: string;
  /** Root of the files, to see which large ones have holes; undefined: they cannot be seen. */
  readonly source: string | undefined;
  /** Bytes that a file system gives out at once. */
  readonly block: number;
  readonly folders: readonly FolderPart[];
}

export interface CloneTotals {
  /** Files and links. */
  readonly files: number;
  readonly bytes: number;
  /** Folders that are to be made. */
  readonly folders: number;
  /** Bytes that they take on the disk, at most. */
  readonly space: number;
}

const SIZE = /^ "size": (\d+),$/m;
/** From here on it is worth a look whether a file has holes. */
export const LARGE = 1 << 20;

/** Counts files and bytes by their records; nothing is opened. */
export function surveyClone(task: CloneSurveyTask): CloneTotals {
  const history = new HistoryReader(task.history);
  const total = { files: 0, bytes: 0, folders: 0, space: 0 };
  try {
    for (const part of task.folders) {
      if (!part.made) continue;
      total.folders++;
      const wanted = part.files === 'all' ? undefined : new Set<EncodedName>(part.files);
      for (const { name, kind, id } of history.readTree(part.tree)) {
        if (kind === 'tree' || name === DIRECTORY_RECORD || wanted?.has(name) === false) continue;
        const size = sizeOf(history.readBlobText(id));
        total.files++;
        total.bytes += size;
        const held = size < LARGE ? size : Math.min(size, allocated(task.source, part, name) ?? size);
        total.space += Math.ceil(held / task.block) * task.block;
      }
    }
    return total;
  } finally {
    history.close();
  }
}

/** All together. */
export function sumTotals(all: readonly CloneTotals[]): CloneTotals {
  const sum = (pick: (one: CloneTotals) => number): number =>
    all.reduce((total, one) => total + pick(one), 0);
  return {
    files: sum(({ files }) => files),
    bytes: sum(({ bytes }) => bytes),
    folders: sum(({ folders }) => folders),
    space: sum(({ space }) => space),
  };
}

/** Common records name their size on a line of its own; of a symlink's target, or attributes, nobody knows. */
function sizeOf(text: string): number {
  const found = text.includes('"type": "file"') && !text.includes('"attrs"') ? SIZE.exec(text) : null;
  return found === null ? (parseRecord(text).size ?? 0) : Number(found[1]);
}

/** Bytes that a file of the source takes on its disk; undefined: that cannot be seen. */
export function allocated(
  source: string | undefined,
  part: FolderPart,
  name: EncodedName,
): number | undefined {
  if (source === undefined) return undefined;
  try {
    const file = `${bytePath(source)}/${decodePath(joinPath(part.path, name))}`;
    return fs.lstatSync(nodePath(file)).blocks * 512;
  } catch {
    return undefined; // It will be asked for again when it is copied.
  }
}
