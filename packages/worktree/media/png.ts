import { inflateSync } from 'node:zlib';
import type { MediaFacts } from '@bk/core';
import { type Exif, exifBlock } from './exif.ts';
import { firstKnown, type Reading } from './facts.ts';
import { iptcBlock, photoshopBlock } from './iptc.ts';
import { Spans, wholePayload } from './payload.ts';
import { latinText, nonEmpty } from './text.ts';
import { Unparsable, type Window } from './window.ts';
import { xmpBlock } from './xmp.ts';

const SIGNATURE = 8;
const MOST_CHUNKS = 2_000_000;
const LONGEST_TAG = 4 << 20;
/** Chunks that hold tags; more are not looked at, since each may unpack to a thousand times its length. */
const MOST_TAGS = 64;
const TAGS: ReadonlySet<string> = new Set(['eXIf', 'tEXt', 'zTXt', 'iTXt', 'tIME']);
const XMP = 'XML:com.adobe.xmp';

interface Found {
  exif?: Exif | undefined;
  xmp?: MediaFacts | undefined;
  iptc?: MediaFacts | undefined;
  readonly texts: Map<string, string>;
  tags: number;
}

/** PNG: chunks up to IEND. */
export function readPng(window: Window): Reading {
  const kept = new Spans();
  kept.add(0, SIGNATURE);
  const header = window.copy(SIGNATURE, 25);
  if (header.toString('latin1', 4, 8) !== 'IHDR') throw new Unparsable('malformed');
  const found: Found = { texts: new Map(), tags: 0 };
  let at = SIGNATURE;
  for (let type = '', count = 0; type !== 'IEND'; count++) {
    const head = window.bytes(at, 8);
    const length = head.readUInt32BE(0);
    type = head.toString('latin1', 4, 8);
    if (count > MOST_CHUNKS || !/^[A-Za-z]{4}$/.test(type)) throw new Unparsable('malformed');
    if (at + 12 + length > window.size) throw new Unparsable('truncated');
    if (!TAGS.has(type)) kept.add(at, 12 + length);
    else if (length <= LONGEST_TAG && found.tags++ < MOST_TAGS)
      readTag(type, window.copy(at + 8, length), found);
    at += 12 + length;
  }
  const facts = {
    kind: 'image',
    mime: 'image/png',
    width: header.readUInt32BE(8),
    height: header.readUInt32BE(12),
  } as const;
  return { facts: firstKnown(facts, ...tagFacts(found)), payload: wholePayload([kept.list], window.size) };
}

function tagFacts({ exif, xmp, iptc, texts }: Found): readonly (MediaFacts | undefined)[] {
  const text = (name: string): string | undefined => nonEmpty(texts.get(name));
  const author = text('Author');
  return [
    exif?.facts,
    xmp,
    iptc,
    {
      title: text('Title'),
      creator: author === undefined ? undefined : [author],
      description: text('Description'),
      rights: text('Copyright'),
      software: text('Software'),
    },
    exif?.texts,
  ];
}

function readTag(type: string, body: Buffer, found: Found): void {
  if (type === 'eXIf') found.exif ??= exifBlock(body);
  const end = body.indexOf(0);
  if (end < 1 || (type !== 'tEXt' && type !== 'zTXt' && type !== 'iTXt')) return;
  const name = body.toString('latin1', 0, end);
  const value = textValue(type, body.subarray(end + 1));
  if (value === undefined) return;
  if (name === XMP) found.xmp ??= xmpBlock(value);
  else if (name.startsWith('Raw profile type ')) readProfile(name.slice(17), value, found);
  else if (!found.texts.has(name)) {
    found.texts.set(name, type === 'iTXt' ? value.toString('utf8') : latinText(value));
  }
}

function textValue(type: string, rest: Buffer): Buffer | undefined {
  if (type === 'tEXt') return rest;
  if (type === 'zTXt') return inflated(rest.subarray(1));
  const isPacked = rest[0] === 1;
  const language = rest.indexOf(0, 2);
  const translated = language < 0 ? -1 : rest.indexOf(0, language + 1);
  if (translated < 0) return undefined;
  const value = rest.subarray(translated + 1);
  return isPacked ? inflated(value) : value;
}

function inflated(packed: Buffer): Buffer | undefined {
  try {
    return inflateSync(packed, { maxOutputLength: LONGEST_TAG });
  } catch {
    return undefined;
  }
}

/** Blocks in hexadecimal digits, after a name and a length, as ImageMagick wrote them before PNG had eXIf. */
function readProfile(name: string, value: Buffer, found: Found): void {
  const digits = /^\s*\S+\s+\d+\s+([\s0-9a-fA-F]*)/.exec(value.toString('latin1'))?.[1];
  const body = Buffer.from(digits?.replace(/\s/g, '') ?? '', 'hex');
  if (name === 'xmp') found.xmp ??= xmpBlock(body);
  else if (name === 'iptc') found.iptc ??= photoshopBlock(body) ?? iptcBlock(body);
  else if (name === 'exif') found.exif ??= exifBlock(body);
  else if (name === 'APP1' && body.toString('latin1', 0, 4) === 'Exif') found.exif ??= exifBlock(body);
  else if (name === 'APP1') found.xmp ??= xmpBlock(body.subarray(Math.max(0, body.indexOf('<'))));
}
