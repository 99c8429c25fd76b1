import { BkError } from './error.ts';
import { compareNames } from './path.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Limits for what others wrote: UTF-16 units of a text, levels of objects and arrays. */
export const JSON_LIMITS = { length: 1 << 20, depth: 32 } as const;

/**
 * The one canonical text of a value (SPEC 2.1): keys sorted by their bytes, each on a line of its own, one space of
 * indent for each level, only the necessary escapes, LF at the end. Keys whose value is undefined are left out.
 * @throws BkError 'damaged' for what has no such text: NaN and infinities, half surrogate pairs, the key `__proto__`,
 * more than 32 levels
 */
export function formatJson(value: JsonValue): string {
  return `${formatValue(value, '', 0)}\n`;
}

/**
 * Reads a text that formatJson wrote; every other spelling of the same value is refused, and with it duplicate keys,
 * `__proto__`, numbers that do not fit, half surrogate pairs, and anything too deep or too long.
 * @throws BkError 'damaged'
 */
export function parseJson(text: string): JsonValue {
  if (text.length > JSON_LIMITS.length)
    throw new BkError('damaged', `JSON too long: ${text.length} characters`);
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new BkError('damaged', 'not JSON', { cause });
  }
  if (formatJson(value) !== text) throw new BkError('damaged', 'JSON that is not canonical');
  return value;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function formatValue(value: JsonValue, indent: string, depth: number): string {
  if (typeof value === 'string') return formatString(value);
  if (typeof value === 'number') return formatNumber(value);
  if (value === null || typeof value === 'boolean') return String(value);
  if (depth >= JSON_LIMITS.depth)
    throw new BkError('damaged', `JSON nested more than ${JSON_LIMITS.depth} levels deep`);
  const inner = `${indent} `;
  if (Array.isArray(value)) {
    const items = value.map((item: JsonValue) => inner + formatValue(item, inner, depth + 1));
    return items.length === 0 ? '[]' : `[\n${items.join(',\n')}\n${indent}]`;
  }
  const members = formatMembers(value as JsonObject, inner, depth + 1);
  return members === '' ? '{}' : `{\n${members}\n${indent}}`;
}

function formatMembers(object: JsonObject, indent: string, depth: number): string {
  let text = '';
  for (const key of Object.keys(object).sort(compareNames)) {
    if (key === '__proto__') throw new BkError('damaged', 'the key "__proto__" is not allowed');
    const value = object[key];
    if (value === undefined) continue;
    if (text !== '') text += ',\n';
    text += `${indent}${formatString(key)}: ${formatValue(value, indent, depth)}`;
  }
  return text;
}

function formatString(text: string): string {
  if (LONE_SURROGATE.test(text)) throw new BkError('damaged', 'half a surrogate pair is not text');
  return JSON.stringify(text);
}

const LONE_SURROGATE = /\p{Surrogate}/u;

function formatNumber(value: number): string {
  if (!Number.isFinite(value)) throw new BkError('damaged', `not a number JSON can hold: ${value}`);
  return JSON.stringify(value);
}
