import { BkError } from '@bk/core';
import { LIMITS, PROTOCOL } from '../port.ts';
import { shown } from './fault.ts';

/** Begins with a byte that no program prints by accident. */
const MAGIC = Buffer.from('\0bk-wire ', 'latin1');
const MOST_LINE = 256;
/** Bytes that may come before the greeting. */
export const MOST_NOISE = 64 << 10;
/** Characters of the noise that are shown. */
const SHOWN = 200;

/** Versions of the protocol that this bk speaks. */
const SPOKEN = { lowest: PROTOCOL, highest: PROTOCOL };

/** Understands records of contents with holes. */
export const HOLES = 'holes';
/** What this bk does beyond the lowest version that it speaks; what the other side does not know it passes over. */
const WORDS = [HOLES];

export interface Greeting {
  readonly lowest: number;
  readonly highest: number;
  readonly words: ReadonlySet<string>;
  /** What came before it, escaped and cut; empty: nothing. */
  readonly noise: string;
  /** What came after it. */
  readonly rest: Uint8Array;
}

/** `\0bk-wire LOWEST HIGHEST [WORD …]\n`. */
export function greeting(): Uint8Array {
  const line = [SPOKEN.lowest, SPOKEN.highest, ...WORDS].join(' ');
  return Buffer.concat([MAGIC, Buffer.from(`${line}\n`, 'latin1')]);
}

/**
 * Reads up to the end of the greeting. What a shell prints before it (a message of the day, start-up files) is passed
 * over, up to 64 KiB, and never read as anything: the greeting is found by bytes that no text has, and everything after
 * it is framed and checked. Whoever serves passes over nothing.
 * @throws BkError 'refused' if it is none; undefined: the stream ended first, after `noise`
 */
export async function readGreeting(
  incoming: AsyncIterator<Uint8Array>,
  mostNoise: number,
): Promise<Greeting | { readonly noise: string }> {
  let seen = Buffer.alloc(0);
  for (;;) {
    const { done, value } = await incoming.next();
    if (done === true) return { noise: shownNoise(seen) };
    seen = Buffer.concat([seen, value]);
    const found = greetingIn(seen, mostNoise);
    if (found !== undefined) return found;
  }
}

function greetingIn(seen: Buffer, mostNoise: number): Greeting | undefined {
  const at = seen.indexOf(MAGIC);
  if (at > mostNoise || (at < 0 && seen.length >= mostNoise + MAGIC.length)) throw notBk(seen);
  if (at < 0) return undefined;
  const from = at + MAGIC.length;
  const end = seen.indexOf('\n', from);
  if (end > from + MOST_LINE || (end < 0 && seen.length > from + MOST_LINE)) throw notBk(seen);
  if (end < 0) return undefined;
  const said = /^([1-9][0-9]{0,5}) ([1-9][0-9]{0,5})((?: [!-~]+)*)$/.exec(seen.toString('latin1', from, end));
  if (said === null) throw notBk(seen);
  const noise = shownNoise(seen.subarray(0, at));
  const words = new Set(said[3]!.split(' ').slice(1));
  return { lowest: Number(said[1]), highest: Number(said[2]), words, noise, rest: seen.subarray(end + 1) };
}

/** The version that both speak. @throws BkError 'refused' if there is none */
export function commonVersion({ lowest, highest }: Pick<Greeting, 'lowest' | 'highest'>): number {
  const common = Math.min(highest, SPOKEN.highest);
  if (lowest <= common && common >= SPOKEN.lowest) return common;
  const theirs = lowest === highest ? `version ${highest}` : `versions ${lowest} to ${highest}`;
  throw new BkError('refused', `cannot talk to the other bk: it speaks ${theirs}, this one ${PROTOCOL}`, {
    hint: 'update the older of the two',
  });
}

function shownNoise(seen: Buffer): string {
  return shown(seen.toString('utf8', 0, 4 * SHOWN).trim(), SHOWN);
}

function notBk(seen: Buffer): BkError {
  return new BkError('refused', `cannot talk to the other side: it is no bk; it said “${shownNoise(seen)}”`, {
    hint: NOISE_HINT,
  });
}

export const NOISE_HINT =
  'see that `bk serve --stdio` runs there, and that the start-up files of the shell there print nothing';

/** A line of text from the other side that may be shown. */
export function isLine(text: unknown): text is string {
  if (typeof text !== 'string' || text === '' || text.length > LIMITS.name) return false;
  return !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text);
}
