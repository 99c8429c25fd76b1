import type { MediaFacts } from '@bk/core';
import type { Payload } from './payload.ts';

/** What one format's reader found; `payload` only if the format has one and the file all of it. */
export interface Reading {
  readonly facts: MediaFacts;
  readonly payload?: Payload | undefined;
}

/** Of each fact the first that is known; facts in groups (camera, gps …) one by one. */
export function firstKnown(...sources: readonly (MediaFacts | undefined)[]): MediaFacts {
  const merged: Record<string, unknown> = {};
  for (const source of sources) {
    for (const [name, value] of Object.entries(source ?? {})) {
      const known = merged[name];
      if (known === undefined) merged[name] = value;
      else if (isGroup(known) && isGroup(value)) merged[name] = { ...defined(value), ...defined(known) };
    }
  }
  return merged;
}

function isGroup(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function defined(group: object): object {
  return Object.fromEntries(Object.entries(group).filter(([, value]) => value !== undefined));
}
