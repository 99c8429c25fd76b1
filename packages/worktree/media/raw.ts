import type { MediaFacts } from '@bk/core';
import { exifBlock } from './exif.ts';
import { firstKnown, type Reading } from './facts.ts';
import { readJpeg } from './jpeg.ts';
import { wholePayload } from './payload.ts';
import { attempt, Unparsable, type Window, windowOn } from './window.ts';

const LONGEST_JPEG = 16 << 20;
const LONGEST_BLOCK = 1 << 20;
const CROPPED_SIZE = 0x0111;
const MOST_BLOCKS = 256;

/** Fujifilm's RAF: a JPEG with the EXIF, a table of its own, and the sensor's data, which is the payload. */
export function readFujifilm(window: Window): Reading {
  const head = window.copy(0, 0x6c);
  const [jpegAt, jpegLength, tableAt, , rawAt, rawLength] = [0, 4, 8, 12, 16, 20].map((at) =>
    head.readUInt32BE(0x54 + at),
  ) as [number, number, number, number, number, number];
  const jpeg = attempt(
    window,
    () => readJpeg(windowOn(window.copy(jpegAt, Math.min(jpegLength, LONGEST_JPEG)))).facts,
  );
  const size = attempt(window, () => fujifilmSize(window, tableAt));
  return {
    facts: firstKnown({ kind: 'image', mime: 'image/x-fujifilm-raf', ...size }, jpeg),
    payload: wholePayload([rawLength > 0 ? [{ offset: rawAt, length: rawLength }] : []], window.size),
  };
}

function fujifilmSize(window: Window, at: number): { width?: number; height?: number } {
  let next = at + 4;
  for (let left = Math.min(MOST_BLOCKS, window.bytes(at, 4).readUInt32BE()); left > 0; left--) {
    const head = window.bytes(next, 4);
    const [tag, length] = [head.readUInt16BE(0), head.readUInt16BE(2)];
    if (tag === CROPPED_SIZE && length >= 4) {
      const size = window.bytes(next + 4, 4);
      return { height: size.readUInt16BE(0), width: size.readUInt16BE(2) };
    }
    next += 4 + length;
  }
  return {};
}

/** Minolta's MRW: blocks (`PRD` has the size, `TTW` a TIFF), then the sensor's data, which is the payload. */
export function readMinolta(window: Window): Reading {
  const raw = 8 + window.bytes(4, 4).readUInt32BE();
  let facts: MediaFacts = { kind: 'image', mime: 'image/x-minolta-mrw' };
  let at = 8;
  for (let count = 0; at + 8 <= raw; count++) {
    if (count > MOST_BLOCKS) throw new Unparsable('malformed');
    const head = window.copy(at, 8);
    const name = head.toString('latin1', 0, 4);
    const length = head.readUInt32BE(4);
    if (length > LONGEST_BLOCK) throw new Unparsable('malformed');
    if (name === '\0PRD') {
      const size = window.bytes(at + 8 + 12, 4);
      facts = firstKnown(facts, { height: size.readUInt16BE(0), width: size.readUInt16BE(2) });
    } else if (name === '\0TTW') {
      const exif = exifBlock(window.copy(at + 8, length));
      facts = firstKnown(facts, exif?.facts, exif?.texts);
    }
    at += 8 + length;
  }
  return {
    facts,
    payload: wholePayload(
      [raw < window.size ? [{ offset: raw, length: window.size - raw }] : []],
      window.size,
    ),
  };
}
