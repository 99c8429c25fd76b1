import { BkError, contentHash, gitId } from '@bk/core';
import { type Content, type HoldOptions, LIMITS, type RefUpdate, type WantedContent } from './port.ts';

/**
 * What another side asks, checked before anything is done for it. Types are no help here: it came over a wire.
 * @throws BkError 'refused'
 */
export function checkIds(what: string, ids: readonly string[], most: number): void {
  capped(what, ids.length, most);
  for (const id of ids) refusing(what, () => gitId(text(id)));
}

export function checkUpdates(updates: readonly RefUpdate[]): void {
  capped('refs', updates.length, LIMITS.updates);
  const names = new Set<string>();
  for (const { name, expected, next } of updates) {
    if (!isRefName(name)) throw refused(`not the name of a ref: ${JSON.stringify(name)}`);
    if (names.has(name)) throw refused(`the ref ${name} twice`);
    names.add(name);
    checkIds('refs', expected === undefined ? [next] : [expected, next], 2);
  }
}

export function checkContents(contents: readonly WantedContent[]): void {
  capped('contents', contents.length, LIMITS.contents);
  for (const content of contents) checkContent(content);
}

export function checkContent(content: WantedContent): void {
  refusing('contents', () => contentHash(text(content.blake3)));
  const { size, have } = content;
  if (!Number.isSafeInteger(size) || size < 0 || size > LIMITS.content)
    throw refused(`a content of ${String(size)} bytes`);
  if (have === undefined) return;
  refusing('contents', () => contentHash(text(have.prefix)));
  if (!Number.isSafeInteger(have.bytes) || have.bytes < 0 || have.bytes > size)
    throw refused(`a content of ${size} bytes from ${String(have.bytes)} on`);
}

export function checkHold(contents: readonly Content[], { forMs }: HoldOptions): void {
  checkContents(contents);
  if (!(forMs > 0 && forMs <= LIMITS.leaseMs))
    throw refused(`a promise for ${String(forMs)} ms, more than ${LIMITS.leaseMs}`);
}

export function checkLease(lease: string): void {
  if (!/^[0-9a-f]{32}$/.test(text(lease))) throw refused('a lease that is none');
}

/** A ref as bk has them: plain parts, no way up, no lock. */
export function isRefName(name: string): boolean {
  if (typeof name !== 'string' || name.length > LIMITS.name) return false;
  if (!/^refs(?:\/[\p{L}\p{N}_][\p{L}\p{M}\p{N}._+()'&-]*){2,}$/u.test(name)) return false;
  return !/\.\.|\.(?:\/|$)|\.lock(?:\/|$)/.test(name);
}

function capped(what: string, count: number, most: number): void {
  if (!(count <= most)) throw refused(`${count} ${what} at once, more than ${most}`);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function refusing(what: string, check: () => unknown): void {
  try {
    check();
  } catch (error) {
    throw refused(`${what}: ${(error as Error).message}`);
  }
}

function refused(why: string): BkError {
  return new BkError('refused', `cannot do what was asked: ${why}`);
}
