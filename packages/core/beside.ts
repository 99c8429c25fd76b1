import { companionStem, withoutSidecarEnding } from './companions.ts';
import { BkError } from './error.ts';
import { decodeName, encodeName, utf8Bytes } from './name.ts';
import type { EncodedName, FsName } from './path.ts';

/** Most bytes of a name on the file systems bk knows. */
export const NAME_BYTES = 255;

/**
 * A free name for a file that cannot have its own: `STEM (NOTE).EXT`, then `STEM (NOTE) 2.EXT`, ` 3` …; the stem is
 * shortened at a character so that the name has at most 255 bytes. `.tar.*` is one extension, a leading dot begins
 * none. A name that already bears notes of the same kind (first word of the note, a date at its end) starts from its
 * original stem.
 * @param note for example `recovered 2026-10-01`, `conflict laptop 2026-10-01`
 * @param taken whether a name is not free; asked until it says no
 */
export function besideName(
  name: EncodedName,
  note: string,
  taken: (name: EncodedName) => boolean,
): EncodedName {
  const { stem, extension } = splitName(decodeName(name));
  const [found = name] = namesBeside({ stem, extensions: [extension] }, note, taken);
  return found;
}

/**
 * Free names for companions that come to lie beside others: all with the same note after their common stem, so that they
 * are companions again. In the order of `names`, of which all are of one group; one alone is named by besideName.
 * @param taken asked for each name, with its place in the list
 */
export function besideNames(
  names: readonly EncodedName[],
  note: string,
  taken: (name: EncodedName, i: number) => boolean,
): readonly EncodedName[] {
  const bytes = names.map(decodeName);
  const [first] = bytes;
  if (first === undefined || names.length === 1)
    return names.map((name) => besideName(name, note, (one) => taken(one, 0)));
  const common = companionStem(first);
  // What is named after a whole file (`song.mp3.xmp`) is named after its new name.
  const stem = bytes.includes(common) ? splitName(common).stem : common;
  const extensions = bytes.map((name) => name.slice(stem.length));
  return namesBeside({ stem, extensions }, note, taken);
}

function namesBeside(
  { stem, extensions }: { readonly stem: string; readonly extensions: readonly string[] },
  note: string,
  taken: (name: EncodedName, i: number) => boolean,
): readonly EncodedName[] {
  const noteBytes = escapeSlashes(utf8Bytes(note));
  const original = originalStem(stem, noteBytes);
  const longest = Math.max(...extensions.map((extension) => extension.length));
  for (let count = 1; ; count++) {
    const suffix = ` (${noteBytes})${count === 1 ? '' : ` ${count}`}`;
    const room = NAME_BYTES - suffix.length - longest;
    if (room < 1)
      throw new BkError(
        'io',
        `no room for a name beside ${encodeName(`${stem}${extensions[0]}` as FsName)}: ${note}`,
      );
    const candidates = extensions.map((extension) =>
      encodeName(`${shorten(original, room)}${suffix}${extension}` as FsName),
    );
    if (!candidates.some(taken)) return candidates;
  }
}

/**
 * A name without the notes of a kind (first word of the note) that besideName gave it; the same if it has none. In that of a
 * sidecar they may stand before the ending of its file (besideNames).
 */
export function withoutNotes(name: EncodedName, kind: string): EncodedName {
  return encodeName(withoutNotesIn(decodeName(name), kind));
}

function withoutNotesIn(name: FsName, kind: string): FsName {
  const { stem, extension } = splitName(name);
  const original = originalStem(stem, kind);
  if (original !== stem) return `${original}${extension}` as FsName;
  const file = withoutSidecarEnding(name);
  return file === name ? name : (`${withoutNotesIn(file, kind)}${name.slice(file.length)}` as FsName);
}

/** Bytes of a name, in two parts; together they are the name. */
export function splitName(name: FsName): { readonly stem: string; readonly extension: string } {
  const dot = name.lastIndexOf('.');
  const start = TAR.exec(name)?.index ?? dot;
  const extension = name.slice(start);
  if (start <= 0 || dot === name.length - 1 || extension.length > LONGEST_EXTENSION) {
    return { stem: name, extension: '' };
  }
  return { stem: name.slice(0, start), extension };
}

/** What is longer is no extension but a sentence with a full stop in it. */
const LONGEST_EXTENSION = 32;
const TAR = /(?<=.)\.tar\.[^.]+$/is;

/** Without the notes of this kind at its end. */
function originalStem(stem: string, note: string): string {
  const kind = note.split(' ', 1)[0] ?? '';
  const words = '(?:[^()]|\\([^()]*\\))*';
  const noted = ` \\(${quote(kind)} (?:${words} )?\\d{4}-\\d\\d-\\d\\d\\)(?: \\d+)?`;
  const pattern = new RegExp(`^(.+?)(?:${noted})+$`, 's');
  return pattern.exec(stem)?.[1] ?? stem;
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function escapeSlashes(bytes: string): string {
  return bytes.replace(/[/\0]/g, '_');
}

/** At most so many bytes, cut before a character, not in it (bytes that are no UTF-8 count as characters). */
function shorten(bytes: string, limit: number): string {
  if (bytes.length <= limit) return bytes;
  let end = limit;
  while (end > 0 && end > limit - 3 && isContinuation(bytes.charCodeAt(end))) end--;
  return bytes.slice(0, isContinuation(bytes.charCodeAt(end)) ? limit : end);
}

function isContinuation(byte: number): boolean {
  return byte >= 0x80 && byte < 0xc0;
}
