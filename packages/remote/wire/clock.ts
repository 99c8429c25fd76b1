/** Time as the wire needs it; tests move it by hand. */
export interface Clock {
  /** ms from any beginning; never goes back. */
  nowMs(): number;
  /** Runs `work` once after so many ms. What it gives calls that off. */
  after(ms: number, work: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};
