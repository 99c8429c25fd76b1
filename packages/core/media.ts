import type { ContentHash } from './ids.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { utf8Bytes } from './name.ts';

/** Why a file that looks like media has no facts. */
export type MediaError = 'truncated' | 'malformed' | 'unsupported';

export interface Numbered {
  readonly number?: number | undefined;
  readonly total?: number | undefined;
}

/**
 * What a file's own bytes say of it (SPEC 2.3), as a reader found it: texts as they stand there, numbers not rounded,
 * nothing checked. normalizeMedia makes of it what a record holds. Absent means unknown.
 */
export interface MediaFacts {
  readonly kind?: 'image' | 'audio' | 'video' | undefined;
  readonly mime?: string | undefined;
  /** Pixels as stored, before rotation. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** Seconds. */
  readonly duration?: number | undefined;
  readonly software?: string | undefined;
  /** RFC 3339; fraction and offset only if the file states them. */
  readonly taken?: string | undefined;
  /** EXIF's numbers, 1 to 8. */
  readonly orientation?: number | undefined;
  readonly camera?: {
    readonly make?: string | undefined;
    readonly model?: string | undefined;
    readonly serial?: string | undefined;
    readonly lens?: string | undefined;
  };
  readonly exposure?: {
    /** Seconds as people write them: `1/125`, `2.5`. */
    readonly time?: string | undefined;
    readonly fNumber?: number | undefined;
    readonly iso?: number | undefined;
    /** Millimetres. */
    readonly focalLength?: number | undefined;
    readonly focalLength35?: number | undefined;
  };
  readonly gps?: {
    /** Signed degrees, WGS 84. */
    readonly latitude?: number | undefined;
    readonly longitude?: number | undefined;
    /** Metres. */
    readonly altitude?: number | undefined;
  };
  readonly rating?: number | undefined;
  readonly audio?: {
    readonly codec?: string | undefined;
    readonly sampleRate?: number | undefined;
    readonly channels?: number | undefined;
    readonly bitDepth?: number | undefined;
    /** Bits a second. */
    readonly bitRate?: number | undefined;
  };
  readonly video?: {
    readonly codec?: string | undefined;
    readonly frameRate?: number | undefined;
    /** Degrees clockwise. */
    readonly rotation?: number | undefined;
  };
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly creator?: readonly string[] | undefined;
  readonly rights?: string | undefined;
  readonly keywords?: readonly string[] | undefined;
  readonly artist?: readonly string[] | undefined;
  readonly albumArtist?: string | undefined;
  readonly album?: string | undefined;
  readonly composer?: readonly string[] | undefined;
  readonly track?: Numbered | undefined;
  readonly disc?: Numbered | undefined;
  /** As tagged. */
  readonly date?: string | undefined;
  readonly year?: number | undefined;
  readonly genre?: readonly string[] | undefined;
  readonly musicbrainz?: {
    readonly trackId?: string | undefined;
    readonly recordingId?: string | undefined;
    readonly albumId?: string | undefined;
    readonly artistId?: string | undefined;
  };
  readonly error?: MediaError | undefined;
}

/** What a content says of itself, as a record holds it: `media` and `hashes.payload`. */
export interface ContentFacts {
  readonly media: JsonObject;
  readonly payload?: ContentHash;
}

/** Characters of one text; bytes of all texts of a file together. */
export const MEDIA_LIMITS = { characters: 1000, bytes: 16 * 1024 } as const;

/**
 * The `media` object of a record: text in NFC, without NUL, cut to its limits; numbers rounded; whatever is impossible
 * (an orientation of 9, a latitude of 200) or empty left out. With an error, only the error.
 */
export function normalizeMedia(facts: MediaFacts): JsonObject {
  if (facts.error !== undefined) return { error: facts.error };
  return (FIELDS(facts, { bytes: MEDIA_LIMITS.bytes }) as JsonObject | undefined) ?? {};
}

/**
 * A time as cameras and tags write it (`2019:08-24 12:01:02.5 +0200`, with `:` or `-`, a space or `T`) as RFC 3339, with
 * the fraction and the offset that are there. Undefined for what is no date with a time.
 */
export function parseTaken(text: string): string | undefined {
  const found = LOOSE_TIME.exec(text.trim());
  if (found === null) return undefined;
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone = ''] = found;
  const offset = zone.toUpperCase() === 'Z' ? 'Z' : zone.replace(/^(.\d\d):?(\d\d)$/, '$1:$2');
  const time = `${year}-${month}-${day}T${hour}:${minute}:${second}${fraction}${offset}`;
  return isTime(time) ? time : undefined;
}

const LOOSE_TIME =
  /^(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?\s?(Z|z|[-+]\d\d:?\d\d)?$/;
const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[-+](\d\d):(\d\d))?$/;

function isTime(text: string): boolean {
  const found = TIME.exec(text);
  if (found === null) return false;
  const [year, month, day, hour, minute, second, zoneHour, zoneMinute] = found
    .slice(1)
    .map((part) => Number(part ?? 0)) as [number, number, number, number, number, number, number, number];
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && isLeap ? 29 : (DAYS[month - 1] ?? 0);
  const isDay = year > 0 && day >= 1 && day <= days;
  return isDay && hour < 24 && minute < 60 && second < 60 && zoneHour < 24 && zoneMinute < 60;
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** What is left for texts. */
interface Room {
  bytes: number;
}
/** The value as a record holds it; undefined: left out. */
type Rule = (value: unknown, room: Room) => JsonValue | undefined;

const text: Rule = (value, room) => {
  if (typeof value !== 'string') return undefined;
  const clean = cleanText(value);
  const bytes = utf8Bytes(clean).length;
  if (clean === '' || bytes > room.bytes) return undefined;
  room.bytes -= bytes;
  return clean;
};

/** Without repetition, in the file's order. */
const texts: Rule = (value, room) => {
  if (!Array.isArray(value)) return undefined;
  const seen = new Set<JsonValue>();
  for (const item of new Set(value.slice(0, MEDIA_LIMITS.characters))) {
    const kept = text(item, room);
    if (kept !== undefined) seen.add(kept);
  }
  return seen.size === 0 ? undefined : [...seen];
};

const time: Rule = (value) => (typeof value === 'string' && isTime(value) ? value : undefined);

function number(digits: number, least: number, most: number): Rule {
  return (value) => {
    if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
    const rounded = Number(value.toFixed(digits));
    return rounded >= least && rounded <= most ? rounded || 0 : undefined;
  };
}

function integer(least: number, most: number): Rule {
  return (value) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? (value as number)
      : undefined;
}

function object(rules: Readonly<Record<string, Rule>>): Rule {
  return (value, room) => {
    if (typeof value !== 'object' || value === null) return undefined;
    const kept: Record<string, JsonValue> = {};
    for (const [name, rule] of Object.entries(rules)) {
      const found = rule((value as Readonly<Record<string, unknown>>)[name], room);
      if (found !== undefined) kept[name] = found;
    }
    return Object.keys(kept).length === 0 ? undefined : kept;
  };
}

const size = integer(1, 2 ** 32);
const positive = number(3, 0.001, 1e9);
const ordinal = object({ number: integer(1, 99_999), total: integer(1, 99_999) });

/** In this order the texts get their room: short facts before lists, the longest last. */
const FIELDS = object({
  kind: text,
  mime: text,
  width: size,
  height: size,
  duration: positive,
  taken: time,
  orientation: integer(1, 8),
  camera: object({ make: text, model: text, serial: text, lens: text }),
  exposure: object({
    time: text,
    fNumber: positive,
    iso: integer(1, 2 ** 32),
    focalLength: positive,
    focalLength35: positive,
  }),
  gps: object({
    latitude: number(7, -90, 90),
    longitude: number(7, -180, 180),
    altitude: number(1, -1e6, 1e6),
  }),
  rating: number(1, 0, 5),
  audio: object({
    codec: text,
    sampleRate: size,
    channels: integer(1, 1024),
    bitDepth: integer(1, 64),
    bitRate: number(0, 1, 1e12),
  }),
  video: object({ codec: text, frameRate: positive, rotation: integer(0, 270) }),
  title: text,
  artist: texts,
  album: text,
  albumArtist: text,
  composer: texts,
  track: ordinal,
  disc: ordinal,
  date: text,
  year: integer(1, 9999),
  genre: texts,
  musicbrainz: object({ trackId: text, recordingId: text, albumId: text, artistId: text }),
  creator: texts,
  rights: text,
  software: text,
  description: text,
  keywords: texts,
});

/** Cut at a character; NFC again after it, because a cut text may compose anew. */
function cleanText(value: string): string {
  const units = value.slice(0, MEDIA_LIMITS.characters * 4).replace(/\0/g, '');
  const characters = Array.from(
    units
      .replace(/\p{Surrogate}/gu, '\ufffd')
      .normalize('NFC')
      .trim(),
  );
  return characters.slice(0, MEDIA_LIMITS.characters).join('').trim().normalize('NFC');
}
