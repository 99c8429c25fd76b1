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
  const repository = shortened(version?.repository ?? 'bk');
  const date = (mtime ?? UNKNOWN).split('T', 1)[0];
  return besideName(name, `conflict ${repository} ${date}`, taken);
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
