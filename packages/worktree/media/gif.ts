import type { MediaFacts } from '@bk/core';
import { firstKnown, type Reading } from './facts.ts';
import { Unparsable, type Window } from './window.ts';
import { xmpBlock } from './xmp.ts';

const MOST_BLOCKS = 10_000_000;
const IMAGE = 0x2c;
const EXTENSION = 0x21;
const TRAILER = 0x3b;
const GRAPHIC_CONTROL = 0xf9;
const APPLICATION = 0xff;
/** What follows an XMP packet so that readers of sub-blocks get past it. */
const XMP_TRAILER = 257;

interface Found {
  frames: number;
  /** Hundredths of a second. */
  delay: number;
  xmp?: MediaFacts | undefined;
}

/** GIF: blocks up to the trailer. SPEC names no payload for it. */
export function readGif(window: Window): Reading {
  const head = window.copy(0, 13);
  const found: Found = { frames: 0, delay: 0 };
  let at = 13 + colours(head[10] as number);
  for (let count = 0; ; count++) {
    if (count > MOST_BLOCKS) throw new Unparsable('malformed');
    const kind = window.byte(at);
    if (kind === TRAILER) break;
    if (kind === IMAGE) at = afterImage(window, at, found);
    else if (kind === EXTENSION) at = afterExtension(window, at, found);
    else throw new Unparsable('malformed');
  }
  const facts: MediaFacts = {
    kind: 'image',
    mime: 'image/gif',
    width: head.readUInt16LE(6),
    height: head.readUInt16LE(8),
    duration: found.frames > 1 ? found.delay / 100 : undefined,
  };
  return { facts: firstKnown(facts, found.xmp) };
}

function colours(flags: number): number {
  return (flags & 0x80) === 0 ? 0 : 3 << ((flags & 7) + 1);
}

function afterImage(window: Window, at: number, found: Found): number {
  found.frames++;
  return afterSubBlocks(window, at + 11 + colours(window.byte(at + 9)));
}

function afterExtension(window: Window, at: number, found: Found): number {
  const label = window.byte(at + 1);
  if (label === GRAPHIC_CONTROL) found.delay += window.bytes(at + 4, 2).readUInt16LE();
  const end = afterSubBlocks(window, at + 2);
  if (label === APPLICATION && window.bytes(at + 3, 11).toString('latin1') === 'XMP DataXMP') {
    const length = end - XMP_TRAILER - (at + 14) - 1;
    if (length > 0) found.xmp ??= xmpBlock(window.copy(at + 14, length));
  }
  return end;
}

function afterSubBlocks(window: Window, at: number): number {
  for (;;) {
    const length = window.byte(at);
    at += 1 + length;
    if (length === 0) return at;
  }
}
