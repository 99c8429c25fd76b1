import { plainText } from './text.ts';
import { Unparsable, type Window } from './window.ts';

/** One field of a TIFF directory: `at` is where its value stands in the window. */
export interface Field {
  readonly type: number;
  readonly count: number;
  readonly at: number;
}
export type Directory = ReadonlyMap<number, Field>;

/** A TIFF structure (TIFF, EXIF, most raw formats) that begins at `base` of a window. */
export interface Tiff {
  readonly window: Window;
  readonly base: number;
  readonly isLittle: boolean;
  /** BigTIFF: eight bytes where TIFF has four. */
  readonly isBig: boolean;
  /** After the byte order; 42 in TIFF proper. */
  readonly magic: number;
  readonly first: number;
}

const SIZES: readonly number[] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
const ASCII = 2;
const MOST_FIELDS = 1024;
const MOST_DIRECTORIES = 64;
const LONGEST_VALUE = 1 << 20;

/** @throws Unparsable if no TIFF begins there */
export function openTiff(window: Window, base = 0): Tiff {
  const head = window.bytes(base, 8);
  const order = head.toString('latin1', 0, 2);
  if (order !== 'II' && order !== 'MM') throw new Unparsable('malformed');
  const isLittle = order === 'II';
  const magic = isLittle ? head.readUInt16LE(2) : head.readUInt16BE(2);
  const isBig = magic === 43;
  const tiff = { window, base, isLittle, isBig, magic, first: 0 };
  return { ...tiff, first: isBig ? readOffset(tiff, base + 8) : readUnsigned(tiff, base + 4, 4) };
}

/** The fields of a directory; those of unknown types or whose values lie outside of the file are left out. */
export function readDirectory(tiff: Tiff, offset: number): Directory {
  const { window, isBig } = tiff;
  const start = tiff.base + offset;
  const count = isBig ? readOffset(tiff, start) : readUnsigned(tiff, start, 2);
  if (offset <= 0 || count > MOST_FIELDS) throw new Unparsable('malformed');
  const [header, length] = isBig ? [8, 20] : [2, 12];
  const fields = new Map<number, Field>();
  for (let i = 0; i < count; i++) {
    const at = start + header + i * length;
    if (at + length > window.size) break;
    const field = readField(tiff, at);
    if (field !== undefined) fields.set(readUnsigned(tiff, at, 2), field);
  }
  return fields;
}

/** The chain of directories from the first one; broken or repeated links end it. */
export function directoryChain(tiff: Tiff, first: number = tiff.first): readonly Directory[] {
  const found: Directory[] = [];
  const seen = new Set<number>();
  for (let offset = first; offset > 0 && !seen.has(offset) && found.length < MOST_DIRECTORIES; ) {
    seen.add(offset);
    if (found.length > 0 && tiff.base + offset + 2 > tiff.window.size) break;
    found.push(readDirectory(tiff, offset));
    offset = nextDirectory(tiff, offset);
  }
  return found;
}

/** None of a text, whose letters are no numbers. */
export function numbers(tiff: Tiff, field: Field | undefined, most = 1 << 20): readonly number[] {
  if (field === undefined || field.type === ASCII) return [];
  const size = SIZES[field.type] ?? 0;
  const values: number[] = [];
  for (let i = 0; i < Math.min(field.count, most); i++)
    values.push(readValue(tiff, field.type, field.at + i * size));
  return values;
}

export function firstNumber(tiff: Tiff, field: Field | undefined): number | undefined {
  const value = numbers(tiff, field, 1)[0];
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}

export function fieldBytes(tiff: Tiff, field: Field | undefined): Buffer | undefined {
  if (field === undefined) return undefined;
  return tiff.window.copy(field.at, Math.min(LONGEST_VALUE, field.count * (SIZES[field.type] ?? 0)));
}

/** A text field as it stands, NULs included; bytes of no type serve too. */
export function fieldText(tiff: Tiff, field: Field | undefined): string | undefined {
  const bytes = field?.type === ASCII || field?.type === 1 || field?.type === 7 || field?.type === 129;
  const found = bytes ? fieldBytes(tiff, field) : undefined;
  return found === undefined ? undefined : plainText(found);
}

function readField(tiff: Tiff, at: number): Field | undefined {
  const type = readUnsigned(tiff, at + 2, 2);
  const count = tiff.isBig ? readOffset(tiff, at + 4) : readUnsigned(tiff, at + 4, 4);
  const length = count * (SIZES[type] ?? 0);
  if (length === 0) return undefined;
  const [inline, value] = tiff.isBig ? [8, at + 12] : [4, at + 8];
  const where =
    length <= inline
      ? value
      : tiff.base + (tiff.isBig ? readOffset(tiff, value) : readUnsigned(tiff, value, 4));
  return where + length <= tiff.window.size ? { type, count, at: where } : undefined;
}

function nextDirectory(tiff: Tiff, offset: number): number {
  const start = tiff.base + offset;
  const count = tiff.isBig ? readOffset(tiff, start) : readUnsigned(tiff, start, 2);
  const at = start + (tiff.isBig ? 8 + count * 20 : 2 + count * 12);
  if (at + (tiff.isBig ? 8 : 4) > tiff.window.size) return 0;
  return tiff.isBig ? readOffset(tiff, at) : readUnsigned(tiff, at, 4);
}

function readUnsigned({ window, isLittle }: Tiff, at: number, length: 2 | 4): number {
  const bytes = window.bytes(at, length);
  return isLittle ? bytes.readUIntLE(0, length) : bytes.readUIntBE(0, length);
}

function readOffset({ window, isLittle }: Tiff, at: number): number {
  const bytes = window.bytes(at, 8);
  return Number(isLittle ? bytes.readBigUInt64LE() : bytes.readBigUInt64BE());
}

function readValue(tiff: Tiff, type: number, at: number): number {
  const bytes = tiff.window.bytes(at, SIZES[type] ?? 0);
  const { isLittle } = tiff;
  switch (type) {
    case 3:
      return isLittle ? bytes.readUInt16LE() : bytes.readUInt16BE();
    case 4:
    case 13:
      return isLittle ? bytes.readUInt32LE() : bytes.readUInt32BE();
    case 5:
      return isLittle
        ? bytes.readUInt32LE(0) / bytes.readUInt32LE(4)
        : bytes.readUInt32BE(0) / bytes.readUInt32BE(4);
    case 6:
      return bytes.readInt8();
    case 8:
      return isLittle ? bytes.readInt16LE() : bytes.readInt16BE();
    case 9:
      return isLittle ? bytes.readInt32LE() : bytes.readInt32BE();
    case 10:
      return isLittle
        ? bytes.readInt32LE(0) / bytes.readInt32LE(4)
        : bytes.readInt32BE(0) / bytes.readInt32BE(4);
    case 11:
      return isLittle ? bytes.readFloatLE() : bytes.readFloatBE();
    case 12:
      return isLittle ? bytes.readDoubleLE() : bytes.readDoubleBE();
    case 16:
    case 18:
      return readOffset(tiff, at);
    case 17:
      return Number(isLittle ? bytes.readBigInt64LE() : bytes.readBigInt64BE());
    default:
      return bytes.readUInt8();
  }
}
