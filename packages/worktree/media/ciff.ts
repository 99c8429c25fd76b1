import type { MediaFacts } from '@bk/core';
import { firstKnown, type Reading } from './facts.ts';
import { Spans, wholePayload } from './payload.ts';
import { nonEmpty, plainText } from './text.ts';
import { Unparsable, type Window } from './window.ts';

const DEEPEST = 8;
const MOST_ENTRIES = 2000;
const RAW_DATA = 0x2005;
const MAKE_AND_MODEL = 0x080a;
const SERIAL = 0x180b;
const TIME = 0x180e;
const IMAGE = 0x1810;
const IN_ENTRY = 0x4000;

interface Place {
  readonly start: number;
  readonly end: number;
}

interface Found {
  facts: MediaFacts;
  readonly raw: Spans;
  entries: number;
}

/** Canon's CRW: heaps within heaps, each with its directory at its end. The payload is the sensor's data. */
export function readCiff(window: Window): Reading {
  const start = window.bytes(2, 4).readUInt32LE();
  const found: Found = { facts: { kind: 'image', mime: 'image/x-canon-crw' }, raw: new Spans(), entries: 0 };
  readHeap(window, { start, end: window.size }, found, 0);
  return { facts: found.facts, payload: wholePayload([found.raw.list], window.size) };
}

function readHeap(window: Window, { start, end }: Place, found: Found, depth: number): void {
  const directory = start + window.bytes(end - 4, 4).readUInt32LE();
  const count = window.bytes(directory, 2).readUInt16LE();
  for (let i = 0; i < count; i++) {
    if (++found.entries > MOST_ENTRIES || depth > DEEPEST) throw new Unparsable('malformed');
    const at = directory + 2 + i * 10;
    const entry = window.copy(at, 10);
    const tag = entry.readUInt16LE(0);
    const isInside = (tag & IN_ENTRY) !== 0;
    const from = isInside ? at + 2 : start + entry.readUInt32LE(6);
    const place = { start: from, end: isInside ? at + 10 : from + entry.readUInt32LE(2) };
    const kind = tag & 0x3800;
    if (place.end > window.size) continue;
    if (!isInside && (kind === 0x2800 || kind === 0x3000)) readHeap(window, place, found, depth + 1);
    else readEntry(window, tag & 0x3fff, place, found);
  }
}

function readEntry(window: Window, tag: number, { start, end }: Place, found: Found): void {
  if (tag === RAW_DATA) found.raw.add(start, end - start);
  if (tag !== MAKE_AND_MODEL && tag !== SERIAL && tag !== TIME && tag !== IMAGE) return;
  const bytes = window.copy(start, Math.min(256, end - start));
  found.facts = firstKnown(found.facts, factsOf(tag, bytes));
}

function factsOf(tag: number, bytes: Buffer): MediaFacts {
  if (tag === MAKE_AND_MODEL) {
    const [make, model] = plainText(bytes).split('\0').map(nonEmpty);
    return { camera: { make, model } };
  }
  if (tag === SERIAL) return { camera: { serial: String(bytes.readUInt32LE(0)).padStart(10, '0') } };
  // Seconds since 1970 on the camera's own clock, so without a zone.
  if (tag === TIME) return { taken: new Date(bytes.readUInt32LE(0) * 1000).toISOString().slice(0, 19) };
  return {
    width: bytes.readUInt32LE(0),
    height: bytes.readUInt32LE(4),
    orientation: ({ 0: 1, 90: 6, 180: 3, 270: 8 } as Readonly<Record<number, number>>)[bytes.readInt32LE(12)],
  };
}
