/** Text as it is compared in queries: without case and accents, compatible forms as one (`Ｆｏｔｏ`, `Foto`, `FOTO`). */
export function fold(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return text.normalize('NFKD').replace(ACCENTS, '').toLowerCase();
}

/** The words of a text, folded: runs of letters, digits and marks of any script. */
export function wordsOf(text: string): string[] {
  return fold(text).match(WORD) ?? [];
}

/**
 * Whether words stand one after another in a text.
 * @param prefix the last one needs only begin so
 */
export function hasWords(text: string, words: readonly string[], prefix: boolean): boolean {
  const found = wordsOf(text);
  const last = words.length - 1;
  const fits = (word: string | undefined, i: number): boolean =>
    prefix && i === last ? word?.startsWith(words[i]!) === true : word === words[i];
  return found.some((_, start) => words.every((_word, i) => fits(found[start + i], i)));
}

const ASCII = /^[\x00-\x7f]*$/;
/** Those that Latin, Greek and Cyrillic letters have; other scripts' marks are part of their words. */
const ACCENTS = /[\u0300-\u036f]/g;
const WORD = /[\p{L}\p{N}\p{M}]+/gu;
