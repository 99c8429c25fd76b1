import os from 'node:os';
import { Worker } from 'node:worker_threads';
import { BkError } from '@bk/core';
import { unpackFailure } from '../failure.ts';
import { perform, type TaskKind, type Tasks } from './tasks.ts';
import type { Job, Reply } from './worker.ts';

const WORKERS = Math.max(1, Math.min(os.availableParallelism(), 4));
/** Tasks that each thread has waiting, so that it is never idle while the main thread is busy. */
const AHEAD = 3;

interface Waiting {
  readonly job: Job;
  readonly done: (result: Tasks[TaskKind]['result']) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Performs tasks in worker threads once there is enough work for them (`start`), else inline.
 * Starting a thread costs some 30 ms, as much as looking at several thousand files.
 */
export class Pool {
  /** Called now and then with what was read since. */
  onProgress: (files: number, bytes: number) => void = () => {};
  readonly #queue: Waiting[] = [];
  readonly #running = new Map<number, Waiting>();
  readonly #load = new Map<Worker, number>();
  #number = 0;
  #broken: unknown;

  get threads(): number {
    return this.#load.size;
  }

  /** From now on tasks go to threads. @param count how many; absent: one for each core */
  start(count = WORKERS): void {
    if (this.threads > 0 || this.#broken !== undefined || process.env['BK_THREADS'] === '0') return;
    for (let i = 0; i < count; i++) this.#spawn();
  }

  /** Rejects with what the task threw: BkErrors and errors of the system are the same from a thread as inline. */
  async run<K extends TaskKind>(kind: K, task: Tasks[K]['task']): Promise<Tasks[K]['result']> {
    if (this.#broken !== undefined) throw this.#broken;
    if (this.threads === 0) {
      return perform(kind, task, (bytes) => this.onProgress(bytes === 0 ? 1 : 0, bytes));
    }
    return new Promise((resolve, reject) => {
      const job: Job = { number: this.#number++, kind, task };
      const waiting: Waiting = { job, done: resolve as Waiting['done'], failed: reject };
      // Links are made one batch at a time and take longest: they go on beside the reading, not after it.
      if (kind === 'protect') this.#queue.unshift(waiting);
      else this.#queue.push(waiting);
      this.#dispatch();
    });
  }

  /** Ends the threads; tasks under way are given up: they reject, as do later ones. */
  close(): void {
    this.#breakDown(new BkError('interrupted', 'the work was given up'));
  }

  #spawn(): void {
    const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.cjs';
    // Every descriptor is closed by who opened it; to have Node keep a list of them costs with every small file.
    const worker = new Worker(new URL(file, import.meta.url), { trackUnmanagedFds: false });
    this.#load.set(worker, 0);
    worker.on('message', (reply: Reply) => this.#receive(worker, reply));
    worker.on('messageerror', (error) => this.#breakDown(error));
    worker.on('error', (error) => this.#breakDown(error));
    worker.on('exit', (code) => this.#breakDown(new BkError('bug', `a thread of bk ended early (${code})`)));
  }

  #dispatch(): void {
    while (this.#queue.length > 0 && this.threads > 0) {
      const [worker, load] = [...this.#load].reduce((a, b) => (b[1] < a[1] ? b : a));
      if (load >= AHEAD) return;
      const next = this.#queue.shift()!;
      this.#running.set(next.job.number, next);
      this.#load.set(worker, load + 1);
      worker.postMessage(next.job);
    }
  }

  #receive(worker: Worker, reply: Reply): void {
    if (this.#broken !== undefined) return;
    if (!('number' in reply)) {
      this.onProgress(reply.files, reply.bytes);
      return;
    }
    const waiting = this.#running.get(reply.number);
    this.#running.delete(reply.number);
    this.#load.set(worker, (this.#load.get(worker) ?? 1) - 1);
    if ('failure' in reply) waiting?.failed(unpackFailure(reply.failure));
    else waiting?.done(reply.result);
    this.#dispatch();
  }

  /** One lost thread ends the pool: nothing waits for an answer that cannot come. */
  #breakDown(error: unknown): void {
    this.#broken ??= error;
    for (const { failed } of [...this.#running.values(), ...this.#queue]) failed(this.#broken);
    this.#running.clear();
    this.#queue.length = 0;
    for (const worker of this.#load.keys()) void worker.terminate();
    this.#load.clear();
  }
}
