import type { MediaFacts } from '@bk/core';
import { type Exif, exifBlock } from './exif.ts';
import { firstKnown, type Reading } from './facts.ts';
import { photoshopBlock } from './iptc.ts';
import { Spans, wholePayload } from './payload.ts';
import { Unparsable, type Window } from './window.ts';
import { xmpBlock } from './xmp.ts';
import { XmpExtension } from './xmp-extension.ts';

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP1 = 0xe1;
const APP13 = 0xed;
const COM = 0xfe;
const MOST_SEGMENTS = 100_000;
/** 4 MiB of Photoshop's resources. */
const MOST_RESOURCES = 64;
const EXIF = 'Exif\0\0';
const XMP = 'http://ns.adobe.com/xap/1.0/\0';
const PHOTOSHOP = 'Photoshop 3.0\0';

interface Found {
  width?: number;
  height?: number;
  /** One scan holds all of the picture. */
  isBaseline: boolean;
  components: number;
  exif?: Exif | undefined;
  xmp?: Buffer;
  readonly xmpExtension: XmpExtension;
  readonly photoshop: Buffer[];
  readonly kept: Spans;
}

/** JPEG: segments up to the end of the image; what follows (thumbnails, clips, trailers of makers) is not looked at. */
export function readJpeg(window: Window): Reading {
  const found: Found = {
    isBaseline: false,
    components: 0,
    xmpExtension: new XmpExtension(),
    photoshop: [],
    kept: new Spans(),
  };
  found.kept.add(0, 2);
  let at = 2;
  for (let count = 0; ; count++) {
    if (count > MOST_SEGMENTS) throw new Unparsable('malformed');
    if (window.byte(at) !== 0xff) throw new Unparsable('malformed');
    const marker = window.byte(at + 1);
    if (marker === 0xff) at++;
    else if (marker === EOI) break;
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= SOI)) at = keep(found, at, 2);
    else if (marker === SOS) at = keep(found, at, scanEnd(window, at, found) - at);
    else at = readSegment(window, at, found);
  }
  found.kept.add(at, 2);
  if (found.width === undefined) throw new Unparsable('malformed');
  return { facts: factsOf(found), payload: wholePayload([found.kept.list], window.size) };
}

function keep(found: Found, at: number, length: number): number {
  found.kept.add(at, length);
  return at + length;
}

function readSegment(window: Window, at: number, found: Found): number {
  const marker = window.byte(at + 1);
  const length = 2 + window.bytes(at + 2, 2).readUInt16BE();
  if (length < 4) throw new Unparsable('malformed');
  const body = window.bytes(at + 4, length - 4);
  if (isFrame(marker)) readFrame(body, marker, found);
  if (marker === APP1) readApp1(body, found);
  else if (marker === APP13) readApp13(body, found);
  if (marker !== APP1 && marker !== APP13 && marker !== COM) found.kept.add(at, length);
  return at + length;
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function readFrame(body: Buffer, marker: number, found: Found): void {
  if (found.width !== undefined || body.length < 6) return;
  found.height = body.readUInt16BE(1);
  found.width = body.readUInt16BE(3);
  found.components = body[5] as number;
  found.isBaseline = marker === 0xc0 || marker === 0xc1;
}

function readApp1(body: Buffer, found: Found): void {
  if (startsWith(body, EXIF)) found.exif ??= exifBlock(Buffer.from(body));
  else if (startsWith(body, XMP)) found.xmp ??= Buffer.from(body.subarray(XMP.length));
  else found.xmpExtension.add(body);
}

/** Resources that do not fit into one segment go on in the next. */
function readApp13(body: Buffer, found: Found): void {
  if (startsWith(body, PHOTOSHOP) && found.photoshop.length < MOST_RESOURCES)
    found.photoshop.push(Buffer.from(body.subarray(PHOTOSHOP.length)));
}

function startsWith(body: Buffer, head: string): boolean {
  return body.toString('latin1', 0, head.length) === head;
}

const END = Buffer.from([0xff, EOI]);

/**
 * Where the marker after a scan stands. Within coded data 0xff is followed by 0 or by a restart marker, so that the end
 * of a picture in one scan is found by searching for its two bytes.
 */
function scanEnd(window: Window, at: number, found: Found): number {
  const head = 2 + window.bytes(at + 2, 2).readUInt16BE();
  if (found.isBaseline && window.byte(at + 4) === found.components)
    return foundEnd(window.indexOf(END, at + head));
  return nextMarker(window, at + head);
}

const SCANNED = 1 << 20;

/** In a picture of several scans each is ended by any marker; most of the time here goes to bytes that are none. */
function nextMarker(window: Window, from: number): number {
  for (let start = from; start + 1 < window.size; ) {
    const part = window.upTo(start, SCANNED);
    let at = part.indexOf(0xff);
    for (; at >= 0 && at + 1 < part.length; at = part.indexOf(0xff, at + 1)) {
      const marker = part[at + 1] as number;
      if (marker !== 0 && marker !== 0xff && (marker < 0xd0 || marker > 0xd7)) return start + at;
    }
    start += at < 0 ? part.length : at;
  }
  throw new Unparsable('truncated');
}

function foundEnd(at: number): number {
  if (at < 0) throw new Unparsable('truncated');
  return at;
}

function factsOf(found: Found): MediaFacts {
  const iptc = found.photoshop.length === 0 ? undefined : photoshopBlock(Buffer.concat(found.photoshop));
  return firstKnown(
    { kind: 'image', mime: 'image/jpeg', width: found.width, height: found.height },
    found.exif?.facts,
    found.xmp && xmpBlock(found.xmp),
    found.xmp && found.xmpExtension.factsFor(found.xmp),
    iptc,
    found.exif?.texts,
  );
}
