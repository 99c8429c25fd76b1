/** All that is waited for, in ms. Each side goes by its own: the other cannot make them longer. */
export interface Timeouts {
  /** Until the other bk has greeted and answered the wish; a password may have to be typed meanwhile. */
  readonly greetingMs: number;
  /** Silence after which the other side is asked whether it is there. */
  readonly pingMs: number;
  /** Silence after which it is taken for dead while it owes an answer. */
  readonly silenceMs: number;
  /** Silence after which it is taken for dead while it owes none: it may be busy with the files it got. */
  readonly idleMs: number;
  /** From the first byte of a frame to its last. */
  readonly frameMs: number;
  /** For a sign of life of one call, on a connection that is alive. */
  readonly callMs: number;
  /** For the other side to end too. */
  readonly closeMs: number;
}

export const TIMEOUTS: Timeouts = {
  greetingMs: 30_000,
  pingMs: 15_000,
  silenceMs: 60_000,
  idleMs: 900_000,
  frameMs: 120_000,
  callMs: 3_600_000,
  closeMs: 5_000,
};

/** How much longer than usual the other side may be silent over a call: it reads files, or makes them durable. */
export const PATIENCE_MS = { quick: 0, work: 300_000 } as const;

/** Bytes that a slow disk reads or writes in one ms. */
const SLOW_BYTES_PER_MS = 5_000;

export function patienceFor(bytes: number): number {
  return PATIENCE_MS.work + bytes / SLOW_BYTES_PER_MS;
}
