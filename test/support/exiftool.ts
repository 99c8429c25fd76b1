import { spawnSync } from 'node:child_process';
import type { JsonObject, JsonValue } from '@bk/core';
import { type Agreement, agreementOf } from './media-agreement.ts';

/** What exiftool says of a file: `Group:Tag` and plain values. */
export type ExiftoolTags = Readonly<Record<string, JsonValue>>;

/** One run for all files: it starts slowly. Dublin Core's names stand in other schemes too, and a thumbnail is turned too, so these come by themselves. */
export function exiftoolTags(files: readonly string[]): ReadonlyMap<string, ExiftoolTags> {
  const all = ask(['-G0'], files);
  const core = ask(['-G1', '-XMP-dc:all', '-IFD0:Orientation'], files);
  return new Map([...all].map(([file, tags]) => [file, { ...tags, ...core.get(file) }]));
}

function ask(options: readonly string[], files: readonly string[]): ReadonlyMap<string, ExiftoolTags> {
  // Its exit code is 1 if one of the files is damaged; it answers for all of them.
  const { stdout, error } = spawnSync(
    'exiftool',
    ['-j', '-n', '-charset', 'iptc=UTF8', ...options, ...files],
    { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  if (error !== undefined) throw error;
  const found = JSON.parse(stdout) as readonly (ExiftoolTags & { readonly SourceFile: string })[];
  return new Map(found.map((tags) => [tags.SourceFile, tags]));
}

/** Every field that exiftool knows of a picture, against ours. What only we know is not compared. */
export function comparePicture(media: JsonObject, tags: ExiftoolTags): Agreement {
  const expected: Record<string, JsonValue | undefined> = {
    mime: SYNONYMS[String(tags['File:MIMEType'])] ?? tags['File:MIMEType'],
    width: sizeOf(tags)[0],
    height: sizeOf(tags)[1],
    taken: takenOf(tags),
    orientation: inRange(firstOf(tags, 'IFD0:Orientation', 'XMP:Orientation'), 1, 8),
    'camera.make': firstOf(tags, 'EXIF:Make', 'XMP:Make'),
    'camera.model': firstOf(tags, 'EXIF:Model', 'XMP:Model'),
    'camera.serial': firstOf(tags, 'EXIF:SerialNumber'),
    'camera.lens': firstOf(tags, 'EXIF:LensModel'),
    'exposure.time': timeOf(tags['EXIF:ExposureTime']),
    'exposure.fNumber': positive(tags['EXIF:FNumber']),
    'exposure.iso': positive(tags['EXIF:ISO']),
    'exposure.focalLength': positive(tags['EXIF:FocalLength']),
    'exposure.focalLength35': positive(tags['EXIF:FocalLengthIn35mmFormat']),
    'gps.latitude': tags['Composite:GPSLatitude'],
    'gps.longitude': tags['Composite:GPSLongitude'],
    'gps.altitude': tags['Composite:GPSAltitude'],
    rating: inRange(firstOf(tags, 'XMP:Rating', 'EXIF:Rating'), 0, 5),
    title: firstOf(tags, 'XMP-dc:Title', 'IPTC:ObjectName', 'PNG:Title', 'EXIF:XPTitle'),
    description: firstOf(
      tags,
      'XMP-dc:Description',
      'IPTC:Caption-Abstract',
      'PNG:Description',
      'EXIF:ImageDescription',
    ),
    creator: listed(firstOf(tags, 'XMP-dc:Creator', 'IPTC:By-line', 'PNG:Author', 'EXIF:Artist')),
    rights: firstOf(tags, 'XMP-dc:Rights', 'IPTC:CopyrightNotice', 'PNG:Copyright', 'EXIF:Copyright'),
    keywords: listed(firstOf(tags, 'XMP-dc:Subject', 'IPTC:Keywords')),
    software: firstOf(tags, 'EXIF:Software', 'XMP:CreatorTool', 'PNG:Software'),
  };
  return agreementOf(media, expected);
}

/** What is a name of its own only for exiftool. */
const SYNONYMS: Readonly<Record<string, string>> = {
  'image/x-tiff-big': 'image/tiff',
  'image/x-jps': 'image/jpeg',
};

/** exiftool prints a text that looks like a number as a number. */
const TEXTS =
  /:(?:Make|Model|SerialNumber|LensModel|Title|ObjectName|Description|ImageDescription|Caption-Abstract|Rights|Copyright|CopyrightNotice|Software|CreatorTool|Author|XPTitle)$/;

function firstOf(tags: ExiftoolTags, ...names: readonly string[]): JsonValue | undefined {
  for (const name of names) {
    const value = tags[name];
    if (value === undefined || (typeof value === 'string' && value.trim() === '')) continue;
    return TEXTS.test(name) && typeof value === 'number' ? String(value) : value;
  }
  return undefined;
}

/** Of raw formats with a picture inside, exiftool's first answer is that picture's size. */
function sizeOf(tags: ExiftoolTags): readonly (JsonValue | undefined)[] {
  const isRaw = /raf$|rw2$/.test(String(tags['File:MIMEType']));
  if (isRaw) return String(tags['Composite:ImageSize']).split(' ').map(Number);
  return ['ImageWidth', 'ImageHeight'].map((name) =>
    firstOf(tags, ...['File', 'PNG', 'RIFF', 'GIF', 'EXIF', 'MakerNotes'].map((group) => `${group}:${name}`)),
  );
}

/** exiftool's own time in RFC 3339's letters; what is no full date with a time is no answer. */
function takenOf(tags: ExiftoolTags): string | undefined {
  const exif =
    tags['EXIF:DateTimeOriginal'] === undefined ? undefined : tags['Composite:SubSecDateTimeOriginal'];
  const stated = String(exif ?? tags['EXIF:DateTimeOriginal'] ?? tags['XMP:DateTimeOriginal'] ?? '');
  const found = /^(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d.*)$/.exec(stated);
  return found === null || found[1] === '0000'
    ? undefined
    : `${found[1]}-${found[2]}-${found[3]}T${found[4]}`;
}

function timeOf(seconds: JsonValue | undefined): string | undefined {
  if (typeof seconds !== 'number' || seconds <= 0) return undefined;
  return seconds < 0.25001 ? `1/${Math.floor(0.5 + 1 / seconds)}` : String(Number(seconds.toFixed(1)));
}

function positive(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}

function inRange(value: JsonValue | undefined, least: number, most: number): JsonValue | undefined {
  return typeof value === 'number' && (value < least || value > most) ? undefined : value;
}

function listed(value: JsonValue | undefined): JsonValue | undefined {
  if (value === undefined || Array.isArray(value)) return value;
  return [value];
}
