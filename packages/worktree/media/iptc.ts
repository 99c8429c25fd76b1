import type { MediaFacts } from '@bk/core';
import { firstKnown } from './facts.ts';
import { latinText, nonEmpty, nonEmptyList, plainText } from './text.ts';

const IPTC_RESOURCE = 0x0404;
const UTF8 = '\x1b%G';
const MOST_DATASETS = 10_000;

/** The IPTC records within Photoshop's image resources (a JPEG's APP13 after `Photoshop 3.0\0`); the first one counts. */
export function photoshopBlock(bytes: Buffer): MediaFacts | undefined {
  const found: (MediaFacts | undefined)[] = [];
  for (let at = 0; at + 12 <= bytes.length && bytes.toString('latin1', at, at + 4) === '8BIM'; ) {
    const id = bytes.readUInt16BE(at + 4);
    const name = 1 + (bytes[at + 6] ?? 0);
    const sizeAt = at + 6 + name + (name % 2);
    if (sizeAt + 4 > bytes.length) break;
    const size = bytes.readUInt32BE(sizeAt);
    if (id === IPTC_RESOURCE) found.push(iptcBlock(bytes.subarray(sizeAt + 4, sizeAt + 4 + size)));
    at = sizeAt + 4 + size + (size % 2);
  }
  return found.some((facts) => facts !== undefined) ? firstKnown(...found) : undefined;
}

/** The facts of IPTC's information interchange model, record 2. */
export function iptcBlock(bytes: Buffer): MediaFacts | undefined {
  const found = datasets(bytes);
  if (found.size === 0) return undefined;
  const charset = found.get('1:90')?.[0]?.toString('latin1');
  const decode = charset === UTF8 || charset === undefined ? plainText : latinText;
  const texts = (name: string): readonly string[] | undefined => nonEmptyList(found.get(name)?.map(decode));
  const text = (name: string): string | undefined => nonEmpty(texts(name)?.[0]);
  return {
    title: text('2:5'),
    description: text('2:120'),
    creator: texts('2:80'),
    rights: text('2:116'),
    keywords: texts('2:25'),
  };
}

function datasets(bytes: Buffer): ReadonlyMap<string, readonly Buffer[]> {
  const found = new Map<string, Buffer[]>();
  let count = 0;
  for (let at = 0; at + 5 <= bytes.length && bytes[at] === 0x1c && count < MOST_DATASETS; count++) {
    const name = `${bytes[at + 1]}:${bytes[at + 2]}`;
    let length = bytes.readUInt16BE(at + 3);
    at += 5;
    if ((length & 0x8000) !== 0) {
      const digits = length & 0x7fff;
      if (digits < 1 || digits > 4 || at + digits > bytes.length) break;
      length = bytes.readUIntBE(at, digits);
      at += digits;
    }
    if (at + length > bytes.length) break;
    const values = found.get(name);
    if (values === undefined) found.set(name, [bytes.subarray(at, at + length)]);
    else values.push(bytes.subarray(at, at + length));
    at += length;
  }
  return found;
}
