import { isUtf8 } from 'node:buffer';

/** What Windows-1252 has where Latin-1 has control characters. */
const WINDOWS = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/** Text in no stated encoding: UTF-8 if it is that, else as Windows wrote it in the West. */
export function plainText(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : latinText(bytes);
}

export function latinText(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/[\x80-\x9f]/g, (c) => WINDOWS[c.charCodeAt(0) - 0x80] as string);
}

export function utf16Text(bytes: Buffer, isLittle: boolean): string {
  const even = Buffer.from(bytes.subarray(0, bytes.length & ~1));
  return (isLittle ? even : even.swap16()).toString('utf16le');
}

/** UTF-16 that may begin with a mark of its byte order. */
export function markedUtf16Text(bytes: Buffer, isLittle: boolean): string {
  const mark = bytes.length >= 2 ? bytes.readUInt16BE(0) : 0;
  if (mark === 0xfffe) return utf16Text(bytes.subarray(2), true);
  if (mark === 0xfeff) return utf16Text(bytes.subarray(2), false);
  return utf16Text(bytes, isLittle);
}

/** Up to the first NUL. */
export function beforeNul(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

export function nonEmpty(text: string | undefined): string | undefined {
  const trimmed = text?.replace(/\0/g, '').trim();
  return trimmed === '' ? undefined : trimmed;
}

/** A list without empty texts; undefined if nothing is left. */
export function nonEmptyList(texts: readonly string[] | undefined): readonly string[] | undefined {
  const kept = (texts ?? []).flatMap((text) => nonEmpty(text) ?? []);
  return kept.length === 0 ? undefined : kept;
}

/** `3/12`, `3`, `03`: a number and of how many. */
export function numbered(
  text: string | undefined,
  total?: string,
): { number?: number; total?: number } | undefined {
  const found = /^\s*(\d{1,5})?\s*(?:\/\s*(\d{1,5}))?\s*$/.exec(text ?? '');
  const number = Number(found?.[1] ?? 0);
  const of = Number(found?.[2] ?? /^\s*(\d{1,5})\s*$/.exec(total ?? '')?.[1] ?? 0);
  if (number === 0 && of === 0) return undefined;
  return { ...(number > 0 && { number }), ...(of > 0 && { total: of }) };
}

export function yearOf(date: string | undefined): number | undefined {
  const found = /^\s*(\d{4})(?!\d)|(?<!\d)(\d{4})\s*$/.exec(date ?? '');
  return found === null ? undefined : Number(found[1] ?? found[2]);
}
