import {
  conflictKindOf,
  extensionOf,
  type GitId,
  hasPlace,
  mediaKindOf,
  mimeOf,
  NUMBER_FIELDS,
  numberOf,
  type ObjectId,
  parentOf,
  type Rec,
  type RepoPath,
  TEXT_FIELDS,
  type TextField,
  textsOf,
  wordsOf,
} from '@bk/core';

/** A file or link of a commit, as it is put into the tables. */
export interface SearchEntry {
  readonly path: RepoPath;
  /** Of a file or link. */
  readonly record: Rec;
  readonly blob: GitId;
  /** The nearest folder around it that is an entity. */
  readonly entity?: Rec | undefined;
  readonly entityBlob?: GitId | undefined;
}

/** The commit that has not the version any more, and its number: greater than those of its ancestors. */
export interface Left {
  readonly commit: GitId;
  readonly order: number;
}

/** `left_in`: null for what the head has. Text is in `words`, whose rowid is `n`. */
export const SCHEMA = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE files (
    n INTEGER PRIMARY KEY, path TEXT NOT NULL, record BLOB NOT NULL, type TEXT NOT NULL, id BLOB NOT NULL,
    blake3 BLOB NOT NULL, payload BLOB, linked BLOB, extension TEXT NOT NULL, media TEXT, mime TEXT,
    gps INTEGER NOT NULL, conflict TEXT, entity BLOB, left_in BLOB, left_order INTEGER,
    ${NUMBER_FIELDS.map((field) => `${field} NUMERIC`).join(', ')});
  CREATE TABLE unified (id BLOB PRIMARY KEY) WITHOUT ROWID;
  CREATE VIRTUAL TABLE words USING fts5(
    ${TEXT_FIELDS.join(', ')}, content = '', contentless_delete = 1, tokenize = 'ascii');
`;

/** Made after many rows at once were put in. Most files have no media facts, and so no place in the partial ones. */
export const INDEXES = [
  ...['path', 'id', 'blake3', 'extension', 'size', 'modified'].map(
    (column) => `CREATE INDEX files_${column} ON files (${column})`,
  ),
  ...[
    'payload',
    'media',
    'taken',
    'year',
    'rating',
    'duration',
    'width',
    'height',
    'conflict',
    'left_in',
  ].map((column) => `CREATE INDEX files_${column} ON files (${column}) WHERE ${column} IS NOT NULL`),
];
export const INDEX_NAMES = INDEXES.map((text) => text.split(' ')[2]!);

const COLUMNS = [
  ...[
    'n',
    'path',
    'record',
    'type',
    'id',
    'blake3',
    'payload',
    'linked',
    'extension',
    'media',
    'mime',
    'gps',
  ],
  ...['conflict', 'entity', 'left_in', 'left_order', ...NUMBER_FIELDS],
];
export const INSERT_FILE = `INSERT INTO files (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})`;
export const INSERT_WORDS = `INSERT INTO words (rowid, ${TEXT_FIELDS.join(', ')}) VALUES (?${', ?'.repeat(TEXT_FIELDS.length)})`;

export function columnsOf(n: number, entry: SearchEntry, left: Left | undefined): unknown[] {
  const { path, record, blob, entityBlob } = entry;
  return [
    ...[n, path, bytes(blob), record.type, idBytes(record.id), bytes(record.blake3!)],
    ...[optional(record.hashes?.payload), record.linked === undefined ? null : idBytes(record.linked)],
    ...[extensionOf(path), mediaKindOf(entry) ?? null, mimeOf(entry) ?? null, hasPlace(entry) ? 1 : 0],
    ...[conflictKindOf(entry) ?? null, optional(entityBlob), optional(left?.commit), left?.order ?? null],
    ...NUMBER_FIELDS.map((field) => numberOf(entry, field) ?? null),
  ];
}

/** Words of each text field. Many files of a folder come one after another, so its own words are kept. */
export class WordColumns {
  #folder: RepoPath | undefined;
  #folderWords = '';

  of(n: number, entry: SearchEntry): unknown[] {
    return [
      n,
      ...TEXT_FIELDS.map((field) => (field === 'folder' ? this.#ofFolder(entry) : words(entry, field))),
    ];
  }

  #ofFolder(entry: SearchEntry): string {
    const folder = parentOf(entry.path);
    if (folder !== this.#folder) {
      this.#folder = folder;
      this.#folderWords = words(entry, 'folder');
    }
    return this.#folderWords;
  }
}

/** A word that is in no text (it is no letter), so that nothing goes on from one text of a field to the next. */
const APART = ' · ';

/** As core takes them from the texts: SQLite's tokenizer only parts them at the spaces, and has no say in what a word is. */
function words(entry: SearchEntry, field: TextField): string {
  const texts = textsOf(entry, field);
  if (texts.length === 0) return '';
  return texts.map((text) => wordsOf(text).join(' ')).join(APART);
}

export function idBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

export function idOf(bytes: Buffer): ObjectId {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') as ObjectId;
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

function optional(hex: string | undefined): Buffer | null {
  return hex === undefined ? null : bytes(hex);
}
