import { sha1 } from '@noble/hashes/legacy.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { EMPTY_CONTENT } from '../evidence.ts';
import { type ContentHash, contentHash, type GitId, gitId, type ObjectId, objectId } from '../ids.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts';
import { utf8Bytes } from '../name.ts';
import { comparePaths, type RepoPath } from '../path.ts';
import { formatRecord, type Rec } from '../record.ts';
import type { MergeEntry } from './input.ts';

/**
 * Small trees as text: `path: 'ID CONTENT WORD…'`, for example `'d/x': '1 hello t=5 tags=a,b'`.
 * - ID: up to 7 characters, older if smaller; `1+hello` is the id derived from 1 and the content `hello`, `1+dir` that
 *   of a folder's record derived from 1.
 * - CONTENT: up to 32 characters, whose hash sorts as the text does; `empty`; `->TARGET` for a link; `dir` for a
 *   folder's own record.
 * - WORDS: `t=N` (mtime: noon of day N of January 2020, else of day 1), `mode=0600`, `was=1,2`, `linked=1`, `entity=album`,
 *   `atomic`, `tags=a,b`, `media.KEY=V`, `hash.KEY=CONTENT`, `field.KEY=V` (a field of the record), `KEY=V` (an attribute),
 *   `!KIND` or `!KIND(PATH:CONTENT|…)` (the field `conflict`), `v=N` (time of the side's version: no part of the record).
 */
export type TreeText = Readonly<Record<string, string>>;

export type Tree = ReadonlyMap<RepoPath, MergeEntry>;

export interface ParsedTree {
  readonly tree: Tree;
  /** What `v=N` said. */
  readonly times: ReadonlyMap<RepoPath, number>;
}

export function parseTree(text: TreeText): ParsedTree {
  const tree = new Map<RepoPath, MergeEntry>();
  const times = new Map<RepoPath, number>();
  for (const [path, spec] of Object.entries(text)) {
    const { record, time } = parseSpec(spec);
    tree.set(path as RepoPath, entryAt(path as RepoPath, record));
    if (time !== undefined) times.set(path as RepoPath, time);
  }
  return { tree, times };
}

export function entryAt(path: RepoPath, record: Rec): MergeEntry {
  return { path, record, blob: blobOf(record) };
}

/** Git's name of the record's blob. */
export function blobOf(record: Rec): GitId {
  const text = formatRecord(record);
  let id = blobs.get(text);
  if (id === undefined) {
    const bytes = utf8Bytes(text);
    id = gitId(sha1Hex(`blob ${bytes.length}\0${bytes}`));
    if (blobs.size > 100_000) blobs.clear();
    blobs.set(text, id);
  }
  return id;
}

const blobs = new Map<string, GitId>();

/** @param bytes one char per byte */
export function sha1Hex(bytes: string): string {
  return bytesToHex(sha1(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
}

/** Sorted as the history sorts paths. */
export function printTree(tree: Iterable<{ readonly path: RepoPath; readonly record: Rec }>): TreeText {
  const sorted = [...tree].sort((a, b) => comparePaths(a.path, b.path));
  return Object.fromEntries(sorted.map(({ path, record }) => [path, printRecord(record)]));
}

// Ids and contents

const ID_DIGITS = 15;

/** Of a short name (`1`), a derived one (`1+hello`), or an id as it is. */
export function idOf(name: string): ObjectId {
  if (name.length === 36) return objectId(name);
  const [first = '', ...contents] = name.split('+');
  const digits = hexOf(first).padEnd(ID_DIGITS, '0');
  if (digits.length > ID_DIGITS) throw new Error(`too long for an id: ${first}`);
  let id = objectId(`${digits.slice(0, 8)}-${digits.slice(8, 12)}-7${digits.slice(12)}-8000-000000000000`);
  for (const content of contents) {
    const from = nameOfId(id);
    id = derivedId(id, content === 'dir' ? content : contentOf(content));
    idNames.set(id, `${from}+${content}`);
  }
  return id;
}

const idNames = new Map<ObjectId, string>();

/** UUIDv5 (RFC 9562): namespace = the object, name = the hash's text; of a folder's record `dir`. */
export function derivedId(object: ObjectId, content: string): ObjectId {
  const namespace = object
    .replaceAll('-', '')
    .replace(/../g, (byte) => String.fromCharCode(Number.parseInt(byte, 16)));
  const hex = sha1Hex(namespace + content);
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return objectId(
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(18, 20)}-${hex.slice(20, 32)}`,
  );
}

/** Makes `nameOfId` know the ids of `entries`, if they were derived from these. */
export function learnDerived(
  entries: Iterable<{ readonly record: Rec }>,
  ids: Iterable<ObjectId>,
  contents: ReadonlySet<string>,
): void {
  if ([...entries].every(({ record }) => isPlainId(record.id) || idNames.has(record.id))) return;
  for (const id of ids) for (const content of [...contents, 'dir']) idOf(`${nameOfId(id)}+${content}`);
}

/** UUIDv5. */
export function isDerivedId(id: ObjectId): boolean {
  return id.charAt(14) === '5';
}

function isPlainId(id: ObjectId): boolean {
  return id.endsWith('-8000-000000000000');
}

export function nameOfId(id: ObjectId): string {
  if (!isPlainId(id)) return idNames.get(id) ?? id;
  const digits = id.slice(0, 8) + id.slice(9, 13) + id.slice(15, 18);
  return textOf(digits);
}

export function contentOf(text: string): ContentHash {
  if (text === 'empty') return EMPTY_CONTENT;
  const digits = hexOf(text).padEnd(64, '0');
  return contentHash(digits);
}

export function textOfContent(hash: ContentHash): string {
  return hash === EMPTY_CONTENT ? 'empty' : textOf(hash);
}

function hexOf(text: string): string {
  return [...text].map((c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

function textOf(digits: string): string {
  return (digits.match(/../g) ?? [])
    .map((pair) => Number.parseInt(pair, 16))
    .filter((code) => code !== 0)
    .map((code) => String.fromCharCode(code))
    .join('');
}

// Records

const MODES: Readonly<Record<Rec['type'], string>> = { file: '0644', symlink: '0777', dir: '0755' };

function mtimeOf(day: number): string {
  return `2020-01-${String(day).padStart(2, '0')}T12:00:00.000000000Z`;
}

function parseSpec(spec: string): { readonly record: Rec; readonly time: number | undefined } {
  const [id = '', content = '', ...words] = spec.match(/(?:[^\s(]|\([^)]*\))+/g) ?? [];
  const type = content === 'dir' ? 'dir' : content.startsWith('->') ? 'symlink' : 'file';
  const fields: Record<string, JsonValue> = { v: 1, id: idOf(id), type, mode: MODES[type] };
  if (type !== 'dir') {
    const text = type === 'symlink' ? content.slice(2) : content;
    fields.blake3 = contentOf(text);
    fields.size = content === 'empty' ? 0 : text.length;
    fields.mtime = mtimeOf(1);
    if (type === 'symlink') fields.target = text;
  }
  let time: number | undefined;
  for (const word of words) {
    const [key = '', value = ''] = splitOnce(word);
    if (key === 'v') time = Number(value);
    else parseWord(fields, key, value);
  }
  return { record: fields as unknown as Rec, time };
}

function splitOnce(word: string): readonly [string, string] {
  const at = word.startsWith('!') ? -1 : word.indexOf('=');
  return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
}

function parseWord(fields: Record<string, JsonValue>, key: string, value: string): void {
  const inside = (field: string, name: string, what: JsonValue): void => {
    fields[field] = { ...(fields[field] as JsonObject | undefined), [name]: what };
  };
  const [group = '', name = ''] = key.split('.');
  if (key === 't') fields.mtime = mtimeOf(Number(value));
  else if (key === 'mode' || key === 'entity') fields[key] = value;
  else if (key === 'was') fields.was = value.split(',').map(idOf).sort();
  else if (key === 'linked') fields.linked = idOf(value);
  else if (key === 'tags') inside('attrs', 'tags', value === '' ? [] : value.split(','));
  else if (key === 'atomic') inside('attrs', 'atomic', true);
  else if (key.startsWith('!')) fields.conflict = parseConflict(key.slice(1));
  else if (group === 'media') inside('media', name, value);
  else if (group === 'hash') inside('hashes', name, contentOf(value));
  else if (group === 'field') fields[name] = value;
  else inside('attrs', key, value);
}

function parseConflict(text: string): JsonObject {
  const [kind = '', list = ''] = text.replace(/\)$/, '').split('(');
  const versions =
    list === ''
      ? []
      : list.split('|').map((version) => {
          const at = version.lastIndexOf(':');
          return { path: version.slice(0, at), blake3: contentOf(version.slice(at + 1)) };
        });
  return { kind, versions };
}

const PLAIN_FIELDS = ['v', 'id', 'type', 'blake3', 'size', 'mtime', 'target', 'mode'];

function printRecord(record: Rec): string {
  const text = record.blake3 === undefined ? 'dir' : textOfContent(record.blake3);
  const words = [nameOfId(record.id), record.type === 'symlink' ? `->${text}` : text];
  if (record.mtime !== undefined && record.mtime !== mtimeOf(1)) words.push(`t=${printMtime(record.mtime)}`);
  if (record.mode !== MODES[record.type]) words.push(`mode=${record.mode}`);
  for (const [field, value] of Object.entries(record as unknown as JsonObject).sort()) {
    if (!PLAIN_FIELDS.includes(field)) words.push(...printField(field, value));
  }
  return words.join(' ');
}

function printMtime(mtime: string): string {
  const day = Number(mtime.slice(8, 10));
  return mtime === mtimeOf(day) ? String(day) : mtime;
}

function printField(field: string, value: JsonValue): string[] {
  const pairs = isJsonObject(value) ? Object.entries(value).sort() : [];
  if (field === 'was') return [`was=${(value as ObjectId[]).map(nameOfId).join(',')}`];
  if (field === 'linked') return [`linked=${nameOfId(value as ObjectId)}`];
  if (field === 'entity') return [`entity=${value}`];
  if (field === 'conflict') return [`!${printConflict(value as JsonObject)}`];
  if (field === 'media') return pairs.map(([key, item]) => `media.${key}=${item}`);
  if (field === 'hashes')
    return pairs.map(([key, item]) => `hash.${key}=${textOfContent(item as ContentHash)}`);
  if (field === 'attrs') {
    return pairs.map(([key, item]) => (key === 'atomic' && item === true ? key : `${key}=${item}`));
  }
  return [`field.${field}=${value}`];
}

function printConflict({ kind, versions }: JsonObject): string {
  const list = (versions as { path: string; blake3?: ContentHash }[]).map(
    ({ path, blake3 }) => `${path}:${blake3 === undefined ? '' : textOfContent(blake3)}`,
  );
  return list.length === 0 ? `${kind}` : `${kind}(${list.join('|')})`;
}
