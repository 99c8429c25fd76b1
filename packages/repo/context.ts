import type { Report } from '@bk/core';

/** What a verb gets from outside besides its options, so that tests can hold clock and chance still. */
export interface Context {
  readonly report: Report;
  /** ms since 1970. */
  nowMs(): number;
  random(bytes: number): Uint8Array;
}
