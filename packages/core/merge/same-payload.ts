import type { Rec } from '../record.ts';

/** Whether contents that differ are one picture, or one sound: only what is written beside it, tags most often, differs. */
export function haveSamePayload(versions: readonly Rec[]): boolean {
  const [first, ...others] = versions;
  const payload = first?.hashes?.['payload'];
  if (payload === undefined || others.length === 0) return false;
  return others.every(({ hashes, blake3 }) => hashes?.['payload'] === payload && blake3 !== first?.blake3);
}
