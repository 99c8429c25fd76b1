import type { FsPath, KnownDirectory, Trust } from '@bk/core';
import { decodeRow } from '@bk/store';
import {
  type DirectoryReport,
  mediaReader,
  type ReadResult,
  type ReadTask,
  readContents,
  type ScanTask,
  scanDirectories,
} from '@bk/worktree';
import {
  type CloneBytesTask,
  type CloneFilesResult,
  type CloneFilesTask,
  cloneBytes,
  cloneFiles,
} from '../clone/files.ts';
import { type CloneFoldersResult, type CloneFoldersTask, cloneFolders } from '../clone/folders.ts';
import { type CloneSurveyTask, type CloneTotals, surveyClone } from '../clone/survey.ts';
import { type TakeHistoryTask, takeHistory } from '../clone/take-history.ts';
import {
  type LookAgainResult,
  type LookAgainTask,
  lookAgain,
  type ProtectResult,
  type ProtectTask,
  protectFiles,
} from '../safety/protect.ts';

/** Directories to look at, with the index' packed rows: decoded where the comparison is made. */
export interface LookTask {
  readonly root: string;
  readonly trust: Trust;
  readonly directories: readonly { readonly path: FsPath; readonly row: Uint8Array | undefined }[];
}

/** Everything that is done for many files at once, inline or in a worker thread: plain data in, plain data out. */
export interface Tasks {
  look: { task: LookTask; result: DirectoryReport[] };
  read: { task: ReadTask; result: ReadResult };
  /** With the media facts. */
  readMedia: { task: ReadTask; result: ReadResult };
  protect: { task: ProtectTask; result: ProtectResult };
  lookAgain: { task: LookAgainTask; result: LookAgainResult };
  cloneSurvey: { task: CloneSurveyTask; result: CloneTotals };
  cloneFolders: { task: CloneFoldersTask; result: CloneFoldersResult };
  cloneFiles: { task: CloneFilesTask; result: CloneFilesResult };
  cloneBytes: { task: CloneBytesTask; result: CloneFilesResult };
  takeHistory: { task: TakeHistoryTask; result: true };
}
export type TaskKind = keyof Tasks;
type Awaitable<T> = T | Promise<T>;

/** @param onFile called while contents are read, with the bytes read; with 0 after each file */
export function perform<K extends TaskKind>(
  kind: K,
  task: Tasks[K]['task'],
  onFile?: (bytes: number) => void,
): Awaitable<Tasks[K]['result']> {
  const table: { [T in TaskKind]: (task: Tasks[T]['task']) => Awaitable<Tasks[T]['result']> } = {
    look: (given) => scanDirectories(scanTask(given)),
    read: (given) => readContents(given, onFile),
    readMedia: async (given) => readContents(given, onFile, (await mediaReader()).read),
    protect: protectFiles,
    lookAgain,
    cloneSurvey: surveyClone,
    cloneFolders: (given) => cloneFolders(given, onFile),
    cloneFiles: (given) => cloneFiles(given, onFile),
    cloneBytes: (given) => cloneBytes(given, onFile),
    takeHistory,
  };
  return table[kind](task);
}

function scanTask(task: LookTask): ScanTask {
  const directories = task.directories.map(
    ({ path, row }): { path: FsPath; known: KnownDirectory | undefined } => ({
      path,
      known: row === undefined ? undefined : decodeRow(row),
    }),
  );
  return { root: task.root, trust: task.trust, directories };
}
