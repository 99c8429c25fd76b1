import type { ObjectId } from '../ids.ts';
import type { JsonValue } from '../json.ts';
import { parseMtime } from '../mtime.ts';
import { compareNames } from '../path.ts';
import type { Rec } from '../record.ts';
import { isSameValue, type Later, mergeAttributes, mergeKeys, mergeValue } from './attributes.ts';
import { deriveObjectId } from './derive-id.ts';
import type { SideNumber } from './input.ts';

export interface MergedRecord {
  readonly record: Rec;
  /** Both sides changed the content, each to another: the one that does not stay, as an object of its own. */
  readonly loser?: { readonly record: Rec; readonly side: SideNumber };
}

type Fields = Readonly<Record<string, JsonValue | undefined>>;

/** These go with the content: what is known of one content is not true of another. */
const CONTENT = ['type', 'blake3', 'size', 'target', 'mtime', 'hashes', 'media'] as const;
const OWN: ReadonlySet<string> = new Set(['v', 'id', 'was', 'attrs', 'mode', ...CONTENT]);

/** Which side's content stays where both have another one; undefined: what compareContents says. */
export type Staying = () => SideNumber | undefined;

const BY_ITSELF: Staying = () => undefined;

/** One object's records, field by field. */
export function mergeRecords(
  base: Rec | undefined,
  first: Rec,
  second: Rec,
  later: Later,
  staying: Staying = BY_ITSELF,
): MergedRecord {
  const before = isDecidedTwice(base, first, second) ? undefined : base;
  const content = mergeContent(before, first, second, { later, staying });
  const merged: Record<string, JsonValue | undefined> = {
    v: 1,
    ...content.fields,
    ...mergeRest(base, first, second, later),
    ...mergeIds(first, second),
    mode: mergeMode(base, first, second, content.fields.type, later),
    attrs: mergeAttributes(base?.attrs, first.attrs, second.attrs, later),
  };
  const record = withoutUndefined(merged) as unknown as Rec;
  if (content.loser === undefined) return { record };
  const lost = [first, second][content.loser] as Rec;
  const { was: _was, linked: _linked, conflict: _conflict, ...rest } = merged;
  const mode = lost.type === record.type ? record.mode : lost.mode;
  const copy = withoutUndefined({ ...rest, ...contentOf(lost), mode, id: copyId(record.id, lost) });
  return { record, loser: { record: copy as unknown as Rec, side: content.loser } };
}

/** Whether the bytes and what kind of file they are make are the same. */
export function isSameContent(a: Rec, b: Rec): boolean {
  return a.blake3 === b.blake3 && a.type === b.type;
}

/** The id of a copy of an object with another content. */
export function copyId(object: ObjectId, record: Rec): ObjectId {
  return deriveObjectId(object, record.blake3 ?? record.type);
}

/** Positive: `a` stays before `b`. A file before a link, then the newer, then the greater hash. */
export function compareContents(a: Rec, b: Rec): number {
  if (a.type !== b.type) return a.type === 'file' ? 1 : -1;
  return compareMtimes(a.mtime, b.mtime) || compareNames(a.blake3 ?? '', b.blake3 ?? '');
}

export function compareMtimes(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
  const [x, y] = [parseMtime(a), parseMtime(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function contentOf(record: Rec): Fields {
  const fields = record as unknown as Fields;
  return Object.fromEntries(CONTENT.map((key) => [key, fields[key]]));
}

function mergeContent(
  base: Rec | undefined,
  first: Rec,
  second: Rec,
  { later, staying }: { readonly later: Later; readonly staying: Staying },
): { fields: Fields; loser?: SideNumber } {
  if (isSameContent(first, second)) {
    const known = base !== undefined && isSameContent(base, first) ? base : undefined;
    return { fields: { ...contentOf(first), ...mergeKnowledge(known, first, second, later) } };
  }
  if (base !== undefined && isSameContent(base, second)) return { fields: contentOf(first) };
  if (base !== undefined && isSameContent(base, first)) return { fields: contentOf(second) };
  const stays = staying() ?? (compareContents(first, second) > 0 ? 0 : 1);
  const loser = stays === 0 ? 1 : 0;
  return { fields: contentOf(loser === 0 ? second : first), loser };
}

/** What two sides know about one and the same content. */
function mergeKnowledge(base: Rec | undefined, first: Rec, second: Rec, later: Later): Fields {
  return {
    size: mergeValue(base?.size, first.size, second.size, later),
    target: mergeValue(base?.target, first.target, second.target, later),
    mtime: mergeMtime(base?.mtime, first.mtime, second.mtime),
    hashes: mergeKeys(base?.hashes, first.hashes, second.hashes, (_key, old, a, b) =>
      mergeValue(old, a, b, later),
    ),
    media: mergeValue(base?.media, first.media, second.media, later),
  };
}

function mergeMtime(
  base: string | undefined,
  first: string | undefined,
  second: string | undefined,
): string | undefined {
  if (second === base) return first;
  if (first === base) return second;
  return compareMtimes(first, second) >= 0 ? first : second;
}

/** Those of a file and of a link cannot be compared. */
function mergeMode(
  base: Rec | undefined,
  first: Rec,
  second: Rec,
  type: JsonValue | undefined,
  later: Later,
): JsonValue | undefined {
  if (first.type !== second.type) return first.type === type ? first.mode : second.mode;
  return mergeValue(base?.type === type ? base?.mode : undefined, first.mode, second.mode, later);
}

/**
 * Both sides ended a conflict that the base still has. What the base has at the path was nobody's choice, so that a side
 * has it still does not mean that it left it alone.
 */
function isDecidedTwice(base: Rec | undefined, first: Rec, second: Rec): boolean {
  return base !== undefined && isDecided(base, first) && isDecided(base, second);
}

/** A conflict was ended. */
export function isDecided(base: Rec, now: Rec): boolean {
  return base.conflict !== undefined && now.conflict === undefined;
}

/** Link group, owner, conflict, and what a newer bk wrote: each by itself. */
function mergeRest(base: Rec | undefined, first: Rec, second: Rec, later: Later): Fields {
  const [old, a, b] = [base ?? {}, first, second] as unknown as [Fields, Fields, Fields];
  const merged: Record<string, JsonValue | undefined> = {};
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (!OWN.has(key)) merged[key] = mergeValue(old[key], a[key], b[key], later);
  }
  return merged;
}

function mergeIds(first: Rec, second: Rec): { id: ObjectId; was?: ObjectId[] } {
  const id = first.id < second.id ? first.id : second.id;
  const former = new Set([first.id, second.id, ...(first.was ?? []), ...(second.was ?? [])]);
  former.delete(id);
  return former.size === 0 ? { id } : { id, was: [...former].sort() };
}

function withoutUndefined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Whether two records say the same. */
export function isSameRecord(a: Rec, b: Rec): boolean {
  return a === b || isSameValue(a as unknown as JsonValue, b as unknown as JsonValue);
}
