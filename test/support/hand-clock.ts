import type { Clock } from '@bk/remote';

/** So many turns of the event loop let everything happen that waits for no time. */
const TURNS = 12;

/** Time that passes only when a test says so. */
export class HandClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly work: () => void }>();

  nowMs(): number {
    return this.#now;
  }

  after(ms: number, work: () => void): () => void {
    const timer = { atMs: this.#now + ms, work };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Time goes on while nothing runs; then what is due does, once. @returns whether anything was */
  jump(ms: number): boolean {
    this.#now += ms;
    const due = [...this.#timers].filter(({ atMs }) => atMs <= this.#now);
    for (const timer of due) if (this.#timers.delete(timer)) timer.work();
    return due.length > 0;
  }

  /** Runs what is due next; false if nothing is. */
  step(): boolean {
    const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.atMs);
    next.work();
    return true;
  }

  /** Lets `ms` pass, as they would: what is due runs at its time. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await turns();
      const due = [...this.#timers].some(({ atMs }) => atMs <= end);
      if (!due) break;
      this.step();
    }
    this.#now = end;
  }

  /**
   * What comes of some work, letting time pass only when nothing else happens.
   * @throws if it does not end by itself within so many ms of this clock
   */
  async outcome<T>(
    work: Promise<T>,
    withinMs: number,
  ): Promise<{ readonly value: T } | { readonly error: unknown }> {
    let settled: { readonly value: T } | { readonly error: unknown } | undefined;
    work.then(
      (value) => {
        settled = { value };
      },
      (error: unknown) => {
        settled = { error };
      },
    );
    const begun = this.#now;
    for (;;) {
      for (let i = 0; i < TURNS && settled === undefined; i++) await turns(1);
      if (settled !== undefined) return settled;
      if (!this.step()) throw new Error('hangs: nothing is waited for');
      if (this.#now - begun > withinMs) throw new Error(`hangs: not ended after ${withinMs} ms`);
    }
  }
}

export async function turns(count = TURNS): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
