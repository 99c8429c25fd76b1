import type { Random } from '../../fixtures/random.ts';

const BYTES = [
  0, 1, 0x0a, 0x20, 0x22, 0x25, 0x2e, 0x2f, 0x30, 0x39, 0x5c, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xff,
];
const TOKENS = [
  '0000', '0001', 'ffff', 'null', 'true', '{}', '[]', '""', '-1', '1e400', '0x10', '9007199254740993', '..', '../',
  '/', '.bk', '.git', '\0', '%2F', '%00', '\\u0000', '\ud800', '"__proto__":', '"v": 2', ',', ':', '\r\n', '\u202e',
].map((text) => Buffer.from(text)); // biome-ignore format: a list of words
const LONGEST = 64 * 1024;

/** The same input, damaged in one to four places: what chance, a bad disk or an attacker with patience makes of it. */
export function mutated(input: Buffer, others: readonly Buffer[], random: Random): Buffer {
  let bytes = input;
  for (let times = 1 + random.below(4); times > 0; times--) bytes = once(bytes, others, random);
  return bytes.length > LONGEST ? bytes.subarray(0, LONGEST) : bytes;
}

function once(bytes: Buffer, others: readonly Buffer[], random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(random.below(4) === 0 ? 64 : 8));
  switch (random.below(9)) {
    case 0:
      return changed(bytes, at, (byte) => byte ^ (1 << random.below(8)));
    case 1:
      return changed(bytes, at, () => random.pick(BYTES));
    case 2:
      return changed(bytes, at, () => random.below(256));
    case 3:
      return Buffer.concat([bytes.subarray(0, at), random.pick(TOKENS), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), random.pick(TOKENS), bytes.subarray(end)]);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
    case 6:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    case 7:
      return bytes.subarray(0, at);
    default: {
      const other = random.pick(others);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length + 1))]);
    }
  }
}

function changed(bytes: Buffer, at: number, change: (byte: number) => number): Buffer {
  if (at >= bytes.length) return bytes;
  const copy = Buffer.from(bytes);
  copy[at] = change(copy[at]!);
  return copy;
}
