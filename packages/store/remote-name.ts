import { BkError, parseRev } from '@bk/core';

/** Usable in `refs/remotes/<name>/main`, in the file system's names and on a command line without quotes. */
const NAME = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}._+()'&-]*$/u;
const LONGEST_BYTES = 100;

/** Whether another repository can be known by this name here. */
export function isRemoteName(name: string): boolean {
  if (!NAME.test(name) || Buffer.byteLength(name) > LONGEST_BYTES) return false;
  if (name.includes('..') || name.endsWith('.') || name.endsWith('.lock')) return false;
  // Names are revisions too: one that means HEAD or a day could never be reached.
  return parsedAsName(name);
}

/** @throws BkError 'usage' */
export function checkedRemoteName(name: string): string {
  if (isRemoteName(name)) return name;
  throw new BkError('usage', `not a name for a remote: ${JSON.stringify(name)}`, {
    hint: 'letters, digits and . _ + - ( ), beginning with a letter or digit, up to 100 bytes; neither HEAD nor a date',
  });
}

/** A name for a remote that comes close to a repository's own name, which may have any characters, and is not taken. */
export function remoteNameFor(repositoryName: string, taken: Iterable<string> = []): string {
  const others = new Set([...taken].map((name) => name.toLowerCase()));
  const base = nearestName(repositoryName);
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${shortened(base, LONGEST_BYTES - 1 - String(n).length)}-${n}`;
    if (isRemoteName(name) && !others.has(name.toLowerCase())) return name;
  }
}

function nearestName(text: string): string {
  const plain = text
    .normalize('NFC')
    .replace(/[^\p{L}\p{M}\p{N}._+()'&-]+/gu, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[^\p{L}\p{N}_]+/u, '');
  return (
    shortened(plain, LONGEST_BYTES)
      .replace(/\.lock$/, '')
      .replace(/[.-]+$/, '') || 'remote'
  );
}

function shortened(text: string, bytes: number): string {
  const characters = [...text];
  while (Buffer.byteLength(characters.join('')) > bytes) characters.pop();
  return characters.join('');
}

function parsedAsName(name: string): boolean {
  try {
    return parseRev(name, { ms: 0, offsetMinutes: 0 }).base.kind === 'name';
  } catch {
    return false;
  }
}
