import type { MediaFacts } from '@bk/core';
import { type Box, bodyOf, boxesOf, findBox, metaBody, versioned } from './bmff.ts';
import { exifBlock } from './exif.ts';
import { firstKnown, type Reading } from './facts.ts';
import { type Item, itemLocations, readItems } from './heif-items.ts';
import { Spans, wholePayload } from './payload.ts';
import { attempt, Unparsable, type Window } from './window.ts';
import { xmpBlock } from './xmp.ts';

const LONGEST_TAG = 4 << 20;
/** All other items are pixels, or say how pixels are put together. */
const TAGS: ReadonlySet<string> = new Set(['Exif', 'mime', 'uri ']);

/** HEIC and AVIF: a picture made of items that the `meta` box lists. */
export function readHeif(window: Window, mime: string): Reading {
  const meta = topMeta(window);
  const items = readItems(window, meta);
  const locations = itemLocations(window, meta);
  const block = (item: Item): Buffer | undefined =>
    attempt(window, () => {
      const spans = locations.get(item.id) ?? [];
      const length = spans.reduce((sum, span) => sum + span.length, 0);
      if (length > LONGEST_TAG) return undefined;
      return Buffer.concat(spans.map((span) => window.copy(span.offset, span.length)));
    });
  const exif = items
    .filter(({ type }) => type === 'Exif')
    .map(block)
    .flatMap(exifItem)[0];
  const xmp = items.filter(({ contentType }) => contentType === 'application/rdf+xml').map(block)[0];
  const pixels = new Spans();
  for (const { id, type } of [...items].sort((a, b) => a.id - b.id)) {
    if (!TAGS.has(type)) for (const span of locations.get(id) ?? []) pixels.add(span.offset, span.length);
  }
  const facts = firstKnown(
    { kind: 'image', mime },
    exif?.facts,
    xmp === undefined ? undefined : xmpBlock(xmp),
    exif?.texts,
    primaryFacts(window, meta),
  );
  return { facts, payload: wholePayload([pixels.list], window.size) };
}

function topMeta(window: Window): Box {
  for (const box of boxesOf(window, 0, window.size)) {
    if (box.type !== 'meta') continue;
    if (box.isCut) throw new Unparsable('truncated');
    return metaBody(window, box);
  }
  throw new Unparsable('truncated');
}

/** The item begins with where its TIFF begins. */
function exifItem(bytes: Buffer | undefined): ReturnType<typeof exifBlock>[] {
  if (bytes === undefined || bytes.length < 8) return [];
  return [exifBlock(bytes.subarray(4 + bytes.readUInt32BE(0)))];
}

/** Size and rotation are properties of the primary item. */
function primaryFacts(window: Window, meta: Box): MediaFacts {
  const primary = findBox(window, meta, 'pitm');
  const properties = findBox(window, meta, 'iprp');
  if (primary === undefined || properties === undefined) return {};
  const { version, body } = versioned(window, primary);
  const id = window.bytes(body.at, version === 0 ? 2 : 4).readUIntBE(0, version === 0 ? 2 : 4);
  const wanted = new Set(associated(window, properties, id));
  let facts: MediaFacts = {};
  const container = findBox(window, properties, 'ipco');
  let index = 0;
  for (const box of container === undefined ? [] : boxesOf(window, container.at, container.end)) {
    index++;
    if (!wanted.has(index)) continue;
    if (box.type === 'ispe') {
      const size = window.bytes(box.at + 4, 8);
      facts = { ...facts, width: size.readUInt32BE(0), height: size.readUInt32BE(4) };
    } else if (box.type === 'irot') facts = { ...facts, orientation: ROTATED[window.byte(box.at) & 3] };
  }
  return facts;
}

/** EXIF's numbers for turns of 90 degrees against the clock. */
const ROTATED = [1, 8, 3, 6] as const;

/** The properties, counted from 1, that an item has. */
function associated(window: Window, properties: Box, wanted: number): readonly number[] {
  const box = findBox(window, properties, 'ipma');
  if (box === undefined) return [];
  const bytes = bodyOf(window, box);
  const isLong = bytes[0] !== 0;
  const isWide = ((bytes[3] as number) & 1) === 1;
  let at = 8;
  for (let left = bytes.readUInt32BE(4); left > 0; left--) {
    const id = isLong ? bytes.readUInt32BE(at) : bytes.readUInt16BE(at);
    at += isLong ? 4 : 2;
    const count = bytes.readUInt8(at++);
    const width = isWide ? 2 : 1;
    if (id === wanted) {
      return Array.from(
        { length: count },
        (_, i) => bytes.readUIntBE(at + i * width, width) & (isWide ? 0x7fff : 0x7f),
      );
    }
    at += count * width;
  }
  return [];
}
