import { BkError, type ContentHash, type GitId, type JsonValue } from '@bk/core';
import type { Content, HoldOptions, RefUpdate, WantedContent } from '../port.ts';

/**
 * The arguments of calls as they travel: contents as `[blake3, size]` or `[blake3, size, bytes, prefix]`. Reading them
 * makes sure of the shape only; what they may say is for whoever answers (`asked.ts`).
 */
export function contentsSaid(contents: readonly WantedContent[]): JsonValue {
  return contents.map(({ blake3, size, have }) =>
    have === undefined ? [blake3, size] : [blake3, size, have.bytes, have.prefix],
  );
}

export function contentsAsked(said: JsonValue | undefined): readonly WantedContent[] {
  return list(said).map((one) => {
    const [blake3, size, bytes, prefix] = list(one);
    const content = { blake3: text(blake3) as ContentHash, size: number(size) };
    if (bytes === undefined) return content;
    return { ...content, have: { bytes: number(bytes), prefix: text(prefix) as ContentHash } };
  });
}

export function plainContentsAsked(said: JsonValue | undefined): readonly Content[] {
  return contentsAsked(said).map(({ blake3, size }) => ({ blake3, size }));
}

export function idsAsked(said: JsonValue | undefined): readonly GitId[] {
  return list(said).map((one) => text(one) as GitId);
}

export function updatesAsked(said: JsonValue | undefined): readonly RefUpdate[] {
  return list(said).map((one) => {
    const { name, expected, next } = fields(one);
    const update = { name: text(name), next: text(next) as GitId };
    return expected === undefined ? update : { ...update, expected: text(expected) as GitId };
  });
}

export function holdAsked(said: JsonValue): HoldOptions {
  const { forMs, rehash } = fields(said);
  return { forMs: number(forMs), rehash: rehash === true };
}

/** @throws BkError 'refused' */
export function fields(said: JsonValue | undefined): Readonly<Record<string, JsonValue | undefined>> {
  if (typeof said !== 'object' || said === null || Array.isArray(said)) throw misshapen();
  return said as Readonly<Record<string, JsonValue>>;
}

/** @throws BkError 'refused' */
export function text(said: JsonValue | undefined): string {
  if (typeof said !== 'string') throw misshapen();
  return said;
}

function number(said: JsonValue | undefined): number {
  if (typeof said !== 'number') throw misshapen();
  return said;
}

function list(said: JsonValue | undefined): readonly JsonValue[] {
  if (!Array.isArray(said)) throw misshapen();
  return said as readonly JsonValue[];
}

export function misshapen(): BkError {
  return new BkError('refused', 'cannot do what was asked: it does not have the form that it must have');
}
