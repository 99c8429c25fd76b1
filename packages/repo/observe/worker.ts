import { parentPort } from 'node:worker_threads';
import { type PackedFailure, packFailure } from '../failure.ts';
import { perform, type TaskKind, type Tasks } from './tasks.ts';

/** A thread of the pool: performs one task after the other, tells of its progress now and then. */
export interface Job {
  readonly number: number;
  readonly kind: TaskKind;
  readonly task: Tasks[TaskKind]['task'];
}
export type Reply =
  | { readonly number: number; readonly result: Tasks[TaskKind]['result'] }
  | { readonly number: number; readonly failure: PackedFailure }
  | { readonly files: number; readonly bytes: number };

const TELL_EVERY_MS = 100;
const port = parentPort;
let told = Date.now();
let files = 0;
let bytes = 0;

function count(read: number): void {
  if (read === 0) files++;
  bytes += read;
  if (Date.now() - told < TELL_EVERY_MS) return;
  port?.postMessage({ files, bytes } satisfies Reply);
  told = Date.now();
  files = 0;
  bytes = 0;
}

port?.on('message', async ({ number, kind, task }: Job) => {
  try {
    const result = perform(kind, task, count);
    port.postMessage({ number, result: result instanceof Promise ? await result : result } satisfies Reply);
  } catch (error) {
    port.postMessage({ number, failure: packFailure(error) } satisfies Reply);
  }
});
