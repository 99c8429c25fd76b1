import type { MediaFacts } from '@bk/core';
import { aacConfig } from './aac.ts';
import { type EbmlElement, elementsOf, float, unsigned } from './ebml.ts';
import { flacStreamInfo } from './flac-info.ts';
import { videoFourCc } from './video-codec.ts';
import { waveFormat } from './wave-format.ts';
import type { Window } from './window.ts';

export interface MatroskaTrack {
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly video?: MediaFacts['video'];
  readonly audio?: MediaFacts['audio'];
}

const TYPE = 0x83;
const CODEC = 0x86;
const PRIVATE = 0x63a2;
const DEFAULT_DURATION = 0x23e383;
const VIDEO = 0xe0;
const AUDIO = 0xe1;
const LONGEST = 1 << 20;

const CODECS: Readonly<Record<string, string>> = {
  'V_MPEG4/ISO/AVC': 'h264',
  'V_MPEGH/ISO/HEVC': 'hevc',
  V_AV1: 'av1',
  V_VP8: 'vp8',
  V_VP9: 'vp9',
  'V_MPEG4/ISO/ASP': 'mpeg4',
  'V_MPEG4/ISO/SP': 'mpeg4',
  'V_MPEG4/ISO/AP': 'mpeg4',
  'V_MPEG4/MS/V3': 'msmpeg4v3',
  V_MPEG1: 'mpeg1video',
  V_MPEG2: 'mpeg2video',
  V_MJPEG: 'mjpeg',
  V_THEORA: 'theora',
  V_PRORES: 'prores',
  V_FFV1: 'ffv1',
  V_UNCOMPRESSED: 'rawvideo',
  A_OPUS: 'opus',
  A_VORBIS: 'vorbis',
  A_FLAC: 'flac',
  A_ALAC: 'alac',
  'A_MPEG/L1': 'mp1',
  'A_MPEG/L2': 'mp2',
  'A_MPEG/L3': 'mp3',
  A_AC3: 'ac3',
  A_EAC3: 'eac3',
  A_DTS: 'dts',
  A_TRUEHD: 'truehd',
  A_TTA1: 'tta',
  A_WAVPACK4: 'wavpack',
};

export function matroskaTrack(window: Window, element: EbmlElement): MatroskaTrack | undefined {
  const parts = childBodies(window, element);
  const type = unsigned(parts.get(TYPE) ?? Buffer.alloc(0));
  const id = parts.get(CODEC)?.toString('latin1').replace(/\0+$/, '') ?? '';
  const config = parts.get(PRIVATE) ?? Buffer.alloc(0);
  const group = childBodies(window, find(window, element, type === 1 ? VIDEO : AUDIO));
  const number = (child: number): number | undefined => {
    const bytes = group.get(child);
    return bytes === undefined ? undefined : unsigned(bytes);
  };
  if (type === 1) {
    const each = unsigned(parts.get(DEFAULT_DURATION) ?? Buffer.alloc(0));
    const codec = id === 'V_MS/VFW/FOURCC' ? videoFourCc(config.toString('latin1', 16, 20)) : CODECS[id];
    return {
      width: number(0xb0),
      height: number(0xba),
      video: { codec, frameRate: each > 0 ? 1e9 / each : undefined },
    };
  }
  if (type !== 2) return undefined;
  const rate = float(group.get(0x78b5) ?? group.get(0xb5) ?? Buffer.alloc(0)) ?? 8000;
  const stated = { sampleRate: Math.round(rate), channels: number(0x9f) ?? 1, bitDepth: number(0x6264) };
  return { audio: audioFacts(id, config, stated) };
}

type Stated = Readonly<Record<'sampleRate' | 'channels' | 'bitDepth', number | undefined>>;

function audioFacts(id: string, config: Buffer, stated: Stated): NonNullable<MediaFacts['audio']> {
  const { bitDepth, ...lossy } = stated;
  if (id.startsWith('A_AAC')) return { codec: 'aac', ...lossy, ...(config.length >= 2 && aacConfig(config)) };
  if (id === 'A_MS/ACM') return waveFormat(config).audio;
  if (id.startsWith('A_PCM/')) return { codec: pcm(id, bitDepth), ...stated };
  if (id === 'A_OPUS') return { codec: 'opus', ...lossy, sampleRate: 48_000 };
  if (id === 'A_FLAC' && config.length >= 42) {
    const { sampleRate, channels, bitDepth: bits } = flacStreamInfo(config.subarray(8));
    return { codec: 'flac', sampleRate, channels, bitDepth: bits };
  }
  const codec = CODECS[id];
  return codec === 'alac' || codec === 'truehd' ? { codec, ...stated } : { codec, ...lossy };
}

function pcm(id: string, bits = 16): string | undefined {
  if (id === 'A_PCM/FLOAT/IEEE') return `pcm_f${bits}le`;
  if (bits === 8) return 'pcm_u8';
  return `pcm_s${bits}${id === 'A_PCM/INT/BIG' ? 'be' : 'le'}`;
}

function find(window: Window, parent: EbmlElement, id: number): EbmlElement | undefined {
  for (const element of elementsOf(window, parent.at, parent.end)) if (element.id === id) return element;
  return undefined;
}

function childBodies(window: Window, parent: EbmlElement | undefined): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  if (parent === undefined) return found;
  for (const { id, at, end } of elementsOf(window, parent.at, parent.end)) {
    if (!found.has(id) && end - at <= LONGEST) found.set(id, window.copy(at, end - at));
  }
  return found;
}
