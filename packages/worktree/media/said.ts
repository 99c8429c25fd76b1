import fs from 'node:fs';
import type { JsonObject } from '@bk/core';
import { readMedia } from './read.ts';
import type { SidecarFacts } from './sidecar.ts';
import { xmpBlock } from './xmp.ts';

/** Larger sidecars are none. */
const LONGEST = 4 << 20;

/** What people said of a file, and who is on it, with other programs, in the file itself (XMP, IPTC, tags); undefined: nothing. */
export function saidInFile(fd: number, size: number): SidecarFacts | undefined {
  const read = (offset: number, length: number): Uint8Array => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, offset));
  };
  const reading = readMedia({ size, read });
  return reading === undefined ? undefined : worthy(factsOf(reading.media, reading.people));
}

/** The same in an XMP sidecar; undefined: it is none, or says nothing. */
export function saidInSidecar(fd: number, size: number): SidecarFacts | undefined {
  if (size > LONGEST) return undefined;
  const facts = xmpBlock(wholeOf(fd, size));
  return facts === undefined ? undefined : worthy(factsOf(facts as JsonObject, facts.people));
}

/** Undefined: it is too long to be one. */
export function sidecarText(fd: number, size: number): string | undefined {
  return size > LONGEST ? undefined : wholeOf(fd, size).toString('utf8');
}

function wholeOf(fd: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  return bytes.subarray(0, fs.readSync(fd, bytes, 0, size, 0));
}

function factsOf(
  { keywords, title, description, rating }: JsonObject,
  people: readonly string[] = [],
): SidecarFacts {
  return {
    tags: Array.isArray(keywords) ? keywords.filter((one) => typeof one === 'string') : [],
    people,
    ...(typeof title === 'string' && { title }),
    ...(typeof description === 'string' && { description }),
    ...(typeof rating === 'number' && { rating }),
  };
}

function worthy(facts: SidecarFacts): SidecarFacts | undefined {
  const { tags, people, ...single } = facts;
  return tags.length + people.length + Object.keys(single).length === 0 ? undefined : facts;
}
