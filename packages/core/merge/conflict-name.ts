import { besideName } from '../beside.ts';
import { utf8Bytes } from '../name.ts';
import type { EncodedName } from '../path.ts';
import type { Version } from './input.ts';

/** So that a name of 255 bytes has room for it, and something of the stem stays. */
const REPOSITORY_BYTES = 100;

/**
 * `STEM (conflict REPOSITORY YYYY-MM-DD).EXT`.
 * @param mtime of the content that gets the name, as in its record
 */
export function conflictName(
  name: EncodedName,
  version: Version | undefined,
  mtime: string | undefined,
  taken: (name: EncodedName) => boolean,
): EncodedName {
  return besideName(name, conflictNote(version?.repository ?? 'bk', mtime), taken);
}

/** What the name of a conflict says: whose content it is, and of which day. */
export function conflictNote(repository: string, mtime: string | undefined): string {
  return `conflict ${shortened(repository)} ${(mtime ?? UNKNOWN).split('T', 1)[0]}`;
}

const UNKNOWN = '1970-01-01';

function shortened(repository: string): string {
  let text = '';
  let bytes = 0;
  for (const character of repository) {
    bytes += utf8Bytes(character).length;
    if (bytes > REPOSITORY_BYTES) break;
    text += character;
  }
  return text;
}
