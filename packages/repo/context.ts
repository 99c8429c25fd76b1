import type { Report } from '@bk/core';

/** What a verb gets from outside besides its options, so that tests can hold clock and chance still. */
export interface Context {
  readonly report: Report;
  /** ms since 1970. */
  nowMs(): number;
  random(bytes: number): Uint8Array;
  /** A person who can type a password and touch a key; absent: nobody is asked anything. */
  readonly person?: Person;
}

export interface Person {
  /** A line of what another program says that waits for something; it is safe to show. */
  tell(line: string): void;
}
