import fs from 'node:fs';
import { decodePath, displayText, type RepoPath } from '@bk/core';

export type ColorChoice = 'auto' | 'always' | 'never';
export type Paint = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
export type Style = (paint: Paint, text: string) => string;

const CODES: Readonly<Record<Paint, string>> = {
  bold: '1',
  dim: '2',
  red: '31',
  green: '32',
  yellow: '33',
  cyan: '36',
};

export function isTerminal(fd: 0 | 1 | 2): boolean {
  try {
    // node:tty takes 4 ms to load: only where the answer may be yes.
    return fs.fstatSync(fd).isCharacterDevice() && process.getBuiltinModule('node:tty').isatty(fd);
  } catch {
    return false; // A closed descriptor is no terminal.
  }
}

/** Colour for what goes to `fd`: asked for, or a terminal that nobody told otherwise (NO_COLOR, https://no-color.org). */
export function styleFor(fd: 1 | 2, choice: ColorChoice): Style {
  const wanted =
    choice === 'auto'
      ? !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb' && isTerminal(fd)
      : choice === 'always';
  return wanted ? (paint, text) => `\x1b[${CODES[paint]}m${text}\x1b[0m` : (_paint, text) => text;
}

/** Control characters, what changes the direction of text, line separators, halves of characters. */
const UNSAFE = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '\x1b': '\\e' };

/** Text from outside as it may reach a terminal: one line, nothing that a terminal would obey. */
export function safe(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** As `safe`, but line feeds stay: for messages of several lines. */
export function safeLines(text: string): string {
  return text.split('\n').map(safe).join('\n');
}

/** A path for people: its plain text; a byte that is no text as `\xff`; the root as `.`. */
export function shownPath(path: RepoPath | string): string {
  if (path === '') return '.';
  const { text, encoded } = displayText(path as RepoPath);
  const plain = encoded ? withByteEscapes(decodePath(path as RepoPath)) : text;
  return safe(plain);
}

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  return SHORT[char] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`);
}

/** Bytes as text, those that are not UTF-8 as `\xNN`. */
function withByteEscapes(bytes: string): string {
  const parts = bytes.split(/([\x80-\xff]+)/);
  return parts.map((part, i) => (i % 2 === 0 ? part : decodedRun(Buffer.from(part, 'latin1')))).join('');
}

function decodedRun(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = [2, 3, 4].find((n) => isOneCharacter(bytes.subarray(at, at + n), n));
    text += length === undefined ? `\\x${hex(bytes[at] ?? 0, 2)}` : bytes.toString('utf8', at, at + length);
    at += length ?? 1;
  }
  return text;
}

function isOneCharacter(bytes: Buffer, length: number): boolean {
  const text = bytes.toString('utf8');
  return bytes.length === length && [...text].length === 1 && text !== '\ufffd';
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
