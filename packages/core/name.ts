import { BkError } from './error.ts';
import type { EncodedName, FsName, FsPath, RepoPath } from './path.ts';

/** The reserved blob that holds a directory's own record; a file of that name is spelled `%2Ebkdir`. */
export const DIRECTORY_RECORD = '.bkdir' as EncodedName;

/** ASCII without control characters, `%` and `\`. */
const PLAIN = /^[\x20-\x24\x26-\x5b\x5d-\x7e]*$/;
/** What a plain name that git or bk treats specially begins with; few others do. */
const SUSPECT = /^(?:\.[gb]|~|g.*~)/i;
const SUSPECT_PATH = /(?:^|\/)(?:\.[gb]|~|g[^/]*~)/i;

/** The spelling of a name in the history (SPEC 2.1). Any non-empty byte string without `/` and NUL has exactly one. */
export function encodeName(name: FsName): EncodedName {
  const plain = PLAIN.test(name);
  if (plain && !SUSPECT.test(name)) return name as string as EncodedName;
  const text = plain ? name : escapeBytes(name);
  return (isSpecial(text) ? escapeFirst(text) : text) as EncodedName;
}

/** The bytes of a name. @throws BkError 'damaged' if `encoded` is not what encodeName gives for any name */
export function decodeName(encoded: EncodedName): FsName {
  const name = decoded(encoded);
  if (name === undefined) throw new BkError('damaged', `not a canonical name: ${JSON.stringify(encoded)}`);
  return name;
}

/** Whether encodeName makes exactly this text of some name a folder can hold. */
export function isCanonicalName(text: string): boolean {
  return decoded(text) !== undefined;
}

/**
 * One name of a tree that came from outside: canonical, and not bk's own.
 * @throws BkError 'damaged'
 */
export function encodedName(text: string): EncodedName {
  const name = decoded(text);
  if (name === undefined) throw new BkError('damaged', `not a canonical name: ${JSON.stringify(text)}`);
  if (isReservedName(name))
    throw new BkError('damaged', `a name that bk keeps for itself: ${JSON.stringify(text)}`);
  return text as EncodedName;
}

export function encodePath(path: FsPath): RepoPath {
  if (PLAIN.test(path) && !SUSPECT_PATH.test(path)) return path as string as RepoPath;
  return path
    .split('/')
    .map((name) => encodeName(name as FsName))
    .join('/') as RepoPath;
}

/** @throws BkError 'damaged' if a name is not canonical */
export function decodePath(path: RepoPath): FsPath {
  if (path === '' || isPlainPath(path)) return path as string as FsPath;
  return path
    .split('/')
    .map((name) => decodeName(name as EncodedName))
    .join('/') as FsPath;
}

/**
 * A path that came from outside (a history, a remote, a journal), checked name by name; '' is the root.
 * @throws BkError 'damaged' at an empty name, `.`, `..`, NUL, anything not canonical, and `.bk` in any disguise
 */
export function repoPath(text: string): RepoPath {
  if (text !== '') for (const name of text.split('/')) encodedName(name);
  return text as RepoPath;
}

/** A path for people and `--json`: its plain text, or the encoded spelling if its bytes are not valid UTF-8. */
export function displayText(path: RepoPath): { readonly text: string; readonly encoded: boolean } {
  if (!path.includes('%')) return { text: path, encoded: false };
  const text = utf8Text(decodePath(path));
  return text === undefined ? { text: path, encoded: true } : { text, encoded: false };
}

/**
 * Whether a name is `.bk` or could open `.bk` on some file system: other letter case, characters that are ignored or
 * folded (HFS+, APFS, case-folding ext4), trailing dots and spaces, a stream, the short name (NTFS).
 */
export function isReservedName(name: FsName): boolean {
  const first = name.charCodeAt(0);
  if (first < 0x80 && first !== 0x2e && first !== 0x62 && first !== 0x42) return false;
  if (name.length > 2 && PLAIN.test(name)) return RESERVED.test(name);
  return RESERVED.test(lenientText(name).replace(IGNORABLE, '').normalize('NFKC').replace(IGNORABLE, ''));
}

/** The `u` flag folds the Kelvin sign to `k`, as file systems do. */
const RESERVED = /^(?:\.bk|bk~1)[. ]*(?:$|[:\\])/iu;
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu;

/** The text whose UTF-8 encoding these bytes are; undefined if they are not valid UTF-8. */
export function utf8Text(bytes: string): string | undefined {
  if (ASCII.test(bytes)) return bytes;
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length === 0) return undefined;
    text += String.fromCodePoint(codePoint(bytes, i, length));
    i += length;
  }
  return text;
}

/** The UTF-8 bytes of a text, one char per byte. @throws BkError 'damaged' at half a surrogate pair */
export function utf8Bytes(text: string): string {
  if (ASCII.test(text)) return text;
  let bytes = '';
  for (const character of text) bytes += encodeCharacter(character.codePointAt(0) ?? 0);
  return bytes;
}

const ASCII = /^[\x00-\x7f]*$/;

/** Every byte that SPEC 2.1 escapes wherever it stands, as `%XX`; all else as text. */
export function escapeBytes(bytes: string): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    const byte = bytes.charCodeAt(i);
    if (length === 0 || byte < 0x20 || byte === 0x7f || byte === 0x25 || byte === 0x5c) {
      text += ESCAPES[byte];
      i++;
    } else {
      text += String.fromCodePoint(codePoint(bytes, i, length));
      i += length;
    }
  }
  return text;
}

/** The bytes that escapeBytes wrote so; other texts too, as far as their `%XX` are well formed, else undefined. */
export function unescapeBytes(text: string): string | undefined {
  let bytes = '';
  for (let i = 0; i < text.length; ) {
    const point = text.codePointAt(i) ?? 0;
    if (point >= 0xd800 && point <= 0xdfff) return undefined;
    if (point === 0x25) {
      const hex = text.slice(i + 1, i + 3);
      if (!UPPER_HEX.test(hex)) return undefined;
      bytes += String.fromCharCode(Number.parseInt(hex, 16));
      i += 3;
    } else {
      bytes += encodeCharacter(point);
      i += point > 0xffff ? 2 : 1;
    }
  }
  return bytes;
}

const UPPER_HEX = /^[0-9A-F]{2}$/;
const ESCAPES = Array.from({ length: 256 }, (_, i) => `%${i.toString(16).toUpperCase().padStart(2, '0')}`);

function isPlainPath(path: string): boolean {
  return PLAIN.test(path) && !SUSPECT_PATH.test(path);
}

function decoded(text: string): FsName | undefined {
  if (text === '' || text === '.' || text === '..' || text.includes('/')) return undefined;
  if (PLAIN.test(text) && !SUSPECT.test(text)) return text as FsName;
  const name = unescapeBytes(text) as FsName | undefined;
  if (name === undefined || name.includes('\0')) return undefined;
  return encodeName(name) === text ? name : undefined;
}

function escapeFirst(text: string): string {
  const first = String.fromCodePoint(text.codePointAt(0) ?? 0);
  let escaped = '';
  for (const byte of utf8Bytes(first)) escaped += ESCAPES[byte.charCodeAt(0)];
  return escaped + text.slice(first.length);
}

/**
 * Whether git's fsck would take a tree entry of this spelling for `.git`, `.gitmodules` or `.gitattributes`
 * (git: fsck.c, utf8.c is_hfs_dot*, path.c is_ntfs_dot*), or bk for its own. Ignore-case without `u`: ASCII only.
 */
function isSpecial(text: string): boolean {
  return NTFS.test(text) || HFS.test(text.replace(HFS_IGNORED, '')) || BKDIR.test(text);
}

const BKDIR = /^\.bkdir$/i;
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
/** To git a name ends where UTF-8 does, and U+FFFE and U+FFFF are no UTF-8 to it. */
const HFS = /^\.git(?:modules|attributes)?(?:$|[\ufffe\uffff])/i;
/** The name itself, its short name, and its hashed short name (gi7eba: .gitmodules, gi7d29: .gitattributes; 8 characters). */
const NTFS = new RegExp(
  `^(?:\\.git(?:modules|attributes)?|git~1|git(?:mod|att)~[1-4]|${[
    '~[1-9]\\d{6}',
    'g~[1-9]\\d{5}',
    'gi~[1-9]\\d{4}',
    'gi7~[1-9]\\d{3}',
    'gi7[ed]~[1-9]\\d{2}',
    'gi7(?:eb|d2)~[1-9]\\d',
    'gi7(?:eba|d29)~[1-9]',
  ].join('|')})[. ]*(?:$|:)`,
  'i',
);

/** Bytes of the valid UTF-8 sequence at `i` (1 for ASCII), 0 if there is none: no overlong forms, no surrogates, at most U+10FFFF. */
function sequenceLength(bytes: string, i: number): number {
  const lead = bytes.charCodeAt(i);
  if (lead < 0x80) return 1;
  const second = bytes.charCodeAt(i + 1);
  if (lead < 0xc2 || lead > 0xf4 || !isTail(second)) return 0;
  if (lead < 0xe0) return 2;
  if (!isTail(bytes.charCodeAt(i + 2))) return 0;
  if (lead < 0xf0) return (lead === 0xe0 && second < 0xa0) || (lead === 0xed && second > 0x9f) ? 0 : 3;
  if (!isTail(bytes.charCodeAt(i + 3))) return 0;
  return (lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second > 0x8f) ? 0 : 4;
}

/** False beyond the end of the string, where charCodeAt gives NaN. */
function isTail(byte: number): boolean {
  return byte >= 0x80 && byte <= 0xbf;
}

function codePoint(bytes: string, i: number, length: number): number {
  const lead = bytes.charCodeAt(i);
  if (length === 1) return lead;
  let point = lead & (0xff >> (length + 1));
  for (let k = 1; k < length; k++) point = (point << 6) | (bytes.charCodeAt(i + k) & 0x3f);
  return point;
}

function encodeCharacter(point: number): string {
  if (point < 0x80) return String.fromCharCode(point);
  if (point < 0x800) return String.fromCharCode(0xc0 | (point >> 6), tail(point));
  if (point >= 0xd800 && point <= 0xdfff) throw new BkError('damaged', 'half a surrogate pair is not text');
  if (point < 0x10000) return String.fromCharCode(0xe0 | (point >> 12), tail(point >> 6), tail(point));
  return String.fromCharCode(0xf0 | (point >> 18), tail(point >> 12), tail(point >> 6), tail(point));
}

function tail(bits: number): number {
  return 0x80 | (bits & 0x3f);
}

/** For comparing only: bytes that are not UTF-8 become U+FFFD. */
function lenientText(bytes: string): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    text += length === 0 ? '\ufffd' : String.fromCodePoint(codePoint(bytes, i, length));
    i += length || 1;
  }
  return text;
}
