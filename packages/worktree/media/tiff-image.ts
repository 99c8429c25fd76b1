import type { MediaFacts } from '@bk/core';
import { exifOf } from './exif.ts';
import { firstKnown, type Reading } from './facts.ts';
import { iptcBlock, photoshopBlock } from './iptc.ts';
import { readJpeg } from './jpeg.ts';
import { type Payload, Spans, wholePayload } from './payload.ts';
import {
  type Directory,
  directoryChain,
  fieldBytes,
  firstNumber,
  numbers,
  openTiff,
  readDirectory,
  type Tiff,
} from './tiff.ts';
import { attempt, Unparsable, type Window, windowOn } from './window.ts';
import { xmpBlock } from './xmp.ts';

const SUB_DIRECTORIES = 0x014a;
const PANASONIC = 0x55;
/** Panasonic says this where the offset has a tag of its own. */
const ELSEWHERE = 0xffff_ffff;
const RAW_OFFSET = 0x0118;
const MOST_PICTURES = 256;
const LONGEST_PREVIEW = 16 << 20;
const MOST_STRIPS = 1 << 20;

/** TIFF and the raw formats that are TIFF inside: CR2, NEF, NRW, ARW, SR2, DNG, PEF, SRW, ORF, RW2, 3FR, IIQ … */
export function readTiffImage(window: Window): Reading {
  const tiff = openTiff(window);
  const chain = directoryChain(tiff);
  const [main] = chain;
  if (main === undefined) throw new Unparsable('malformed');
  const pictures = chain
    .flatMap((directory) => [directory, ...subPictures(tiff, directory)])
    .slice(0, MOST_PICTURES);
  const exif = exifOf(tiff, main);
  const facts = firstKnown(
    { kind: 'image', mime: mimeOf(tiff, main, exif.facts.camera?.make), ...framed(tiff, main) },
    dimensions(tiff, pictures),
    exif.facts,
    xmpOf(tiff, main),
    iptcOf(tiff, main),
    exif.texts,
    panasonicFacts(tiff, main),
  );
  return { facts, payload: wholePayload(pixels(tiff, pictures), window.size) };
}

function subPictures(tiff: Tiff, directory: Directory): readonly Directory[] {
  return numbers(tiff, directory.get(SUB_DIRECTORIES), 16).flatMap(
    (offset) => attempt(tiff.window, () => readDirectory(tiff, offset)) ?? [],
  );
}

function mimeOf(tiff: Tiff, main: Directory, make = ''): string {
  if (tiff.magic === 0x4f52 || tiff.magic === 0x5352) return 'image/x-olympus-orf';
  if (tiff.magic === PANASONIC) return 'image/x-panasonic-rw2';
  if (main.has(0xc612)) return 'image/x-adobe-dng';
  const letters = tiff.window.upTo(tiff.base + 8, 4).toString('latin1');
  if (letters.startsWith('CR')) return 'image/x-canon-cr2';
  if (letters === 'IIII' || letters === 'MMMM') return 'image/x-raw';
  const isRaw = main.has(SUB_DIRECTORIES) && (firstNumber(tiff, main.get(0x00fe)) ?? 0) === 1;
  const compression = firstNumber(tiff, main.get(0x0103)) ?? 1;
  const maker = RAW_MAKERS.find(([name]) => make.toUpperCase().startsWith(name));
  return maker !== undefined && (isRaw || compression === 6 || compression > 32_766)
    ? maker[1]
    : 'image/tiff';
}

const RAW_MAKERS: readonly (readonly [maker: string, mime: string])[] = [
  ['NIKON', 'image/x-nikon-nef'],
  ['SONY', 'image/x-sony-arw'],
  ['PENTAX', 'image/x-pentax-pef'],
  ['RICOH', 'image/x-pentax-pef'],
  ['SAMSUNG', 'image/x-samsung-srw'],
  ['HASSELBLAD', 'image/x-hasselblad-3fr'],
];

/** Of the largest picture that is no preview; the first one if all say that they are previews. */
function dimensions(tiff: Tiff, pictures: readonly Directory[]): { width?: number; height?: number } {
  const sized = pictures.flatMap((picture) => {
    const width = firstNumber(tiff, picture.get(0x0100)) ?? firstNumber(tiff, picture.get(0x0002));
    const height = firstNumber(tiff, picture.get(0x0101)) ?? firstNumber(tiff, picture.get(0x0003));
    const isPreview = ((firstNumber(tiff, picture.get(0x00fe)) ?? 0) & 1) === 1;
    return width === undefined || height === undefined ? [] : [{ width, height, isPreview }];
  });
  const full = sized.filter(({ isPreview }) => !isPreview);
  const [largest] = (full.length > 0 ? full : sized).sort((a, b) => b.width * b.height - a.width * a.height);
  return largest === undefined ? {} : { width: largest.width, height: largest.height };
}

/** Strips and tiles, picture by picture. Without any (a file that has none, or one that lies) there is no payload. */
function pixels(tiff: Tiff, pictures: readonly Directory[]): Payload {
  const spans = new Spans();
  let count = 0;
  for (const picture of pictures) {
    for (const [offsetTag, lengthTag] of [
      [0x0111, 0x0117],
      [0x0144, 0x0145],
    ] as const) {
      const offsets = numbers(tiff, picture.get(offsetTag));
      count += offsets.length;
      if (count > MOST_STRIPS) return [];
      const lengths = numbers(tiff, picture.get(lengthTag));
      for (const [i, stated] of offsets.entries()) {
        const offset = stated === ELSEWHERE ? (firstNumber(tiff, picture.get(RAW_OFFSET)) ?? stated) : stated;
        spans.add(tiff.base + offset, lengths[i] ?? 0);
      }
    }
  }
  return [spans.list];
}

function xmpOf(tiff: Tiff, main: Directory): MediaFacts | undefined {
  const bytes = fieldBytes(tiff, main.get(0x02bc));
  return bytes === undefined ? undefined : xmpBlock(bytes);
}

function iptcOf(tiff: Tiff, main: Directory): MediaFacts | undefined {
  const iptc = fieldBytes(tiff, main.get(0x83bb));
  const photoshop = fieldBytes(tiff, main.get(0x8649));
  return (
    (iptc === undefined ? undefined : iptcBlock(iptc)) ??
    (photoshop === undefined ? undefined : photoshopBlock(photoshop))
  );
}

/** Panasonic has tags of its own in the main directory: the part of the sensor that is the picture. */
function framed(tiff: Tiff, main: Directory): { width?: number; height?: number } {
  if (tiff.magic !== PANASONIC) return {};
  const [top, left, bottom, right] = [4, 5, 6, 7].map((tag) => firstNumber(tiff, main.get(tag)));
  if (top === undefined || left === undefined || bottom === undefined || right === undefined) return {};
  return { width: right - left, height: bottom - top };
}

/** The whole EXIF is in the preview, a JPEG. */
function panasonicFacts(tiff: Tiff, main: Directory): MediaFacts | undefined {
  if (tiff.magic !== PANASONIC) return undefined;
  const preview = main.get(0x002e);
  const jpeg = attempt(tiff.window, () => {
    if (preview === undefined || preview.count > LONGEST_PREVIEW) return undefined;
    return readJpeg(windowOn(tiff.window.copy(preview.at, preview.count))).facts;
  });
  return firstKnown({ exposure: { iso: firstNumber(tiff, main.get(0x0017)) } }, jpeg);
}
