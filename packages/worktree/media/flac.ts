import type { MediaFacts } from '@bk/core';
import { firstKnown, type Reading } from './facts.ts';
import { type FlacInfo, flacStreamInfo } from './flac-info.ts';
import { readTail } from './id3.ts';
import { wholePayload } from './payload.ts';
import { vorbisComments } from './vorbis-comment.ts';
import { attempt, Unparsable, type Window } from './window.ts';

const STREAMINFO = 0;
const COMMENTS = 4;
const MOST_BLOCKS = 10_000;

/** FLAC: blocks of metadata, then frames to the end; some programs put ID3 around it. */
export function readFlac(window: Window, begin = 0): Reading {
  let info: FlacInfo | undefined;
  let tags: MediaFacts | undefined;
  let at = begin + 4;
  for (let count = 0, isLast = false; !isLast; count++) {
    const head = window.bytes(at, 4);
    const type = (head[0] as number) & 0x7f;
    isLast = ((head[0] as number) & 0x80) !== 0;
    const length = head.readUIntBE(1, 3);
    at += 4;
    if (count > MOST_BLOCKS || type === 127) throw new Unparsable('malformed');
    if (at + length > window.size) throw new Unparsable('truncated');
    if (type === STREAMINFO) info ??= flacStreamInfo(window.copy(at, length));
    else if (type === COMMENTS) tags ??= attempt(window, () => vorbisComments(window.copy(at, length)));
    at += length;
  }
  if (info === undefined) throw new Unparsable('malformed');
  const tail = readTail(window, at);
  const { sampleRate, channels, bitDepth, samples } = info;
  const duration = samples > 0 ? samples / sampleRate : undefined;
  const bitRate = duration === undefined || duration === 0 ? undefined : ((tail.start - at) * 8) / duration;
  const audio = { codec: 'flac', sampleRate, channels, bitDepth, bitRate: bitRate || undefined };
  return {
    facts: firstKnown({ kind: 'audio', mime: 'audio/flac', duration, audio }, tags, tail.facts),
    payload: wholePayload([at < tail.start ? [{ offset: at, length: tail.start - at }] : []], window.size),
  };
}
