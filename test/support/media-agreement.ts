import type { JsonObject, JsonValue } from '@bk/core';

/** A field in which we and an oracle differ. */
export interface Difference {
  readonly field: string;
  readonly ours: JsonValue | undefined;
  readonly theirs: JsonValue;
}

export interface Agreement {
  /** Fields that the oracle has. */
  readonly compared: number;
  readonly differences: readonly Difference[];
}

export function agreementOf(
  media: JsonObject,
  expected: Readonly<Record<string, JsonValue | undefined>>,
): Agreement {
  const differences: Difference[] = [];
  let compared = 0;
  for (const [field, value] of Object.entries(expected)) {
    const theirs = tidied(value);
    if (theirs === undefined) continue;
    compared++;
    const ours = field
      .split('.')
      .reduce<JsonValue | undefined>((at, key) => (at as JsonObject | undefined)?.[key], media);
    if (!isSame(field, ours, theirs)) differences.push({ field, ours, theirs });
  }
  return { compared, differences };
}

function isSame(field: string, ours: JsonValue | undefined, theirs: JsonValue): boolean {
  // exiftool prints a text like `1.00` as a number.
  if (typeof ours === 'string' && typeof theirs !== 'object')
    return isSameText(ours, theirs) || Number(ours) === Number(theirs);
  if (typeof theirs === 'number') {
    return Math.abs(Number(ours) - theirs) <= Math.max(TOLERANCE[field] ?? 0, Math.abs(theirs) * 1e-4);
  }
  if (Array.isArray(theirs) && Array.isArray(ours) && ours.length === theirs.length) {
    return theirs.every((one: JsonValue, i) => isSameText(ours[i], one));
  }
  return JSON.stringify(ours) === JSON.stringify(theirs);
}

/** exiftool prints `?` for letters in no stated encoding that are not UTF-8. */
function isSameText(ours: JsonValue | undefined, theirs: JsonValue): boolean {
  if (ours === theirs || typeof ours !== 'string' || typeof theirs !== 'string') return ours === theirs;
  const parts = theirs.split(/\?+/).map((part) => part.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
  return parts.length > 1 && new RegExp(`^${parts.join('[?\\u0080-\\uffff]+')}$`).test(ours);
}

/** What our rounding allows. */
const TOLERANCE: Readonly<Record<string, number>> = {
  'gps.latitude': 1e-6,
  'gps.longitude': 1e-6,
  'gps.altitude': 0.051,
  'exposure.fNumber': 0.001,
  'exposure.focalLength': 0.001,
  duration: 0.03,
  'video.frameRate': 0.002,
};

/** The oracle's text as SPEC 2.3 wants texts: trimmed, NFC, up to 1,000 characters, empty is absent. */
function tidied(value: JsonValue | undefined): JsonValue | undefined {
  if (typeof value === 'string')
    return [...value.normalize('NFC').trim()].slice(0, 1000).join('').trim() || undefined;
  if (Array.isArray(value)) {
    const kept = [...new Set(value.map((item: JsonValue) => String(item).normalize('NFC').trim()))].filter(
      Boolean,
    );
    return kept.length === 0 ? undefined : kept;
  }
  return value ?? undefined;
}
