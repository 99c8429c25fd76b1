import type { EntryType } from '../entry.ts';
import type { ContentHash, ObjectId } from '../ids.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts';
import { parseMtime } from '../mtime.ts';
import { displayText } from '../name.ts';
import { nameOf, parentOf, type RepoPath } from '../path.ts';
import type { Rec } from '../record.ts';
import { fold } from './words.ts';

/** A file or link of a commit, as queries see it. What is not in a few columns may be read only when asked for. */
export interface FileFacts {
  readonly path: RepoPath;
  readonly type: Exclude<EntryType, 'dir'>;
  readonly id: ObjectId;
  readonly blake3: ContentHash;
  /** Bytes. */
  readonly size: number;
  readonly record: Rec;
  /** The own record of the nearest folder around it that is an entity: what is said of an album is said of its songs. */
  readonly entity?: Rec | undefined;
  /** No file of the head is this object any more. */
  readonly deleted: boolean;
}

/** Fields whose words are looked for, in the order of an index' columns; free words are looked for in all of them. */
export const TEXT_FIELDS = [
  'name',
  'folder',
  'title',
  'tag',
  'person',
  'artist',
  'album',
  'genre',
  'camera',
  'lens',
  'codec',
  'entity',
  'text',
] as const;
export type TextField = (typeof TEXT_FIELDS)[number];

/** Fields that are compared as numbers: bytes, seconds, pixels, stars; `modified` in ms since 1970; `taken` as wallMs. */
export const NUMBER_FIELDS = [
  'size',
  'modified',
  'taken',
  'year',
  'rating',
  'duration',
  'width',
  'height',
] as const;
export type NumberField = (typeof NUMBER_FIELDS)[number];

type Described = Pick<FileFacts, 'path' | 'record' | 'entity'>;

/** Every text of a field; words of one never go on in the next. */
export function textsOf(file: Described, field: TextField): readonly string[] {
  return TEXTS[field](file).filter((text) => text !== '');
}

/** Undefined: not known. */
export function numberOf({ record }: Pick<FileFacts, 'record'>, field: NumberField): number | undefined {
  return NUMBERS[field](record);
}

/** What kind of media it is: by its content or, if that was not read, by its name. */
export function mediaKindOf({ path, record }: Pick<FileFacts, 'path' | 'record'>): MediaKind | undefined {
  if (record.type !== 'file') return undefined;
  const { kind } = record.media ?? {};
  if (kind === 'image' || kind === 'audio' || kind === 'video') return kind;
  return KINDS.get(extensionOf(path));
}

export const MEDIA_KINDS = ['image', 'audio', 'video'] as const;
export type MediaKind = (typeof MEDIA_KINDS)[number];

/** What stands after the last dot of a name, folded; '' for names without, and for those that only begin with a dot. */
export function extensionOf(path: RepoPath): string {
  const name = plainText(nameOf(path));
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? '' : fold(name.slice(dot + 1));
}

export function mimeOf({ record }: Pick<FileFacts, 'record'>): string | undefined {
  const { mime } = record.media ?? {};
  return typeof mime === 'string' ? fold(mime) : undefined;
}

export function hasPlace({ record }: Pick<FileFacts, 'record'>): boolean {
  const { gps } = record.media ?? {};
  return isJsonObject(gps) && typeof gps.latitude === 'number' && typeof gps.longitude === 'number';
}

/** The kind of its conflict; '' for one of an unknown kind, undefined: none. */
export function conflictKindOf({ record }: Pick<FileFacts, 'record'>): string | undefined {
  if (record.conflict === undefined) return undefined;
  return typeof record.conflict.kind === 'string' ? record.conflict.kind : '';
}

/** The texts of one attribute that a person gave it. */
export function attributeOf({ record }: Pick<FileFacts, 'record'>, key: string): string[] {
  return texts(record.attrs?.[key]);
}

/** As a clock on the wall shows it, in ms as if it were UTC; the offset of a time is not looked at. */
export function wallMs(rfc3339: string): number | undefined {
  const ms = Date.parse(`${rfc3339.slice(0, 19)}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** The path as people write it; what is no text stays as the history spells it. */
export function plainText(path: string): string {
  return path.includes('%') ? displayText(path as RepoPath).text : path;
}

const TEXTS: Readonly<Record<TextField, (file: Described) => string[]>> = {
  name: ({ path }) => [plainText(nameOf(path))],
  folder: ({ path }) => (path.includes('/') ? plainText(parentOf(path)).split('/') : []),
  title: ({ record }) => [...texts(record.attrs?.title), ...texts(record.media?.title)],
  tag: ({ record, entity }) => [
    ...texts(record.attrs?.tags),
    ...texts(record.media?.keywords),
    ...texts(entity?.attrs?.tags),
  ],
  person: ({ record, entity }) => [...texts(record.attrs?.people), ...texts(entity?.attrs?.people)],
  artist: ({ record: { media } }) => [
    ...texts(media?.artist),
    ...texts(media?.albumArtist),
    ...texts(media?.composer),
    ...texts(media?.creator),
  ],
  album: ({ record }) => texts(record.media?.album),
  genre: ({ record }) => texts(record.media?.genre),
  camera: ({ record }) => [cameraOf(record.media)],
  lens: ({ record }) => texts(part(record.media, 'camera')?.lens),
  codec: ({ record: { media } }) => [
    ...texts(part(media, 'video')?.codec),
    ...texts(part(media, 'audio')?.codec),
  ],
  entity: ({ entity }) => [...texts(entity?.entity), ...texts(entity?.attrs?.title)],
  text: ({ record: { media, attrs } }) => [
    ...texts(media?.description),
    ...texts(media?.rights),
    ...Object.entries(attrs ?? {}).flatMap(([key, value]) => (NAMED.has(key) ? [] : texts(value))),
  ],
};

/** Attributes that have fields of their own. */
const NAMED: ReadonlySet<string> = new Set(['title', 'tags', 'people', 'rating']);

const NUMBERS: Readonly<Record<NumberField, (record: Rec) => number | undefined>> = {
  size: ({ size }) => size,
  modified: ({ mtime }) => (mtime === undefined ? undefined : Number(parseMtime(mtime) / 1_000_000n)),
  taken: ({ media }) => takenOf(media),
  year: ({ media }) => number(media?.year) ?? yearOf(takenOf(media)),
  rating: ({ attrs, media }) => number(attrs?.rating) ?? number(media?.rating),
  duration: ({ media }) => number(media?.duration),
  width: ({ media }) => number(media?.width),
  height: ({ media }) => number(media?.height),
};

function takenOf(media: JsonObject | undefined): number | undefined {
  return typeof media?.taken === 'string' ? wallMs(media.taken) : undefined;
}

function yearOf(wall: number | undefined): number | undefined {
  return wall === undefined ? undefined : new Date(wall).getUTCFullYear();
}

/** Makers often stand in the model's name too: `Canon`, `Canon EOS 5D`. */
function cameraOf(media: JsonObject | undefined): string {
  const camera = part(media, 'camera');
  const [make = '', model = ''] = [texts(camera?.make)[0], texts(camera?.model)[0]];
  return fold(model).startsWith(fold(make)) ? model : `${make} ${model}`.trim();
}

function part(object: JsonObject | undefined, key: string): JsonObject | undefined {
  const value = object?.[key];
  return isJsonObject(value) ? value : undefined;
}

/** Texts of a value that is one or a list; numbers as they are written. Histories of others may hold anything. */
function texts(value: JsonValue | undefined): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value === 'number') return [String(value)];
  return Array.isArray(value)
    ? value.flatMap((item: JsonValue) => texts(Array.isArray(item) ? null : item))
    : [];
}

/** A person's rating may have been set as text. */
function number(value: JsonValue | undefined): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : undefined;
}

const EXTENSIONS: Readonly<Record<MediaKind, string>> = {
  image:
    'jpg jpeg jpe png gif webp heic heif avif jxl tif tiff bmp svg psd raf nef nrw cr2 cr3 crw arw sr2 dng orf rw2 pef srw iiq mrw 3fr x3f',
  audio: 'mp3 m4a m4b aac flac ogg oga opus wav aif aiff wma ape wv mka mid',
  video: 'mp4 m4v mov avi mkv webm mts m2ts mpg mpeg wmv flv 3gp ogv vob',
};
const KINDS: ReadonlyMap<string, MediaKind> = new Map(
  MEDIA_KINDS.flatMap((kind) => EXTENSIONS[kind].split(' ').map((extension) => [extension, kind] as const)),
);
