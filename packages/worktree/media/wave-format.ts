import type { MediaFacts } from '@bk/core';

const EXTENSIBLE = 0xfffe;
/** ffprobe's names for Microsoft's numbers. */
const CODECS: Readonly<Record<number, string>> = {
  2: 'adpcm_ms',
  6: 'pcm_alaw',
  7: 'pcm_mulaw',
  17: 'adpcm_ima_wav',
  49: 'gsm_ms',
  80: 'mp2',
  85: 'mp3',
  255: 'aac',
  352: 'wmav1',
  353: 'wmav2',
  354: 'wmapro',
  8192: 'ac3',
  8193: 'dts',
  22127: 'vorbis',
  61868: 'flac',
};

export interface WaveFormat {
  readonly audio: NonNullable<MediaFacts['audio']>;
  readonly bytesPerSecond: number;
  readonly isPcm: boolean;
}

/** Microsoft's WAVEFORMATEX, of WAV, AVI and some Matroska tracks. */
export function waveFormat(bytes: Buffer): WaveFormat {
  const stated = bytes.readUInt16LE(0);
  const number = stated === EXTENSIBLE && bytes.length >= 26 ? bytes.readUInt16LE(24) : stated;
  const bits = bytes.length >= 16 ? bytes.readUInt16LE(14) : 0;
  const bytesPerSecond = bytes.readUInt32LE(8);
  const codec = codecOf(number, bits);
  const isPcm = codec?.startsWith('pcm_') ?? false;
  const audio = {
    codec,
    channels: bytes.readUInt16LE(2),
    sampleRate: bytes.readUInt32LE(4),
    bitDepth: isPcm && bits > 0 ? bits : undefined,
    bitRate: bytesPerSecond > 0 ? bytesPerSecond * 8 : undefined,
  };
  return { audio, bytesPerSecond, isPcm };
}

function codecOf(number: number, bits: number): string | undefined {
  if (number === 1) return bits <= 8 ? 'pcm_u8' : `pcm_s${bits}le`;
  if (number === 3) return bits === 64 ? 'pcm_f64le' : 'pcm_f32le';
  return CODECS[number];
}
