import { type MediaFacts, parseTaken } from '@bk/core';
import { exifBlock } from './exif.ts';
import { firstKnown, type Reading } from './facts.ts';
import { type Chunk, chunksOf } from './riff.ts';
import { riffInfo } from './riff-info.ts';
import { beforeNul } from './text.ts';
import { videoFourCc } from './video-codec.ts';
import { waveFormat } from './wave-format.ts';
import { attempt, Unparsable, type Window } from './window.ts';

interface Found {
  main?: Buffer;
  facts: MediaFacts;
  video?: MediaFacts;
  audio?: MediaFacts;
  readonly tags: (MediaFacts | undefined)[];
}

const LONGEST = 1 << 20;

/** AVI: lists of chunks. SPEC names no payload for it, so the frames (`movi`) are stepped over. */
export function readAvi(window: Window): Reading {
  const found: Found = { facts: {}, tags: [] };
  for (const chunk of chunksOf(window, 12, window.size)) readTop(window, chunk, found);
  if (found.main === undefined) throw new Unparsable('truncated');
  const micros = found.main.readUInt32LE(0);
  const duration = (micros * found.main.readUInt32LE(16)) / 1e6;
  const main: MediaFacts = {
    kind: 'video',
    mime: 'video/x-msvideo',
    width: found.main.readUInt32LE(32),
    height: found.main.readUInt32LE(36),
    duration: duration > 0 ? duration : undefined,
  };
  return { facts: firstKnown(found.video, found.audio, main, ...found.tags) };
}

function readTop(window: Window, chunk: Chunk, found: Found): void {
  const { id, at, length } = chunk;
  if (id === 'IDIT')
    found.tags.push({ taken: digitised(window.upTo(at, Math.min(length, 64)).toString('latin1')) });
  if (id !== 'LIST' || length < 4) return;
  const type = window.bytes(at, 4).toString('latin1');
  if (type === 'INFO') found.tags.push(riffInfo(window, chunk));
  if (type !== 'hdrl' && type !== 'strl' && type !== 'ncdt') return;
  let header: Buffer | undefined;
  for (const inner of chunksOf(window, at + 4, at + length)) {
    const body =
      inner.id === 'LIST' || inner.length > LONGEST ? undefined : window.upTo(inner.at, inner.length);
    if (inner.id === 'avih') found.main ??= Buffer.from(body ?? []);
    else if (inner.id === 'strh') header = Buffer.from(body ?? []);
    else if (inner.id === 'strf' && header !== undefined && body !== undefined) {
      const [stream, format] = [header, Buffer.from(body)];
      attempt(window, () => readStream(stream, format, found));
    } else if (inner.id === 'strd' && body !== undefined) found.tags.push(makerFacts(Buffer.from(body)));
    else readTop(window, inner, found);
  }
}

function readStream(header: Buffer, format: Buffer, found: Found): void {
  const type = header.toString('latin1', 0, 4);
  const [scale, rate, length] = [header.readUInt32LE(20), header.readUInt32LE(24), header.readUInt32LE(32)];
  const frameRate = scale > 0 && rate > 0 ? rate / scale : undefined;
  const duration = frameRate !== undefined && length > 0 ? length / frameRate : undefined;
  if (type === 'vids') {
    found.video ??= {
      width: format.readInt32LE(4),
      height: Math.abs(format.readInt32LE(8)),
      video: { codec: videoFourCc(format.toString('latin1', 16, 20)), frameRate },
      duration,
    };
  } else if (type === 'auds') found.audio ??= { audio: waveFormat(format).audio };
}

/** Some cameras put EXIF there. */
function makerFacts(bytes: Buffer): MediaFacts | undefined {
  return bytes.toString('latin1', 0, 4) === 'AVIF' ? exifBlock(bytes.subarray(8))?.facts : undefined;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Mon Mar 10 15:04:43 2003`, or a date as EXIF writes it; in the camera's own time. */
function digitised(text: string): string | undefined {
  const plain = beforeNul(text).trim().replace(/\s+/g, ' ');
  const found = /^[A-Za-z]{3} ([A-Za-z]{3}) (\d{1,2}) (\d\d:\d\d:\d\d) (\d{4})$/.exec(plain);
  if (found === null) return parseTaken(plain.replaceAll('/', ':'));
  const month = MONTHS.findIndex((name) => name.toLowerCase() === found[1]?.toLowerCase()) + 1;
  return parseTaken(
    `${found[4]}:${String(month).padStart(2, '0')}:${found[2]?.padStart(2, '0')} ${found[3]}`,
  );
}
