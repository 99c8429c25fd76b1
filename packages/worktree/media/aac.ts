const RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
] as const;
const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8] as const;
const SBR = 5;
const PS = 29;
const ESCAPE = 31;

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
  const sampleRate = type === SBR || type === PS ? rate() : core;
  const channels = type === PS ? 2 : CHANNELS[layout];
  return { ...(sampleRate && { sampleRate }), ...(channels && { channels }) };
}
