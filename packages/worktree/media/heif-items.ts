import { type Box, bodyOf, boxesOf, findBox } from './bmff.ts';
import type { Span } from './payload.ts';
import { Unparsable, type Window } from './window.ts';

export interface Item {
  readonly id: number;
  /** `hvc1`, `av01`, `grid`, `Exif`, `mime` … */
  readonly type: string;
  readonly contentType: string;
}

const MOST_ITEMS = 100_000;

/** The items of a `meta` box, as its `iinf` lists them. */
export function readItems(window: Window, meta: Box): readonly Item[] {
  const list = findBox(window, meta, 'iinf');
  if (list === undefined) throw new Unparsable('malformed');
  const count = list.at + 4 + (window.byte(list.at) === 0 ? 2 : 4);
  const items: Item[] = [];
  for (const box of boxesOf(window, count, list.end)) {
    const item = box.type === 'infe' ? readItem(bodyOf(window, box)) : undefined;
    if (item !== undefined) items.push(item);
    if (items.length > MOST_ITEMS) throw new Unparsable('malformed');
  }
  return items;
}

function readItem(bytes: Buffer): Item | undefined {
  const version = bytes.readUInt8(0);
  if (version < 2) return undefined;
  const id = version === 2 ? bytes.readUInt16BE(4) : bytes.readUInt32BE(4);
  const at = version === 2 ? 8 : 10;
  const type = bytes.toString('latin1', at, at + 4);
  const [, contentType = ''] = bytes.toString('latin1', at + 4).split('\0');
  return { id, type, contentType };
}

/** Where in the file each item's data lies. Items made of other items' data are left out. */
export function itemLocations(window: Window, meta: Box): ReadonlyMap<number, readonly Span[]> {
  const box = findBox(window, meta, 'iloc');
  if (box === undefined) throw new Unparsable('malformed');
  const bytes = bodyOf(window, box);
  const version = bytes.readUInt8(0);
  const sizes = [
    bytes.readUInt8(4) >> 4,
    bytes.readUInt8(4) & 15,
    bytes.readUInt8(5) >> 4,
    bytes.readUInt8(5) & 15,
  ] as const;
  const [offsetSize, lengthSize, baseSize, indexSize] = sizes;
  if (sizes.some((size) => size !== 0 && size !== 4 && size !== 8)) throw new Unparsable('malformed');
  const data = findBox(window, meta, 'idat');
  const reader = new Reader(bytes, 6);
  const found = new Map<number, readonly Span[]>();
  let count = 0;
  for (let left = reader.next(version < 2 ? 2 : 4); left > 0; left--) {
    const id = reader.next(version < 2 ? 2 : 4);
    const method = version === 0 ? 0 : reader.next(2) & 15;
    reader.next(2);
    const base = reader.next(baseSize) + (method === 1 ? (data?.at ?? Number.NaN) : 0);
    const spans: Span[] = [];
    for (let extents = reader.next(2); extents > 0; extents--) {
      if (++count > MOST_ITEMS) throw new Unparsable('malformed');
      if (version > 0) reader.next(indexSize);
      const offset = base + reader.next(offsetSize);
      spans.push({ offset, length: reader.next(lengthSize) });
    }
    if (method < 2 && spans.every(({ offset }) => Number.isFinite(offset))) found.set(id, spans);
  }
  return found;
}

/** Numbers of given sizes, one after the other; a size of 0 is the number 0. */
class Reader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  next(size: number): number {
    const at = this.#at;
    this.#at += size;
    if (size === 0) return 0;
    return size === 8 ? Number(this.#bytes.readBigUInt64BE(at)) : this.#bytes.readUIntBE(at, size);
  }
}
