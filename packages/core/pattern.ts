import { BkError } from './error.ts';
import { encodeName, escapeBytes, isReservedName, unescapeBytes, utf8Bytes, utf8Text } from './name.ts';
import type { EncodedName, FsName } from './path.ts';

/** What one name of a path must be like. */
export type Segment =
  | { readonly is: 'literal'; readonly name: EncodedName }
  /** `source` as written: equal sources match alike. */
  | { readonly is: 'glob'; readonly source: string; readonly matches: (name: EncodedName) => boolean }
  /** `**`: any number of folders; at the end, everything inside. */
  | { readonly is: 'deep' };

/** A pattern taken apart. It matches an entry whose whole path fits, and with a folder all that is below it. */
export interface Pattern {
  readonly segments: readonly Segment[];
  /** Ends in `/`: the entry that fits must be a folder. */
  readonly foldersOnly: boolean;
}

/** UTF-16 units. */
const LONGEST = 4096;

/**
 * Reads one pattern of a subset. It starts at the top of the repository and is spelled like a RepoPath, so that
 * `%XX` is one byte; `*` (any characters of a name), `?` (one character), `[a-z]`, `[!a-z]` and `**` (any number of
 * folders) are as in `.gitignore`, and `\` takes the meaning from the character after it. A trailing `/` matches folders
 * only. Letter case counts.
 * @throws BkError 'refused' if it is empty or names something outside the repository or `.bk`; 'usage' if it is malformed
 */
export function parsePattern(text: string): Pattern {
  if (text === '') throw refused(text, 'it is empty', 'leave it out to have everything');
  if (text.length > LONGEST) throw malformed(text, `it is longer than ${LONGEST} characters`);
  if (text.startsWith('/'))
    throw refused(
      text,
      'it starts with "/"',
      'patterns start at the top of the repository: leave out the "/"',
    );
  if (text.startsWith('!'))
    throw malformed(text, 'it starts with "!"', 'use --exclude; "\\!" is a name that starts so');
  if (/\p{Cs}/u.test(text)) throw malformed(text, 'half a surrogate pair is not text');
  const foldersOnly = text.endsWith('/');
  const names = (foldersOnly ? text.slice(0, -1) : text).split('/');
  const segments = names.map((name) => parseSegment(name, text));
  return { segments: segments.filter((segment, i) => !isRepeatedDeep(segments, segment, i)), foldersOnly };
}

/** The pattern that a person means who typed this plain text: `%` and control characters are spelled as in a RepoPath. */
export function encodePattern(typed: string): string {
  return typed.replace(
    /[\x00-\x1f\x7f%]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** A pattern for people and `--json`: what was typed; as it is stored if that is not exactly what encodePattern made. */
export function patternText(pattern: string): { readonly text: string; readonly encoded: boolean } {
  if (!pattern.includes('%')) return { text: pattern, encoded: false };
  const bytes = unescapeBytes(pattern);
  const text = bytes === undefined ? undefined : utf8Text(bytes);
  if (text === undefined || encodePattern(text) !== pattern) return { text: pattern, encoded: true };
  return { text, encoded: false };
}

/** Of a pattern that can match at the top only: the one that matches the same names everywhere, for hints. */
export function everywherePattern(pattern: string): string | undefined {
  const { segments } = parsePattern(pattern);
  if (segments.length > 1 || segments[0]?.is === 'deep') return undefined;
  return `**/${pattern}`;
}

function isRepeatedDeep(segments: readonly Segment[], segment: Segment, i: number): boolean {
  return segment.is === 'deep' && segments[i - 1]?.is === 'deep';
}

function parseSegment(source: string, pattern: string): Segment {
  if (source === '') throw malformed(pattern, 'it has an empty name', 'write one "/" between names');
  if (source === '**') return { is: 'deep' };
  const tokens = parseTokens(source, pattern);
  const characters = literalOf(tokens);
  if (characters !== undefined) return { is: 'literal', name: literalName(characters, pattern) };
  return { is: 'glob', source, matches: (name) => matchesTokens(tokens, charactersOf(name)) };
}

/** No pattern can name what is not a record of this repository: the tree has no such names, and no folder is left by `..`. */
function literalName(characters: string, pattern: string): EncodedName {
  if (characters === '..')
    throw refused(pattern, 'it has ".." in it', 'patterns start at the top of the repository');
  if (characters === '.')
    throw malformed(pattern, 'it has "." in it', 'patterns start at the top of the repository');
  if (/[/\0]/.test(characters)) throw malformed(pattern, 'no name has "/" or NUL in it');
  const name = bytesOf(characters);
  if (isReservedName(name))
    throw refused(pattern, 'bk keeps ".bk" for itself', 'name folders and files of your own');
  return encodeName(name);
}

type Token =
  | { readonly is: 'char'; readonly point: number }
  | { readonly is: 'any' }
  | { readonly is: 'star' }
  | {
      readonly is: 'set';
      readonly negated: boolean;
      readonly ranges: readonly (readonly [number, number])[];
    };

function parseTokens(source: string, pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let i = 0; i < source.length; ) {
    const char = source[i] as string;
    if (char === '[') i = parseSet(source, i, pattern, tokens);
    else if (char === '*' || char === '?') {
      if (char === '?') tokens.push({ is: 'any' });
      else if (tokens.at(-1)?.is !== 'star') tokens.push({ is: 'star' });
      i++;
    } else i = parseCharacters(source, i, pattern, (point) => tokens.push({ is: 'char', point }));
  }
  return tokens;
}

/** One character, `\` and a character, or a run of `%XX`. @returns where it ends */
function parseCharacters(source: string, i: number, pattern: string, emit: (point: number) => void): number {
  if (source[i] === '%') return parseEscapes(source, i, pattern, emit);
  const at = source[i] === '\\' ? i + 1 : i;
  const point = source.codePointAt(at);
  if (point === undefined)
    throw malformed(pattern, 'it ends in "\\"', 'write "\\\\" for a backslash in a name');
  emit(point);
  return at + (point > 0xffff ? 2 : 1);
}

/** The bytes of a run stand for characters together: `%C3%A9` is one. */
function parseEscapes(source: string, i: number, pattern: string, emit: (point: number) => void): number {
  const run = /^(?:%[0-9A-F]{2})+/.exec(source.slice(i))?.[0];
  if (run === undefined)
    throw malformed(pattern, '"%" is not followed by two digits 0-9 A-F', 'write "%25" for a percent sign');
  for (const character of decodeBytes(unescapeBytes(run) ?? '')) emit(character.codePointAt(0) ?? 0);
  return i + run.length;
}

/** `[…]` as in fnmatch: a first `]` is one of the set. @returns where it ends */
function parseSet(source: string, start: number, pattern: string, tokens: Token[]): number {
  let i = start + 1;
  const negated = source[i] === '!' || source[i] === '^';
  if (negated) i++;
  const ranges: (readonly [number, number])[] = [];
  for (let first = true; first || source[i] !== ']'; first = false) {
    if (i >= source.length) throw malformed(pattern, '"[" has no "]"', 'write "\\[" for a bracket in a name');
    if (source.startsWith('[:', i)) throw malformed(pattern, 'classes like [:alpha:] are not known here');
    const points: number[] = [];
    i = parseCharacters(source, i, pattern, (point) => points.push(point));
    for (const point of points) ranges.push([point, point]);
    if (source[i] !== '-' || source[i + 1] === ']' || i + 1 >= source.length) continue;
    const ends: number[] = [];
    i = parseCharacters(source, i + 1, pattern, (point) => ends.push(point));
    const [low, high] = [points.at(-1) ?? 0, ends[0] ?? 0];
    if (points.length !== 1 || ends.length !== 1 || high < low)
      throw malformed(pattern, 'a range in "[…]" runs backwards');
    ranges.push([low, high]);
  }
  tokens.push({ is: 'set', negated, ranges });
  return i + 1;
}

/** The characters that the tokens stand for; undefined if one of them is a wildcard. */
function literalOf(tokens: readonly Token[]): string | undefined {
  let characters = '';
  for (const token of tokens) {
    if (token.is !== 'char') return undefined;
    characters += String.fromCodePoint(token.point);
  }
  return characters;
}

/** Goes back to the last star only, so the time is at most the product of both lengths, whatever others wrote. */
function matchesTokens(tokens: readonly Token[], text: string): boolean {
  let t = 0;
  let i = 0;
  let star = -1;
  let resume = 0;
  while (i < text.length) {
    const token = tokens[t];
    const point = text.codePointAt(i) as number;
    if (token?.is === 'star') {
      star = t++;
      resume = i;
    } else if (token !== undefined && fits(token, point)) {
      t++;
      i += widthOf(point);
    } else if (star >= 0) {
      t = star + 1;
      resume += widthOf(text.codePointAt(resume) as number);
      i = resume;
    } else return false;
  }
  while (tokens[t]?.is === 'star') t++;
  return t === tokens.length;
}

function fits(token: Token, point: number): boolean {
  if (token.is === 'char') return token.point === point;
  if (token.is === 'set')
    return token.negated !== token.ranges.some(([low, high]) => low <= point && point <= high);
  return true;
}

function widthOf(point: number): number {
  return point > 0xffff ? 2 : 1;
}

/** A name's plain text, in which a byte that is no UTF-8 is one character too (U+DC80 to U+DCFF, as in Python's PEP 383). */
function charactersOf(name: EncodedName): string {
  return name.includes('%') ? decodeBytes(unescapeBytes(name) ?? name) : name;
}

function decodeBytes(bytes: string): string {
  return escapeBytes(bytes).replace(/%([0-9A-F]{2})/g, (_, hex: string) => {
    const byte = Number.parseInt(hex, 16);
    return String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);
  });
}

/** The bytes that charactersOf showed so. */
function bytesOf(characters: string): FsName {
  let bytes = '';
  for (const character of characters) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point >= 0xdc80 && point <= 0xdcff ? String.fromCharCode(point - 0xdc00) : utf8Bytes(character);
  }
  return bytes as FsName;
}

function refused(pattern: string, why: string, hint: string): BkError {
  return new BkError('refused', `cannot use the pattern ${JSON.stringify(pattern)}: ${why}`, { hint });
}

function malformed(pattern: string, why: string, hint?: string): BkError {
  const message = `cannot use the pattern ${JSON.stringify(pattern.slice(0, 200))}: ${why}`;
  return new BkError('usage', message, hint === undefined ? {} : { hint });
}
