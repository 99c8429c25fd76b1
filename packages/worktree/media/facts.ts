import type { MediaFacts } from '@bk/core';
import type { Payload } from './payload.ts';

/** Facts, and what is no fact of the content for a record: whom other programs say to be on the picture. */
export interface SaidFacts extends MediaFacts {
  readonly people?: readonly string[] | undefined;
}

/** What one format's reader found; `payload` only if the format has one and the file all of it. */
export interface Reading {
  readonly facts: SaidFacts;
  readonly payload?: Payload | undefined;
}

/** Of each fact the first that is known; facts in groups (camera, gps …) one by one; of people all. */
export function firstKnown(...sources: readonly (SaidFacts | undefined)[]): SaidFacts {
  const merged: Record<string, unknown> = {};
  for (const source of sources) {
    for (const [name, value] of Object.entries(source ?? {})) {
      const known = merged[name];
      if (known === undefined) merged[name] = value;
      else if (isGroup(known) && isGroup(value)) merged[name] = { ...defined(value), ...defined(known) };
    }
  }
  const people = [...new Set(sources.flatMap((source) => source?.people ?? []))];
  return { ...merged, ...(people.length > 0 && { people }) };
}

function isGroup(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function defined(group: object): object {
  return Object.fromEntries(Object.entries(group).filter(([, value]) => value !== undefined));
}
