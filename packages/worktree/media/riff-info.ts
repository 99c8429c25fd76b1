import type { MediaFacts } from '@bk/core';
import { type Chunk, chunksOf } from './riff.ts';
import { beforeNul, nonEmpty, nonEmptyList, numbered, plainText, yearOf } from './text.ts';
import { attempt, type Window } from './window.ts';

const LONGEST = 64 << 10;

/** The tags of a `LIST` of the type `INFO`, in WAV and AVI; undefined for other lists. */
export function riffInfo(window: Window, list: Chunk): MediaFacts | undefined {
  if (list.length < 4 || window.bytes(list.at, 4).toString('latin1') !== 'INFO') return undefined;
  const found = new Map<string, string>();
  attempt(window, () => {
    for (const { id, at, length } of chunksOf(window, list.at + 4, list.at + list.length)) {
      if (length <= LONGEST && at + length <= window.size)
        found.set(id, beforeNul(plainText(window.bytes(at, length))));
    }
  });
  const text = (...names: readonly string[]): string | undefined =>
    names.map((name) => nonEmpty(found.get(name))).find((value) => value !== undefined);
  const texts = (name: string): readonly string[] | undefined => nonEmptyList([text(name) ?? '']);
  const date = text('ICRD', 'IYER');
  return {
    title: text('INAM', 'TITL'),
    artist: texts('IART'),
    album: text('IPRD'),
    composer: texts('IMUS'),
    genre: texts('IGNR'),
    track: numbered(text('ITRK', 'IPRT', 'TRCK')),
    date,
    year: yearOf(date),
    description: text('ISBJ'),
    keywords: nonEmptyList(text('IKEY')?.split(';')),
    rights: text('ICOP'),
    software: text('ISFT'),
  };
}
