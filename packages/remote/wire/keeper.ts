import { BkError } from '@bk/core';
import type { Clock } from './clock.ts';
import type { Timeouts } from './timeouts.ts';

export interface Watched {
  /** How much longer than usual the other side may be silent; undefined: it owes nothing. */
  readonly patienceMs: () => number | undefined;
  /** When the write began that is under way. */
  readonly writingSinceMs: () => number | undefined;
  readonly isInFrame: () => boolean;
  readonly ping: () => void;
  /** Looks after the single calls; for so many ms of the time that went by, this process did not run. */
  readonly onTick: (nowMs: number, sleptMs: number) => void;
  readonly onDead: (error: BkError) => void;
}

/** Tells a side that is dead, or only pretends not to be, from one that is busy. It goes by the clock of this side alone. */
export class Keeper {
  readonly #clock: Clock;
  readonly #timeouts: Timeouts;
  readonly #watched: Watched;
  readonly #everyMs: number;
  #heardMs: number;
  #pingedMs: number;
  #tickedMs: number;
  /** When the first byte came of the frame that is not whole. */
  #frameMs: number | undefined;
  /** The write that was under way when it was last looked, and since when that is being watched. */
  #writing: { readonly sinceMs: number; watchedMs: number } | undefined;
  #callOff = (): void => {};

  constructor(clock: Clock, timeouts: Timeouts, watched: Watched) {
    this.#clock = clock;
    this.#timeouts = timeouts;
    this.#watched = watched;
    this.#everyMs = Math.max(1, Math.min(timeouts.pingMs, timeouts.silenceMs, timeouts.frameMs) / 3);
    const now = clock.nowMs();
    this.#heardMs = now;
    this.#pingedMs = now;
    this.#tickedMs = now;
    this.#schedule();
  }

  /** Something came, and this many whole frames were in it. */
  heard(frames: number): void {
    this.#heardMs = this.#clock.nowMs();
    if (!this.#watched.isInFrame()) this.#frameMs = undefined;
    else if (frames > 0 || this.#frameMs === undefined) this.#frameMs = this.#heardMs;
  }

  stop(): void {
    this.#callOff();
  }

  #schedule(): void {
    this.#callOff = this.#clock.after(this.#everyMs, () => this.#tick());
  }

  #tick(): void {
    const now = this.#clock.nowMs();
    // While this process did not run (long work, a suspended machine), nobody could be heard.
    const slept = Math.max(0, now - this.#tickedMs - 2 * this.#everyMs);
    this.#tickedMs = now;
    this.#heardMs = Math.min(now, this.#heardMs + slept);
    if (this.#frameMs !== undefined) this.#frameMs = Math.min(now, this.#frameMs + slept);
    this.#watchWriting(now, slept);
    const error = this.#dead(now);
    if (error !== undefined) {
      this.#watched.onDead(error);
      return;
    }
    this.#watched.onTick(now, slept);
    if (now - Math.max(this.#heardMs, this.#pingedMs) >= this.#timeouts.pingMs) {
      this.#pingedMs = now;
      this.#watched.ping();
    }
    this.#schedule();
  }

  #watchWriting(now: number, slept: number): void {
    const sinceMs = this.#watched.writingSinceMs();
    if (sinceMs === undefined) this.#writing = undefined;
    else if (this.#writing?.sinceMs !== sinceMs) this.#writing = { sinceMs, watchedMs: now };
    else this.#writing.watchedMs = Math.min(now, this.#writing.watchedMs + slept);
  }

  #dead(now: number): BkError | undefined {
    const { silenceMs, idleMs, frameMs } = this.#timeouts;
    const patience = this.#watched.patienceMs();
    const most = patience === undefined ? idleMs : silenceMs + patience;
    if (now - this.#heardMs >= most) return silent(now - this.#heardMs);
    if (this.#writing !== undefined && now - this.#writing.watchedMs >= most)
      return gone(`it reads nothing for ${inSeconds(most)}`);
    if (this.#frameMs !== undefined && now - this.#frameMs >= frameMs)
      return gone(`it did not finish what it began to send within ${inSeconds(frameMs)}`);
    return undefined;
  }
}

function silent(ms: number): BkError {
  return gone(`no sign of life for ${inSeconds(ms)}`);
}

function gone(why: string): BkError {
  return new BkError('unreachable', `cannot reach the other bk any more: ${why}`, {
    hint: 'look at the connection, then give the same command again; it goes on where it was',
  });
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
