import fs from 'node:fs';
import type { JsonObject } from '@bk/core';
import { hashPayload } from '../../packages/worktree/media/payload.ts';
import { readMedia } from '../../packages/worktree/media/read.ts';
import { bytesSource } from '../../packages/worktree/media/window.ts';

export function mediaOf(file: string): JsonObject {
  return readMedia(bytesSource(fs.readFileSync(file)))?.media ?? {};
}

export function payloadOf(file: string): string | undefined {
  const source = bytesSource(fs.readFileSync(file));
  const payload = readMedia(source)?.payload;
  return payload === undefined ? undefined : hashPayload(source, payload);
}

/** What takes long to make is made for the first test that needs it. */
export function once<T>(make: () => T): () => T {
  let value: { readonly made: T } | undefined;
  return () => {
    value ??= { made: make() };
    return value.made;
  };
}
