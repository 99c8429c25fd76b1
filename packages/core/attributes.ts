import { BkError } from './error.ts';
import { formatJson, type JsonObject, type JsonValue } from './json.ts';
import { utf8Bytes } from './name.ts';
import { compareNames } from './path.ts';

/**
 * What a person says about a file, folder or entity (`attrs` of its record): `tags` and `people` are sets (sorted by
 * their bytes, each once), `rating` is a whole number from 0 to 5, `atomic` is true or not
 * there, all other keys are texts. Texts are in NFC.
 */
export interface AttributeEdit {
  readonly sets: readonly SetEdit[];
  /** Null: the key goes. */
  readonly values: ReadonlyMap<string, JsonValue | null>;
}

interface SetEdit {
  readonly key: string;
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

/** As it is given on a command line. */
export interface AttributeWords {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  /** `KEY=VALUE`; of sets also `KEY+=ITEM` and `KEY-=ITEM`. No value: the key goes. */
  readonly set?: readonly string[];
}

/** Characters of a tag, of a key, of any other text; bytes of all attributes of one object. */
export const ATTRIBUTE_LIMITS = { item: 200, key: 64, text: 1000, bytes: 16_384 } as const;

const SETS: ReadonlySet<string> = new Set(['tags', 'people']);
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029]/u;

/** @throws BkError 'usage' for what is no tag, key, rating or text */
export function parseAttributeEdit({ add = [], remove = [], set = [] }: AttributeWords): AttributeEdit {
  const sets: SetEdit[] = [];
  const values = new Map<string, JsonValue | null>();
  for (const word of set) {
    const { key, how, text } = assignment(word);
    if (how === '=') values.set(key, text === '' ? null : attributeValue(key, text));
    else if (!SETS.has(key))
      throw new BkError('usage', `--set ${word}: only tags and people are sets`, { hint: HINT });
    else sets.push({ key, add: how === '+=' ? [item(text)] : [], remove: how === '-=' ? [item(text)] : [] });
  }
  if (add.length + remove.length > 0)
    sets.push({ key: 'tags', add: add.map(item), remove: remove.map(item) });
  return { sets, values };
}

export function isNoEdit({ sets, values }: AttributeEdit): boolean {
  return sets.length === 0 && values.size === 0;
}

/**
 * The attributes with the edit; values first, then what is added, then what is taken away. Undefined: none are left.
 * @throws BkError 'usage' if they became too many
 */
export function editAttributes(
  attrs: JsonObject | undefined,
  { sets, values }: AttributeEdit,
): JsonObject | undefined {
  const edited: Record<string, JsonValue> = { ...attrs };
  for (const [key, value] of values) {
    if (value === null) delete edited[key];
    else edited[key] = value;
  }
  for (const { key, add, remove } of sets) {
    const items = new Set([...itemsOf(edited[key]), ...add]);
    for (const one of remove) items.delete(one);
    if (items.size === 0) delete edited[key];
    else edited[key] = sorted(items);
  }
  if (Object.keys(edited).length === 0) return undefined;
  if (utf8Bytes(formatJson(edited)).length > ATTRIBUTE_LIMITS.bytes)
    throw new BkError('usage', `too many attributes: more than ${ATTRIBUTE_LIMITS.bytes} bytes for one file`);
  return edited;
}

/** The items of a set; of what a newer bk may have put in its place, none. */
export function itemsOf(value: JsonValue | undefined): readonly string[] {
  if (!Array.isArray(value)) return [];
  return (value as readonly JsonValue[]).filter((one) => typeof one === 'string');
}

/**
 * What a picture says of itself, or a sidecar of it, as an edit: items join the sets, rating and texts take the place of
 * those that are there. What is no attribute (too long, empty) is left out.
 */
export function editFromFacts(facts: {
  readonly tags?: readonly string[] | undefined;
  readonly people?: readonly string[] | undefined;
  readonly texts?: Readonly<Record<string, string | undefined>>;
  readonly rating?: number | undefined;
}): AttributeEdit {
  const { rating } = facts;
  const sets = [
    { key: 'tags', add: taken(facts.tags) },
    { key: 'people', add: taken(facts.people) },
  ].filter(({ add }) => add.length > 0);
  const values = new Map<string, JsonValue | null>();
  for (const [key, text] of Object.entries(facts.texts ?? {})) {
    const tidied = tidy((text ?? '').replace(/[\p{Cc}\u2028\u2029]+/gu, ' '));
    if (isText(tidied, ATTRIBUTE_LIMITS.text)) values.set(key, tidied);
  }
  if (rating !== undefined && Number.isInteger(rating) && rating >= 0 && rating <= 5)
    values.set('rating', rating);
  return { sets: sets.map((one) => ({ ...one, remove: [] })), values };
}

function taken(items: readonly string[] = []): string[] {
  return items.map(tidy).filter((one) => isText(one, ATTRIBUTE_LIMITS.item));
}

const HINT =
  'for example --set rating=4, --set "title=At the sea", --set people+=Anna; --set title= takes it away';

interface Assignment {
  readonly key: string;
  readonly how: '=' | '+=' | '-=';
  readonly text: string;
}

function assignment(word: string): Assignment {
  const found = /^([^=]*?)([+-]?=)(.*)$/su.exec(word);
  if (found === null) throw new BkError('usage', `--set ${word}: it has no "="`, { hint: HINT });
  const key = tidy(found[1] ?? '');
  if (!isText(key, ATTRIBUTE_LIMITS.key) || key === '__proto__')
    throw new BkError('usage', `--set ${word}: no key stands before the "="`, { hint: HINT });
  return { key, how: found[2] as Assignment['how'], text: tidy(found[3] ?? '') };
}

function attributeValue(key: string, text: string): JsonValue {
  if (key === 'rating') {
    if (/^[0-5]$/.test(text)) return Number(text);
    throw new BkError('usage', `rating=${text}: a rating is a whole number from 0 to 5`);
  }
  if (key === 'atomic') {
    if (text === 'true') return true;
    throw new BkError('usage', `atomic=${text}: it is "true", or taken away by "atomic="`);
  }
  if (SETS.has(key)) return sorted(text.split(',').map(item));
  if (isText(text, ATTRIBUTE_LIMITS.text)) return text;
  throw new BkError(
    'usage',
    `${key}: a text has at most ${ATTRIBUTE_LIMITS.text} characters and no control characters`,
  );
}

function item(text: string): string {
  const tidied = tidy(text);
  if (isText(tidied, ATTRIBUTE_LIMITS.item)) return tidied;
  const why =
    tidied === ''
      ? 'it is empty'
      : `at most ${ATTRIBUTE_LIMITS.item} characters, none of them control characters`;
  throw new BkError('usage', `not a tag or name: ${JSON.stringify(text.slice(0, 60))}: ${why}`);
}

function tidy(text: string): string {
  return text.normalize('NFC').trim();
}

function isText(text: string, longest: number): boolean {
  return text !== '' && [...text].length <= longest && !UNPRINTABLE.test(text);
}

function sorted(items: Iterable<string>): readonly string[] {
  return [...new Set(items)].sort(compareNames);
}
