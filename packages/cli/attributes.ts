import type { JsonObject, JsonValue } from '@bk/core';
import { type Style, safe } from './terminal.ts';

/** Attributes in a line: tags first, then the others by their keys. */
export function attributesText(attrs: JsonObject, style: Style): string {
  const { tags, ...others } = attrs;
  const said = Object.entries(others).map(([key, value]) => `${style('dim', safe(key))} ${valueText(value)}`);
  const all = tags === undefined ? said : [style('cyan', valueText(tags)), ...said];
  return all.length === 0 ? style('dim', 'none') : all.join(style('dim', '; '));
}

function valueText(value: JsonValue): string {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(valueText).join(', ');
  return safe(typeof value === 'string' ? value : JSON.stringify(value));
}
