import type { Progress } from '@bk/core';
import { count, duration, size } from './format.ts';
import { safe } from './terminal.ts';

/** Where the line goes; a terminal's stderr, or a list in tests. */
export interface ProgressPort {
  write(text: string): void;
  /** ms, only ever growing. */
  now(): number;
  /** Columns of the terminal. */
  width(): number;
}

const FIRST_AFTER_MS = 300;
const EVERY_MS = 100;
const CLEAR = '\r\x1b[K';
const WORDS: Readonly<Record<Progress['phase'], string>> = {
  scan: 'looking at files',
  hash: 'reading',
  protect: 'protecting',
  record: 'recording',
  verify: 'verifying',
  recover: 'recovering',
  index: 'indexing',
  copy: 'copying',
  fetch: 'fetching',
  send: 'sending',
  place: 'placing',
  prove: 'asking for proof',
};

/** One line on the terminal that renews itself while work goes on; short work shows nothing. */
export class ProgressLine {
  readonly #port: ProgressPort;
  readonly #began: number;
  #phase: Progress['phase'] | undefined;
  #phaseBegan = 0;
  #last = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(port: ProgressPort) {
    this.#port = port;
    this.#began = port.now();
  }

  readonly report = (progress: Progress): void => {
    const now = this.#port.now();
    if (progress.phase !== this.#phase) {
      this.#phase = progress.phase;
      this.#phaseBegan = now;
    }
    if (now - this.#began < FIRST_AFTER_MS || now - this.#last < EVERY_MS) return;
    this.#last = now;
    this.#shown = true;
    const line = progressText(progress, (now - this.#phaseBegan) / 1000);
    this.#port.write(CLEAR + [...line].slice(0, this.#port.width() - 1).join(''));
  };

  /** Takes the line away, so that other output starts on a clean one. */
  clear(): void {
    if (this.#shown) this.#port.write(CLEAR);
    this.#shown = false;
  }
}

/** `reading  1,240 of 2,000 files  1.2 of 3.4 GB  310 MB/s  7 s left`. */
export function progressText(progress: Progress, seconds: number): string {
  const { files, bytes, totalFiles, totalBytes } = progress;
  const parts = [WORDS[progress.phase], `${amount(files, totalFiles, count)} files`];
  if (bytes > 0) parts.push(amount(bytes, totalBytes, size));
  if (bytes > 0 && seconds >= 1) parts.push(`${size(bytes / seconds)}/s`);
  const left = secondsLeft(progress, seconds);
  if (left !== undefined) parts.push(`${duration(left)} left`);
  if (progress.path !== undefined) parts.push(safe(progress.path));
  return parts.join('  ');
}

function amount(done: number, total: number | undefined, shown: (value: number) => string): string {
  return total === undefined ? shown(done) : `${shown(done)} of ${shown(total)}`;
}

function secondsLeft(
  { files, bytes, totalFiles, totalBytes }: Progress,
  seconds: number,
): number | undefined {
  const [done, total] =
    totalBytes === undefined || totalBytes === 0 ? [files, totalFiles] : [bytes, totalBytes];
  if (total === undefined || done <= 0 || done >= total || seconds < 1) return undefined;
  return (seconds * (total - done)) / done;
}
