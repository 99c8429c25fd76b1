import type { EntryType } from './entry.ts';
import { BkError } from './error.ts';
import { type ContentHash, contentHash, type ObjectId, objectId } from './ids.ts';
import { formatJson, isJsonObject, type JsonObject, type JsonValue, parseJson } from './json.ts';
import { parseMtime } from './mtime.ts';
import { escapeBytes, unescapeBytes, utf8Bytes, utf8Text } from './name.ts';

/**
 * One file's metadata at one commit: the fields of SPEC 2.1. Files and symlinks have `blake3`, `size` and `mtime`,
 * symlinks `target` too; directories (`.bkdir`) have none of these, but always `id` and `mode`.
 * Fields that this bk does not know are kept as further keys, so that an older bk does not lose what a newer wrote.
 */
export interface Rec {
  readonly v: 1;
  readonly id: ObjectId;
  readonly type: EntryType;
  readonly blake3?: ContentHash;
  /** Bytes. */
  readonly size?: number;
  /** As formatMtime writes it. */
  readonly mtime?: string;
  /** As formatMode writes it. */
  readonly mode: string;
  /** As encodeTarget writes it. */
  readonly target?: string;
  readonly hashes?: Readonly<Record<string, ContentHash>>;
  readonly media?: JsonObject;
  readonly attrs?: JsonObject;
  /** Sorted, without repetition. */
  readonly was?: readonly ObjectId[];
  readonly linked?: ObjectId;
  readonly owner?: JsonValue;
  readonly group?: JsonValue;
  readonly xattrs?: JsonObject;
  readonly conflict?: JsonObject;
  /** Kind of the entity that a directory is. */
  readonly entity?: string;
}

/** The record's bytes (as text) in the history; equal metadata gives equal text. Does not check the fields. */
export function formatRecord(record: Rec): string {
  if (record.type === 'file' && Object.keys(record).length === 7 && isCommon(record)) {
    return `{\n "blake3": "${record.blake3}",\n "id": "${record.id}",\n "mode": "${record.mode}",\n "mtime": "${record.mtime}",\n "size": ${record.size},\n "type": "file",\n "v": 1\n}\n`;
  }
  return formatJson(record as unknown as JsonObject);
}

/** @throws BkError 'damaged' if the text is not canonical JSON or no record */
export function parseRecord(text: string): Rec {
  const common = COMMON.exec(text);
  if (common !== null) return commonRecord(common);
  const value = parseJson(text);
  if (!isJsonObject(value)) throw damaged('not an object');
  checkRecord(value);
  return value as unknown as Rec;
}

/** Permission bits as four octal digits, set-uid, set-gid and sticky bit included; other bits are dropped. */
export function formatMode(mode: number): string {
  return MODES[mode & 0o7777] as string;
}

/** @throws BkError 'damaged' */
export function parseMode(text: string): number {
  if (!MODE.test(text)) throw damaged(`not a mode: ${JSON.stringify(text)}`);
  return Number.parseInt(text, 8);
}

/** A symlink's target for its record: plain text if its bytes are UTF-8, else escaped like a name. */
export function encodeTarget(bytes: string): string {
  return utf8Text(bytes) ?? escapeBytes(bytes);
}

/**
 * The bytes of a target, one char per byte.
 * @param size of its record, in bytes: it tells text (as long as its UTF-8) from an escaped target (always shorter)
 * @throws BkError 'damaged' if target and size do not fit
 */
export function decodeTarget(target: string, size: number): string {
  const plain = utf8Bytes(target);
  if (plain.length === size) return plain;
  const bytes = unescapeBytes(target);
  if (bytes === undefined || bytes.length !== size || encodeTarget(bytes) !== target) {
    throw damaged(`a symlink's target that is not ${size} bytes long`);
  }
  return bytes;
}

const MODES = Array.from({ length: 0o10000 }, (_, mode) => mode.toString(8).padStart(4, '0'));
const MODE = /^[0-7]{4}$/;
const HASH = '[0-9a-f]{64}';
const ID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';

/** Exactly what the fast path of formatRecord writes; only the mtime still needs its check. */
const COMMON = new RegExp(
  `^\\{\\n "blake3": "(${HASH})",\\n "id": "(${ID})",\\n "mode": "([0-7]{4})",\\n "mtime": "([-+0-9:.TZ]+)",\\n "size": (0|[1-9]\\d{0,14}),\\n "type": "file",\\n "v": 1\\n\\}\\n$`,
);

function isCommon(record: Rec): boolean {
  return (
    record.blake3 !== undefined &&
    record.id !== undefined &&
    record.mode !== undefined &&
    record.mtime !== undefined &&
    record.size !== undefined &&
    record.v !== undefined
  );
}

function commonRecord(found: RegExpExecArray): Rec {
  const mtime = found[4] as string;
  parseMtime(mtime);
  return {
    blake3: found[1] as ContentHash,
    id: found[2] as ObjectId,
    mode: found[3] as string,
    mtime,
    size: Number(found[5]),
    type: 'file',
    v: 1,
  };
}

function checkRecord(value: JsonObject): void {
  if (value.v !== 1) throw damaged(`version ${JSON.stringify(value.v)}`, 'A newer bk may have written it.');
  objectId(text(value, 'id'));
  parseMode(text(value, 'mode'));
  if (value.type === 'dir') checkDirectory(value);
  else if (value.type === 'file' || value.type === 'symlink') checkContent(value);
  else throw damaged(`type ${JSON.stringify(value.type)}`);
  checkOptional(value);
}

function checkDirectory(value: JsonObject): void {
  for (const field of ['blake3', 'size', 'mtime', 'target', 'linked']) {
    if (value[field] !== undefined) throw damaged(`a directory with ${field}`);
  }
}

function checkContent(value: JsonObject): void {
  contentHash(text(value, 'blake3'));
  parseMtime(text(value, 'mtime'));
  const size = value.size;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw damaged('size is no number of bytes');
  if (value.entity !== undefined) throw damaged('only a directory is an entity');
  if (value.type === 'symlink') decodeTarget(text(value, 'target'), size);
  else if (value.target !== undefined) throw damaged('a file with a target');
}

function checkOptional(value: JsonObject): void {
  for (const field of ['hashes', 'media', 'attrs', 'xattrs', 'conflict']) {
    if (value[field] !== undefined && !isJsonObject(value[field])) throw damaged(`${field} is no object`);
  }
  if (isJsonObject(value.hashes))
    for (const name of Object.keys(value.hashes)) contentHash(text(value.hashes, name));
  if (value.linked !== undefined) objectId(text(value, 'linked'));
  if (value.entity !== undefined) text(value, 'entity');
  if (value.was !== undefined) checkWas(value.was);
}

function checkWas(was: JsonValue): void {
  if (!Array.isArray(was) || was.length === 0) throw damaged('was is no list of ids');
  let last = '';
  for (const id of was as readonly JsonValue[]) {
    if (typeof id !== 'string' || objectId(id) <= last) throw damaged('was is not sorted');
    last = id;
  }
}

function text(value: JsonObject, field: string): string {
  const found = value[field];
  if (typeof found !== 'string') throw damaged(`${field} is ${found === undefined ? 'missing' : 'no text'}`);
  return found;
}

function damaged(why: string, hint?: string): BkError {
  return new BkError('damaged', `not a record: ${why}`, hint === undefined ? {} : { hint });
}
