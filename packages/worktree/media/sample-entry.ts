import type { MediaFacts } from '@bk/core';
import { aacConfig } from './aac.ts';
import { type Box, bodyOf, boxesOf } from './bmff.ts';
import { flacStreamInfo } from './flac-info.ts';
import { type Window, windowOn } from './window.ts';

export interface AudioEntry {
  readonly facts: NonNullable<MediaFacts['audio']>;
  /** Of uncompressed sound: bytes of one sample of all channels; else 0. */
  readonly frameBytes: number;
}

export interface VideoEntry {
  readonly codec: string | undefined;
  readonly width: number;
  readonly height: number;
}

/** ffprobe's names for the four letters of a sample description. */
const VIDEO: Readonly<Record<string, string>> = {
  avc1: 'h264',
  avc3: 'h264',
  hvc1: 'hevc',
  hev1: 'hevc',
  dvh1: 'hevc',
  dvhe: 'hevc',
  av01: 'av1',
  vp08: 'vp8',
  vp09: 'vp9',
  mp4v: 'mpeg4',
  jpeg: 'mjpeg',
  mjpa: 'mjpeg',
  mjpb: 'mjpegb',
  s263: 'h263',
  h263: 'h263',
  SVQ1: 'svq1',
  SVQ3: 'svq3',
  'png ': 'png',
  'rle ': 'qtrle',
  '8BPS': '8bps',
  'raw ': 'rawvideo',
  '2vuy': 'rawvideo',
  yuv2: 'rawvideo',
  cvid: 'cinepak',
  apcn: 'prores',
  apch: 'prores',
  apcs: 'prores',
  apco: 'prores',
  ap4h: 'prores',
  ap4x: 'prores',
  'dvc ': 'dvvideo',
  dvcp: 'dvvideo',
  dvpp: 'dvvideo',
  dv5n: 'dvvideo',
  dv5p: 'dvvideo',
  mpg2: 'mpeg2video',
  m2v1: 'mpeg2video',
  hdv2: 'mpeg2video',
  hdv3: 'mpeg2video',
};
const AUDIO: Readonly<Record<string, string>> = {
  mp4a: 'aac',
  alac: 'alac',
  fLaC: 'flac',
  Opus: 'opus',
  'ac-3': 'ac3',
  'ec-3': 'eac3',
  dtsc: 'dts',
  samr: 'amr_nb',
  sawb: 'amr_wb',
  '.mp3': 'mp3',
  'ms\0U': 'mp3',
  ulaw: 'pcm_mulaw',
  alaw: 'pcm_alaw',
  ima4: 'adpcm_ima_qt',
  'raw ': 'pcm_u8',
  in24: 'pcm_s24be',
  in32: 'pcm_s32be',
  fl32: 'pcm_f32be',
  fl64: 'pcm_f64be',
  QDM2: 'qdm2',
};
/** MPEG-4's numbers of codecs. */
const OBJECTS: Readonly<Record<number, string>> = {
  32: 'mpeg4',
  64: 'aac',
  96: 'mpeg2video',
  97: 'mpeg2video',
  98: 'mpeg2video',
  99: 'mpeg2video',
  100: 'mpeg2video',
  101: 'mpeg2video',
  102: 'aac',
  103: 'aac',
  104: 'aac',
  105: 'mp3',
  106: 'mpeg1video',
  107: 'mp3',
  108: 'mjpeg',
  165: 'ac3',
  166: 'eac3',
  169: 'dts',
  173: 'opus',
  221: 'vorbis',
};

/** The first description of a video track's `stsd`. */
export function videoEntry(entry: Buffer): VideoEntry {
  const type = entry.toString('latin1', 4, 8);
  const children = childrenOf(entry, 86);
  const object = children.esds === undefined ? undefined : OBJECTS[children.esds.object];
  const codec = object ?? VIDEO[children.original ?? type];
  return { codec, width: entry.readUInt16BE(32), height: entry.readUInt16BE(34) };
}

/** The first description of a sound track's `stsd`; QuickTime has three versions of it. */
export function audioEntry(entry: Buffer): AudioEntry {
  const type = entry.toString('latin1', 4, 8);
  const version = entry.readUInt16BE(16);
  const isSecond = version === 2;
  const stated = {
    channels: isSecond ? entry.readUInt32BE(48) : entry.readUInt16BE(24),
    bits: isSecond ? entry.readUInt32BE(56) : entry.readUInt16BE(26),
    rate: isSecond ? entry.readDoubleBE(40) : entry.readUInt32BE(32) / 65536,
  };
  const children = childrenOf(entry, isSecond ? 72 : version === 1 ? 52 : 36);
  const flags = isSecond ? entry.readUInt32BE(60) : 0;
  const codec = codecOf(children.original ?? type, children, { bits: stated.bits, flags });
  const isPcm = codec?.startsWith('pcm_') ?? false;
  const pcmBits = isPcm ? Number(/\d+/.exec(codec ?? '')?.[0] ?? 8) : undefined;
  const facts = {
    codec,
    sampleRate: Math.round(stated.rate) || undefined,
    channels: stated.channels || undefined,
    bitDepth: isPcm ? pcmBits : undefined,
    ...children.config,
  };
  return { facts, frameBytes: pcmBits === undefined ? 0 : (stated.channels * pcmBits) / 8 };
}

interface Children {
  /** What the entry is called inside of a `wave` or an encrypted entry. */
  original?: string;
  esds?: { readonly object: number; readonly config: Buffer | undefined };
  isLittle?: boolean;
  config: Partial<Record<'sampleRate' | 'channels' | 'bitDepth' | 'bitRate', number | undefined>>;
}

function childrenOf(entry: Buffer, from: number): Children {
  const length = Math.min(entry.length, entry.readUInt32BE(0));
  const window = windowOn(entry.subarray(0, length));
  const found: Children = { config: {} };
  if (from >= length) return found;
  for (const box of boxesOf(window, from, length)) {
    if (box.type === 'wave' || box.type === 'sinf') {
      for (const inner of boxesOf(window, box.at, box.end)) readChild(window, inner, found);
    } else readChild(window, box, found);
  }
  return found;
}

function readChild(window: Window, box: Box, found: Children): void {
  const bytes = bodyOf(window, box);
  if (box.type === 'frma') found.original = bytes.toString('latin1', 0, 4);
  else if (box.type === 'enda') found.isLittle = bytes.readUInt16BE(0) === 1;
  else if (box.type === 'esds') readEsds(bytes, found);
  else if (box.type === 'alac' && bytes.length >= 28) {
    found.config = { bitDepth: bytes[9], channels: bytes[13], sampleRate: bytes.readUInt32BE(24) };
  } else if (box.type === 'dfLa') {
    const { sampleRate, channels, bitDepth } = flacStreamInfo(bytes.subarray(8));
    found.config = { sampleRate, channels, bitDepth };
  } else if (box.type === 'dOps') found.config = { channels: bytes[1], sampleRate: 48_000 };
}

/** Descriptors within descriptors; what is told is in the decoder's. */
function readEsds(bytes: Buffer, found: Children): void {
  let at = 4;
  const descriptor = (tag: number): boolean => {
    if (bytes[at++] !== tag) return false;
    for (let i = 0; i < 4 && ((bytes[at++] ?? 0) & 0x80) !== 0; i++);
    return true;
  };
  if (!descriptor(3)) return;
  const flags = bytes.readUInt8(at + 2);
  at += 3 + (flags & 0x80 ? 2 : 0);
  if (flags & 0x40) at += 1 + bytes.readUInt8(at);
  if (flags & 0x20) at += 2;
  if (!descriptor(4)) return;
  const object = bytes.readUInt8(at);
  const bitRate = bytes.readUInt32BE(at + 9);
  at += 13;
  const config = descriptor(5) ? bytes.subarray(at) : undefined;
  found.esds = { object, config };
  const isAac = OBJECTS[object] === 'aac' && config !== undefined;
  found.config = { ...(isAac && aacConfig(config)), bitRate: bitRate || undefined };
}

function codecOf(
  type: string,
  { esds, isLittle }: Children,
  { bits, flags }: { readonly bits: number; readonly flags: number },
): string | undefined {
  if (esds !== undefined && OBJECTS[esds.object] !== undefined) return OBJECTS[esds.object];
  if (type === 'sowt') return bits === 8 ? 'pcm_s8' : 'pcm_s16le';
  if (type === 'twos') return bits === 8 ? 'pcm_s8' : 'pcm_s16be';
  if (type === 'ipcm' || type === 'fpcm') return undefined;
  if (type === 'lpcm') return lpcm(bits, flags);
  const codec = AUDIO[type];
  const isSwapped = isLittle === true && /^pcm_\w(?:24|32|64)be$/.test(codec ?? '');
  return isSwapped ? codec?.replace(/be$/, 'le') : codec;
}

function lpcm(bits: number, flags: number): string {
  const order = (flags & 2) !== 0 ? 'be' : 'le';
  if ((flags & 1) !== 0) return `pcm_f${bits}${order}`;
  const sign = (flags & 4) !== 0 ? 's' : 'u';
  return bits === 8 ? `pcm_${sign}8` : `pcm_${sign}${bits}${order}`;
}
