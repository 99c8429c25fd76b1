import { type MediaFacts, parseTaken } from '@bk/core';
import { firstKnown } from './facts.ts';
import { beforeNul, nonEmpty, nonEmptyList, utf16Text } from './text.ts';
import {
  type Directory,
  directoryChain,
  fieldBytes,
  fieldText,
  firstNumber,
  numbers,
  openTiff,
  readDirectory,
  type Tiff,
} from './tiff.ts';
import { attempt, windowOn } from './window.ts';

/** What EXIF knows best, and what others (XMP, IPTC) say better if they say it. */
export interface Exif {
  readonly facts: MediaFacts;
  readonly texts: MediaFacts;
}

const EXIF_DIRECTORY = 0x8769;
const GPS_DIRECTORY = 0x8825;
const RATING = 0x4746;

/** An EXIF block by itself: the bytes after `Exif\0\0`, a PNG's eXIf, an item of HEIF. Undefined if it is broken. */
export function exifBlock(bytes: Buffer): Exif | undefined {
  const start = bytes.subarray(0, 6).toString('latin1') === 'Exif\0\0' ? 6 : 0;
  const window = windowOn(bytes.subarray(start));
  return attempt(window, () => {
    const tiff = openTiff(window);
    const [main] = directoryChain(tiff);
    return main === undefined ? undefined : exifOf(tiff, main);
  });
}

/** The facts of a TIFF's main directory and the ones it names. */
export function exifOf(tiff: Tiff, main: Directory): Exif {
  const detail = below(tiff, main, EXIF_DIRECTORY);
  const gps = below(tiff, main, GPS_DIRECTORY);
  return {
    facts: firstKnown(shot(tiff, main, detail), detail === main ? undefined : shot(tiff, detail, main), {
      gps: position(tiff, gps),
    }),
    texts: firstKnown(describing(tiff, main), describing(tiff, detail)),
  };
}

function below(tiff: Tiff, directory: Directory, tag: number): Directory {
  const offset = firstNumber(tiff, directory.get(tag));
  if (offset === undefined || offset === 0) return new Map();
  return attempt(tiff.window, () => readDirectory(tiff, offset)) ?? new Map();
}

/** Camera and exposure; the directories are searched in this order (a few cameras mix them up). */
function shot(tiff: Tiff, main: Directory, detail: Directory): MediaFacts {
  const text = (directory: Directory, tag: number): string | undefined =>
    line(fieldText(tiff, directory.get(tag)));
  const value = (tag: number): number | undefined => firstNumber(tiff, detail.get(tag) ?? main.get(tag));
  return {
    taken: takenOf(text(detail, 0x9003), text(detail, 0x9291), text(detail, 0x9011)),
    orientation: firstNumber(tiff, main.get(0x0112)),
    software: text(main, 0x0131),
    camera: {
      make: text(main, 0x010f),
      model: text(main, 0x0110),
      serial: text(detail, 0xa431) ?? text(main, 0xc62f),
      lens: text(detail, 0xa434),
    },
    exposure: {
      time: exposureTime(value(0x829a)),
      fNumber: aboveZero(value(0x829d)),
      iso: isoOf(value),
      focalLength: aboveZero(value(0x920a)),
      focalLength35: aboveZero(value(0xa405)),
    },
  };
}

/** Where sixteen bits were not enough, the tag of the kind that was stated tells. */
function isoOf(value: (tag: number) => number | undefined): number | undefined {
  const iso = value(0x8827);
  const fuller = iso === undefined || iso === 65535 ? (value(0x8832) ?? value(0x8831)) : undefined;
  return aboveZero(fuller ?? iso);
}

function describing(tiff: Tiff, main: Directory): MediaFacts {
  const windows = (tag: number): string | undefined => {
    const bytes = fieldBytes(tiff, main.get(tag));
    return bytes === undefined ? undefined : nonEmpty(beforeNul(utf16Text(bytes, true)));
  };
  const artist = line(fieldText(tiff, main.get(0x013b))) ?? windows(0x9c9d);
  const keywords = windows(0x9c9e);
  return {
    title: windows(0x9c9b),
    description: line(fieldText(tiff, main.get(0x010e))) ?? windows(0x9c9c),
    creator: nonEmptyList(artist?.split(';')),
    rights: nonEmpty(
      fieldText(tiff, main.get(0x8298))
        ?.replace(/\0+$/, '')
        .replace(/\s*\0+/g, '\n'),
    ),
    keywords: nonEmptyList(keywords?.split(';')),
    rating: firstNumber(tiff, main.get(RATING)),
  };
}

/** EXIF texts end at the first NUL and are padded with blanks. */
function line(text: string | undefined): string | undefined {
  return text === undefined ? undefined : nonEmpty(beforeNul(text));
}

function takenOf(
  time: string | undefined,
  fraction: string | undefined,
  zone: string | undefined,
): string | undefined {
  if (time === undefined) return undefined;
  const digits = /^\d{1,9}$/.test(fraction ?? '') && !time.includes('.') ? `.${fraction}` : '';
  const offset = /^(?:Z|[-+]\d\d:\d\d)$/.test(zone ?? '') && !/(?:Z|[-+]\d\d:?\d\d)$/.test(time) ? zone : '';
  return parseTaken(`${time}${digits}${offset}`);
}

/** Written as exiftool and cameras do: `1/125` up to a quarter of a second, else seconds with one decimal. */
export function exposureTime(seconds: number | undefined): string | undefined {
  if (seconds === undefined || !(seconds > 0) || seconds > 1e6) return undefined;
  if (seconds < 0.25001) return `1/${Math.floor(0.5 + 1 / seconds)}`;
  return seconds.toFixed(1).replace(/\.0$/, '');
}

export function aboveZero(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) && value > 0 ? value : undefined;
}

function position(tiff: Tiff, gps: Directory): NonNullable<MediaFacts['gps']> {
  const latitude = degrees(numbers(tiff, gps.get(2), 3), line(fieldText(tiff, gps.get(1))), 'N', 'S');
  const longitude = degrees(numbers(tiff, gps.get(4), 3), line(fieldText(tiff, gps.get(3))), 'E', 'W');
  const height = firstNumber(tiff, gps.get(6));
  const isBelow = (firstNumber(tiff, gps.get(5)) ?? 0) % 2 === 1;
  const isPlace = latitude !== undefined && longitude !== undefined;
  return {
    ...(isPlace && { latitude, longitude }),
    altitude: height === undefined ? undefined : height * (isBelow ? -1 : 1),
  };
}

/** Without its hemisphere a number of degrees is no place. */
function degrees(
  parts: readonly number[],
  hemisphere: string | undefined,
  positive: string,
  negative: string,
): number | undefined {
  const [degree, minute = 0, second = 0] = parts.map((part, i) => (i > 0 && Number.isNaN(part) ? 0 : part));
  const side = hemisphere?.[0]?.toUpperCase();
  if (degree === undefined || !Number.isFinite(degree) || (side !== positive && side !== negative))
    return undefined;
  return (degree + minute / 60 + second / 3600) * (side === negative ? -1 : 1);
}

/** EXIF whose three directories (main, detail, GPS) each stand in a TIFF of its own. */
export function separateExif(blocks: readonly (Buffer | undefined)[]): Exif {
  const [main, detail, gps] = blocks.map((block) => {
    const window = windowOn(block ?? Buffer.alloc(0));
    return attempt(window, () => {
      const tiff = openTiff(window);
      return { tiff, directory: directoryChain(tiff)[0] as Directory };
    });
  });
  const none: Directory = new Map();
  return {
    facts: firstKnown(
      main && shot(main.tiff, main.directory, none),
      detail && shot(detail.tiff, none, detail.directory),
      gps && { gps: position(gps.tiff, gps.directory) },
    ),
    texts: main === undefined ? {} : describing(main.tiff, main.directory),
  };
}
