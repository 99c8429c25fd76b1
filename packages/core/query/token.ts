import { BkError } from '../error.ts';

/** A part of a query as it was written. */
export interface Token {
  readonly is: 'open' | 'close' | 'word';
  /** Where it begins, in characters from 0. */
  readonly at: number;
  readonly raw: string;
  /** Without the quotes. */
  readonly text: string;
  /** Of each character of `text`, whether it stood in quotes, where nothing has a meaning. */
  readonly quoted: readonly boolean[];
}

/** Parts of a query: words, in which `"…"` keeps spaces together, and the brackets around groups. @throws BkError 'usage' */
export function tokensOf(query: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < query.length; ) {
    const char = query[at]!;
    if (/\s/.test(char)) at++;
    else if (char === '(' || char === ')') {
      tokens.push({ is: char === '(' ? 'open' : 'close', at, raw: char, text: char, quoted: [false] });
      at++;
    } else {
      const word = readWord(query, at);
      tokens.push(word);
      at += word.raw.length;
    }
  }
  return tokens;
}

/** Brackets inside of a word belong to it as far as they are pairs: `photo(1).jpg`. */
function readWord(query: string, start: number): Token {
  let text = '';
  const quoted: boolean[] = [];
  let isQuoted = false;
  let depth = 0;
  let at = start;
  for (; at < query.length; at++) {
    let char = query[at]!;
    if (char === '"') {
      isQuoted = !isQuoted;
      continue;
    }
    if (!isQuoted && endsWord(char, text, depth)) break;
    if (!isQuoted && char === '(') depth++;
    if (!isQuoted && char === ')') depth--;
    if (isQuoted && char === '\\' && /["\\]/.test(query[at + 1] ?? '')) char = query[++at]!;
    text += char;
    quoted.push(isQuoted);
  }
  const token: Token = { is: 'word', at: start, raw: query.slice(start, at), text, quoted };
  if (isQuoted) throw notUnderstood(token, 'the quotation mark has no second one');
  return token;
}

function endsWord(char: string, before: string, depth: number): boolean {
  if (/\s/.test(char)) return true;
  if (char === ')') return depth === 0;
  return char === '(' && /^(?:-|not:)+$/i.test(before);
}

/** The rest of a word from a character of its text on. */
export function restOf(token: Token, from: number): Token {
  return { ...token, text: token.text.slice(from), quoted: token.quoted.slice(from) };
}

/** Whether some character outside of quotes is one of these. */
export function hasUnquoted({ text, quoted }: Token, characters: string): boolean {
  return quoted.some((isQuoted, i) => !isQuoted && characters.includes(text[i]!));
}

/** Whether it is this word, without quotes and in any case. */
export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  if (token?.is !== 'word' || token.quoted.includes(true)) return false;
  return words.includes(token.text.toLowerCase());
}

/**
 * One query from the arguments of a command line. A shell takes quotation marks away, so an argument with spaces and
 * nothing of the language in it is one text: `tag:"New York"` arrives as `tag:New York`.
 */
export function queryOfArguments(list: readonly string[]): string {
  if (list.length === 1 && !isOneText(list[0]!)) return list[0]!;
  return list.map((argument) => (isOneText(argument) ? quote(argument) : argument)).join(' ');
}

const FIELD = /^(?:-|not:)?(?:[a-z][a-z.]*:)?/i;

function isOneText(argument: string): boolean {
  const value = argument.slice(FIELD.exec(argument)?.[0].length ?? 0);
  const hasSyntax = /["()|]|(?:^|\s)(?:or|and|not)(?:\s|$)|(?:^|\s)-?[a-z][a-z.]*:|\s-|[*?]|\.\.|^[<>=]/i;
  return /\s/.test(argument) && !hasSyntax.test(value);
}

function quote(argument: string): string {
  const field = FIELD.exec(argument)?.[0] ?? '';
  return `${field}"${argument.slice(field.length).replace(/[\\"]/g, '\\$&')}"`;
}

export function notUnderstood(token: Pick<Token, 'at' | 'raw'>, why: string, hint?: string): BkError {
  const message = `cannot understand ${shown(token.raw)} at character ${token.at + 1} of the query: ${why}`;
  return new BkError('usage', message, {
    hint: hint ?? '`bk find --help` lists the fields',
  });
}

function shown(raw: string): string {
  return raw.length > 60 ? `${raw.slice(0, 60)}…` : raw;
}
