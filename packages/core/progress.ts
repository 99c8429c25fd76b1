/** What long work tells while it runs; printers decide how to show it. Counts only grow within one phase. */
export interface Progress {
  readonly phase:
    | 'scan'
    | 'hash'
    | 'protect'
    | 'record'
    | 'verify'
    | 'recover'
    | 'index'
    | 'copy'
    | 'fetch'
    | 'send'
    | 'place'
    | 'prove';
  readonly files: number;
  readonly bytes: number;
  /** Absent: not known yet. */
  readonly totalFiles?: number;
  readonly totalBytes?: number;
  readonly path?: string;
}
export type Report = (progress: Progress) => void;
