import { formatJson, isJsonObject, type JsonObject, type JsonValue } from '../json.ts';
import { compareNames } from '../path.ts';
import type { SideNumber } from './input.ts';

export type Later = () => SideNumber;
type Value = JsonValue | undefined;

export function isSameValue(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  return formatJson(a) === formatJson(b);
}

/** Three-way: who changed it has it; if both did, each in another way, the later version. Undefined: not there. */
export function mergeValue(base: Value, first: Value, second: Value, later: Later): Value {
  if (isSameValue(first, second) || isSameValue(second, base)) return first;
  if (isSameValue(first, base)) return second;
  return later() === 0 ? first : second;
}

/** Key by key; undefined: nothing is left. */
export function mergeKeys(
  base: Value,
  first: Value,
  second: Value,
  merge: (key: string, base: Value, first: Value, second: Value) => Value,
): JsonObject | undefined {
  const [old, a, b] = [base, first, second].map((value) => (isJsonObject(value) ? value : {})) as [
    JsonObject,
    JsonObject,
    JsonObject,
  ];
  const merged: Record<string, JsonValue> = {};
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)].sort(compareNames))) {
    const value = merge(key, old[key], a[key], b[key]);
    if (value !== undefined) merged[key] = value;
  }
  return Object.keys(merged).length === 0 ? undefined : merged;
}

/** What a person said about a file: each key by itself, tags and people as sets. */
export function mergeAttributes(
  base: Value,
  first: Value,
  second: Value,
  later: Later,
): JsonObject | undefined {
  if (isSameValue(first, second) && isJsonObject(first)) return first;
  return mergeKeys(base, first, second, (key, old, a, b) => {
    if (isSameValue(a, b) || isSameValue(b, old)) return a;
    if (isSameValue(a, old)) return b;
    const isSet = SETS.has(key) && [old, a, b].every((value) => value === undefined || isTexts(value));
    return isSet ? mergeSets(texts(old), texts(a), texts(b)) : mergeValue(old, a, b, later);
  });
}

const SETS: ReadonlySet<string> = new Set(['tags', 'people']);

function isTexts(value: Value): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function texts(value: Value): readonly string[] {
  return isTexts(value) ? value : [];
}

/** What one side added is in, what one took away is out. Sorted; undefined: empty. */
function mergeSets(base: readonly string[], first: readonly string[], second: readonly string[]): Value {
  const [old, a, b] = [new Set(base), new Set(first), new Set(second)];
  const merged = [...new Set([...first, ...second])].filter((item) => {
    return old.has(item) ? a.has(item) && b.has(item) : true;
  });
  return merged.length === 0 ? undefined : merged.sort(compareNames);
}
