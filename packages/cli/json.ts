import { displayText, type RepoPath } from '@bk/core';

/**
 * One JSON document. Paths become plain text; where the bytes of one are not valid UTF-8, all paths of its object stay
 * in the encoded spelling and `"encoded":true` stands beside them. Whole numbers beyond 2^53 become text.
 * @param fields names of the fields that hold a RepoPath or a list of them, wherever they stand
 */
export function jsonDocument(value: unknown, fields: readonly string[], indent = 0): string {
  return `${JSON.stringify(value, (_key, part) => plainPaths(part, fields), indent)}\n`;
}

/** Of an object the paths as plain text; anything else as it is, big integers as JSON can hold them. */
export function plainPaths(value: unknown, fields: readonly string[]): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const object = value as Readonly<Record<string, unknown>>;
  const paths = fields.filter((key) => isPaths(object[key]));
  if (paths.length === 0) return value;
  const shown = paths.map((key) => [key, plain(object[key] as Paths)] as const);
  if (shown.some(([, text]) => text === undefined)) return { ...object, encoded: true };
  if (shown.every(([key, text]) => text === object[key])) return value;
  return { ...object, ...Object.fromEntries(shown) };
}

type Paths = RepoPath | readonly RepoPath[];

function isPaths(value: unknown): value is Paths {
  return typeof value === 'string' || (Array.isArray(value) && value.every((one) => typeof one === 'string'));
}

/** Undefined: it cannot be told as text. */
function plain(paths: Paths): string | string[] | undefined {
  const shown = [paths].flat().map((path) => displayText(path as RepoPath));
  if (shown.some(({ encoded }) => encoded)) return undefined;
  const texts = shown.map(({ text }) => text);
  return typeof paths === 'string' ? texts[0] : texts;
}
