import { Unparsable, type Window } from './window.ts';

/** A box of an ISO base media or QuickTime file; its body is [at, end). */
export interface Box {
  readonly type: string;
  readonly start: number;
  readonly at: number;
  readonly end: number;
  /** It says that it goes on where its parent or the file has ended. */
  readonly isCut: boolean;
}

const MOST_BOXES = 1_000_000;

/** Each box between two offsets, in the file's order. @throws Unparsable 'malformed' at what can be no box */
export function* boxesOf(window: Window, from: number, end: number): Generator<Box> {
  for (let at = from, count = 0; at + 8 <= end; count++) {
    if (count > MOST_BOXES) throw new Unparsable('malformed');
    const box = boxAt(window, at, end);
    // QuickTime ends some lists of boxes with four zero bytes.
    if (box === undefined) return;
    yield box;
    at = box.end;
  }
}

export function boxAt(window: Window, at: number, end: number): Box | undefined {
  const head = window.bytes(at, 8);
  const type = head.toString('latin1', 4, 8);
  let length = head.readUInt32BE(0);
  let header = 8;
  if (length === 1) {
    length = Number(window.bytes(at + 8, 8).readBigUInt64BE());
    header = 16;
  } else if (length === 0) {
    if (head.readUInt32BE(4) === 0) return undefined;
    length = end - at;
  }
  if (length < header) throw new Unparsable('malformed');
  const isCut = at + length > end;
  return { type, start: at, at: at + header, end: isCut ? end : at + length, isCut };
}

/** The first box of a type within another one's body. */
export function findBox(window: Window, parent: Box | undefined, type: string): Box | undefined {
  if (parent === undefined) return undefined;
  for (const box of boxesOf(window, parent.at, parent.end)) if (box.type === type) return box;
  return undefined;
}

/** Boxes within boxes: `['mdia', 'minf', 'stbl']`. */
export function findPath(window: Window, parent: Box, path: readonly string[]): Box | undefined {
  return path.reduce<Box | undefined>((box, type) => findBox(window, box, type), parent);
}

/** The body without version and flags. */
export function versioned(
  window: Window,
  box: Box,
): { readonly version: number; readonly flags: number; readonly body: Box } {
  const head = window.bytes(box.at, 4).readUInt32BE();
  return { version: head >>> 24, flags: head & 0xffffff, body: { ...box, at: box.at + 4 } };
}

/** A `meta` box's body: QuickTime's has no version. */
export function metaBody(window: Window, box: Box): Box {
  const isPlain = box.at + 8 <= box.end && window.bytes(box.at + 4, 4).toString('latin1') === 'hdlr';
  return isPlain ? box : { ...box, at: box.at + 4 };
}

/** A copy of a box's body. */
export function bodyOf(window: Window, box: Box): Buffer {
  return window.copy(box.at, box.end - box.at);
}
