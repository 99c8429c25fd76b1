export interface FlacInfo {
  readonly sampleRate: number;
  readonly channels: number;
  readonly bitDepth: number;
  /** Of each channel; 0: unknown. */
  readonly samples: number;
}

/** FLAC's STREAMINFO block, without its header. */
export function flacStreamInfo(block: Buffer): FlacInfo {
  const packed = block.readBigUInt64BE(10);
  return {
    sampleRate: Number(packed >> 44n),
    channels: Number((packed >> 41n) & 7n) + 1,
    bitDepth: Number((packed >> 36n) & 31n) + 1,
    samples: Number(packed & 0xf_ffff_ffffn),
  };
}
