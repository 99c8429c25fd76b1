import {
  BkError,
  type ContentHash,
  contentHash,
  type GitId,
  gitId,
  type PathProblem,
  repoPath,
} from '@bk/core';
import { isRefName } from './asked.ts';
import {
  type Arrived,
  type Content,
  type Facts,
  type Held,
  type Hold,
  LIMITS,
  PROTOCOL,
  type Receipt,
  type RefAt,
  type RefRefusal,
  type RefResult,
  type RefUpdate,
} from './port.ts';

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
  const { device, head, freeBytes, knownAs } = facts;
  return {
    protocol: PROTOCOL,
    id,
    name: line(facts['name'], 'name'),
    volume: line(facts['volume'], 'volume'),
    subset: { include: patterns(subset['include']), exclude: patterns(subset['exclude']) },
    readOnly: facts['readOnly'] !== false,
    ...(facts['historyOnly'] === true && { historyOnly: true }),
    ...(device !== undefined && { device: line(device, 'device') }),
    ...(head !== undefined && { head: commit(head) }),
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
    return { name, id: commit(id) };
  });
}

/** @throws BkError 'damaged' if it does not answer what was asked: a promise for other contents is none */
export function checkedHold(said: unknown, asked: readonly Content[], forMs: number): Hold {
  const { lease, forMs: given, volume, contents } = object(said);
  const held = list(contents, LIMITS.contents).map((one, i): Held => {
    const { blake3, held: holds, verified } = object(one);
    if (hash(blake3) !== asked[i]?.blake3) throw damaged('its promise is about other contents');
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

/** @throws BkError 'damaged' if it does not answer what was asked: one result for each ref, in that order */
export function checkedResults(said: unknown, asked: readonly RefUpdate[]): readonly RefResult[] {
  const results = list(said, LIMITS.updates).map((one, i): RefResult => {
    const { name, moved, reason, detail, left } = object(one);
    const update = asked[i];
    if (update === undefined || name !== update.name || typeof moved !== 'boolean')
      throw damaged('it tells of other refs');
    if (moved) return { name: update.name, moved, ...(left !== undefined && { left: problems(left) }) };
    const why = REFUSALS.find((known) => known === reason) ?? 'not-accepted';
    return {
      name: update.name,
      moved,
      reason: why,
      ...(detail !== undefined && { detail: line(detail, 'reason') }),
    };
  });
  if (results.length !== asked.length) throw damaged('it tells of other refs');
  return results;
}

/** @throws BkError 'damaged' if they are for other contents than were sent, or in another order */
export function checkedReceipts(said: unknown, sent: readonly ContentHash[]): readonly Receipt[] {
  const receipts = list(said, LIMITS.contents).map((one, i): Receipt => {
    const { blake3, stored, reason } = object(one);
    const content = sent[i];
    if (content === undefined || blake3 !== content) throw damaged('its receipts are for other contents');
    if (stored === true) return { blake3: content, stored };
    const why = REASONS.find((known) => known === reason);
    if (why === undefined) throw damaged('its receipts give no reason');
    return { blake3: content, stored: false, reason: why };
  });
  if (receipts.length !== sent.length) throw damaged('its receipts are for other contents');
  return receipts;
}

/** @throws BkError 'damaged' if it tells of what was not asked, in another order, or of more than a content has */
export function checkedArrived(said: unknown, asked: readonly Content[]): readonly Arrived[] {
  let next = 0;
  return list(said, LIMITS.contents).map((one): Arrived => {
    const { blake3, bytes, prefix } = object(one);
    while (next < asked.length && asked[next]?.blake3 !== blake3) next++;
    const content = asked[next++];
    if (content === undefined) throw damaged('it tells of contents that were not asked for');
    const fits =
      typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes >= 0 && bytes <= content.size;
    if (!fits) throw damaged('more of a content than it has');
    return { blake3: content.blake3, size: content.size, bytes, prefix: hash(prefix) };
  });
}

const REFUSALS: readonly RefRefusal[] = [
  'moved-meanwhile',
  'not-fast-forward',
  'not-accepted',
  'needs-merge',
];
const REASONS = ['cut-off', 'too-long', 'other-content', 'no-space', 'bad-offset'] as const;

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

function hash(said: unknown): ContentHash {
  if (typeof said !== 'string' || said.length !== 64) throw damaged('a hash that is none');
  return contentHash(said);
}

function commit(said: unknown): GitId {
  if (typeof said !== 'string' || said.length !== 40) throw damaged('a commit that is none');
  return gitId(said);
}

function problems(said: unknown): readonly PathProblem[] {
  return list(said, LIMITS.contents).map((one): PathProblem => {
    const { path, reason } = object(one);
    return { path: repoPath(String(path)), reason: line(reason, 'reason') };
  });
}

function patterns(said: unknown): readonly string[] {
  return list(said, LIMITS.patterns).map((pattern) => line(pattern, 'subset'));
}

function damaged(why: string): BkError {
  return new BkError('damaged', `cannot use what the other repository says: ${why}`);
}
