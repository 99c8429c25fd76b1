import { type MediaFacts, parseTaken } from '@bk/core';
import { aboveZero, exposureTime } from './exif.ts';
import type { SaidFacts } from './facts.ts';
import { nonEmpty, nonEmptyList, utf16Text } from './text.ts';
import { type Element, parseXml } from './xml.ts';
import { PEOPLE_NAMESPACES, peopleOf } from './xmp-people.ts';

/** The namespaces that are read, by the prefix that is common for them; a file may use any other. */
const NAMESPACES: Readonly<Record<string, string>> = {
  'http://www.w3.org/1999/02/22-rdf-syntax-ns#': 'rdf',
  'http://purl.org/dc/elements/1.1/': 'dc',
  'http://ns.adobe.com/xap/1.0/': 'xmp',
  'http://ns.adobe.com/exif/1.0/': 'exif',
  'http://ns.adobe.com/exif/1.0/aux/': 'aux',
  'http://cipa.jp/exif/1.0/': 'exifEX',
  'http://ns.adobe.com/tiff/1.0/': 'tiff',
  ...PEOPLE_NAMESPACES,
};

type Properties = ReadonlyMap<string, readonly string[]>;

/** The facts of an XMP packet, and who is on the picture; undefined if it is none, or says nothing. */
export function xmpBlock(bytes: Buffer): SaidFacts | undefined {
  const root = parseXml(xmlText(bytes), NAMESPACES);
  const found = root === undefined ? undefined : propertiesOf(root);
  if (root === undefined || found === undefined) return undefined;
  const people = peopleOf(root);
  return { ...factsOf(found), ...(people.length > 0 && { people }) };
}

/** Undefined: there are none. */
function propertiesOf(root: Element): Properties | undefined {
  const found = new Map<string, readonly string[]>();
  for (const description of descriptions(root)) {
    for (const [name, value] of description.attributes) if (!found.has(name)) found.set(name, [value]);
    for (const child of description.children) {
      if (!found.has(child.name)) found.set(child.name, valuesOf(child));
    }
  }
  return found.size === 0 ? undefined : found;
}

function xmlText(bytes: Buffer): string {
  const [first, second] = bytes;
  if (first === 0x3c && second === 0) return utf16Text(bytes, true);
  if (first === 0 && second === 0x3c) return utf16Text(bytes, false);
  return bytes.toString('utf8');
}

function descriptions(root: Element): readonly Element[] {
  if (root.name === 'rdf:RDF') return root.children.filter(({ name }) => name === 'rdf:Description');
  return root.children.flatMap(descriptions);
}

/** One text for a simple property, its items for a list; of alternatives the default language comes first. */
function valuesOf(property: Element): readonly string[] {
  const [list] = property.children;
  if (list === undefined) return [property.text];
  if (!/^rdf:(?:Alt|Bag|Seq)$/.test(list.name)) return [];
  const items = list.children.filter(({ name }) => name === 'rdf:li');
  const isDefault = (item: Element): boolean => item.attributes.get('xml:lang') === 'x-default';
  const sorted =
    list.name === 'rdf:Alt' ? [...items].sort((a, b) => Number(isDefault(b)) - Number(isDefault(a))) : items;
  return sorted.map(({ text }) => text);
}

function factsOf(found: Properties): MediaFacts {
  const text = (name: string): string | undefined => nonEmpty(found.get(name)?.[0]);
  const value = (name: string): number | undefined => rational(text(name));
  const rating = value('xmp:Rating');
  return {
    taken: parseTaken(text('exif:DateTimeOriginal') ?? ''),
    orientation: value('tiff:Orientation'),
    software: text('xmp:CreatorTool'),
    camera: {
      make: text('tiff:Make'),
      model: text('tiff:Model'),
      serial: text('exifEX:BodySerialNumber') ?? text('aux:SerialNumber'),
      lens: text('exifEX:LensModel') ?? text('aux:Lens'),
    },
    exposure: {
      time: exposureTime(value('exif:ExposureTime')),
      fNumber: aboveZero(value('exif:FNumber')),
      iso: value('exif:ISOSpeedRatings') ?? value('exifEX:PhotographicSensitivity'),
      focalLength: aboveZero(value('exif:FocalLength')),
      focalLength35: aboveZero(value('exif:FocalLengthIn35mmFilm')),
    },
    gps: position(text, value),
    rating,
    title: text('dc:title'),
    description: text('dc:description'),
    creator: nonEmptyList(found.get('dc:creator')),
    rights: text('dc:rights'),
    keywords: nonEmptyList(found.get('dc:subject')),
  };
}

function position(
  text: (name: string) => string | undefined,
  value: (name: string) => number | undefined,
): NonNullable<MediaFacts['gps']> {
  const latitude = degrees(text('exif:GPSLatitude'), 'N', 'S');
  const longitude = degrees(text('exif:GPSLongitude'), 'E', 'W');
  const height = value('exif:GPSAltitude');
  const isBelow = text('exif:GPSAltitudeRef') === '1';
  const isPlace = latitude !== undefined && longitude !== undefined;
  return {
    ...(isPlace && { latitude, longitude }),
    altitude: height === undefined ? undefined : height * (isBelow ? -1 : 1),
  };
}

/** `47,22.5N`, `47,22,30N`. */
function degrees(text: string | undefined, positive: string, negative: string): number | undefined {
  const found = /^(\d{1,3}),(\d{1,2}(?:\.\d+)?)(?:,(\d{1,2}(?:\.\d+)?))?([NSEW])$/.exec(text ?? '');
  if (found === null || (found[4] !== positive && found[4] !== negative)) return undefined;
  const size = Number(found[1]) + Number(found[2]) / 60 + Number(found[3] ?? 0) / 3600;
  return found[4] === negative ? -size : size;
}

function rational(text: string | undefined): number | undefined {
  const found = /^([-+]?\d{1,15}(?:\.\d{1,15})?)(?:\/(\d{1,15}))?$/.exec(text ?? '');
  if (found === null) return undefined;
  const value = Number(found[1]) / Number(found[2] ?? 1);
  return Number.isFinite(value) ? value : undefined;
}
