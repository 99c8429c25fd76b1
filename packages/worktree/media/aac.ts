const RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
] as const;
const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8] as const;
const SBR = 5;
const PS = 29;
const ESCAPE = 31;
const SYNC = 0x2b7;
const SYNC_PS = 0x548;

/**
 * Rate and channels of AAC as MPEG-4's AudioSpecificConfig states them: of what is heard, so with the doubled rate
 * of HE-AAC and the two channels that HE-AAC v2 makes of one.
 */
export function aacConfig(config: Buffer): { sampleRate?: number; channels?: number } {
  let at = 0;
  const bits = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i++, at++)
      value = (value << 1) | (((config[at >> 3] ?? 0) >> (7 - (at & 7))) & 1);
    return value;
  };
  const rate = (): number | undefined => {
    const index = bits(4);
    return index === 15 ? bits(24) : RATES[index];
  };
  const type = bits(5);
  if (type === ESCAPE) bits(6);
  const core = rate();
  const layout = bits(4);
  if (type === SBR || type === PS) return heard(rate(), type === PS ? 2 : CHANNELS[layout]);
  // Behind three flags may stand, for decoders that know of it, what makes HE-AAC of it.
  at += 3;
  const isDoubled = bits(11) === SYNC && bits(5) === SBR && bits(1) === 1;
  const sampleRate = isDoubled ? rate() : core;
  const isPaired = isDoubled && bits(11) === SYNC_PS && bits(1) === 1;
  return heard(sampleRate, isPaired ? 2 : CHANNELS[layout]);
}

function heard(
  sampleRate: number | undefined,
  channels: number | undefined,
): { sampleRate?: number; channels?: number } {
  return { ...(sampleRate && { sampleRate }), ...(channels && { channels }) };
}
