import { BkError, contentHash, gitId } from '@bk/core';
import { isRefName } from './asked.ts';
import { type Content, type Facts, type Held, type Hold, LIMITS, PROTOCOL, type RefAt } from './port.ts';

/** What a peer said of itself, checked; fields that this bk does not know are left out. @throws BkError 'damaged'; 'refused' for another protocol */
export function checkedFacts(said: unknown): Facts {
  const facts = object(said);
  if (facts['protocol'] !== PROTOCOL) {
    const other = JSON.stringify(facts['protocol']);
    throw new BkError(
      'refused',
      `cannot talk to the other bk: it speaks version ${other}, this one ${PROTOCOL}`,
      {
        hint: 'update the older of the two',
      },
    );
  }
  const id = line(facts['id'], 'id');
  if (!UUID.test(id)) throw damaged('its id is no UUID');
  const subset = object(facts['subset']);
  const { head, freeBytes, knownAs } = facts;
  return {
    protocol: PROTOCOL,
    id,
    name: line(facts['name'], 'name'),
    volume: line(facts['volume'], 'volume'),
    subset: { include: patterns(subset['include']), exclude: patterns(subset['exclude']) },
    readOnly: facts['readOnly'] !== false,
    ...(head !== undefined && { head: gitId(String(head)) }),
    ...(typeof freeBytes === 'number' && freeBytes >= 0 && { freeBytes }),
    ...(knownAs !== undefined && { knownAs: line(knownAs, 'name for this repository') }),
  };
}

/** @throws BkError 'damaged' */
export function checkedRefs(said: unknown): readonly RefAt[] {
  const names = new Set<string>();
  return list(said, LIMITS.refs).map((one) => {
    const { name, id } = object(one);
    if (typeof name !== 'string' || !isRefName(name) || names.has(name))
      throw damaged('its refs are no refs');
    names.add(name);
    return { name, id: gitId(String(id)) };
  });
}

/** @throws BkError 'damaged' if it does not answer what was asked: a promise for other contents is none */
export function checkedHold(said: unknown, asked: readonly Content[], forMs: number): Hold {
  const { lease, forMs: given, volume, contents } = object(said);
  const held = list(contents, LIMITS.contents).map((one, i): Held => {
    const { blake3, held: holds, verified } = object(one);
    if (contentHash(String(blake3)) !== asked[i]?.blake3)
      throw damaged('its promise is about other contents');
    const how = verified === 'hash' || verified === 'stat' ? verified : undefined;
    if (holds !== true || how === undefined) return { blake3: asked[i].blake3, held: false };
    return { blake3: asked[i].blake3, held: true, verified: how };
  });
  if (held.length !== asked.length) throw damaged('its promise is about other contents');
  const time = typeof given === 'number' && given >= 0 ? Math.min(given, forMs) : 0;
  const named = typeof lease === 'string' && /^[0-9a-f]{32}$/.test(lease);
  if (!named && held.some((one) => one.held)) throw damaged('its promise has no name');
  return { ...(named && { lease }), forMs: time, volume: line(volume, 'volume'), contents: held };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function object(said: unknown): Readonly<Record<string, unknown>> {
  if (typeof said !== 'object' || said === null || Array.isArray(said))
    throw damaged('an answer is no object');
  return said as Readonly<Record<string, unknown>>;
}

function list(said: unknown, most: number): readonly unknown[] {
  if (!Array.isArray(said)) throw damaged('an answer is no list');
  if (said.length > most) throw damaged(`a list of ${said.length}, more than ${most}`);
  return said;
}

function line(said: unknown, what: string): string {
  const wrong = typeof said !== 'string' || said === '' || said.length > LIMITS.name;
  if (wrong || /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(said)) throw damaged(`its ${what} is no line of text`);
  return said;
}

function patterns(said: unknown): readonly string[] {
  return list(said, LIMITS.patterns).map((pattern) => line(pattern, 'subset'));
}

function damaged(why: string): BkError {
  return new BkError('damaged', `cannot use what the other repository says: ${why}`);
}
