import { closest } from '../suggest.ts';
import { MEDIA_KINDS, type MediaKind, type NumberField, TEXT_FIELDS, type TextField } from './facts.ts';
import type { Query } from './query.ts';
import { hasUnquoted, notUnderstood, type Token } from './token.ts';
import {
  momentsOf,
  type Operator,
  parseDuration,
  parseNumber,
  parseSize,
  parseWallTime,
  type QueryClock,
  type Range,
  rangeBetween,
  rangeOf,
  type Span,
} from './value.ts';
import { fold, wordsOf } from './words.ts';

type Reading = (value: Token, clock: QueryClock) => Query;

/** What `field:value` asks. @throws BkError 'usage' with what was probably meant */
export function conditionOn(field: string, value: Token, clock: QueryClock): Query {
  const name = field.toLowerCase();
  const known = ALIASES.get(name) ?? name;
  if (value.text === '' && (known.startsWith('attr.') || FIELDS.has(known)))
    throw notUnderstood(value, `${field}: what is asked for is missing`, SHELL);
  if (known.startsWith('attr.')) return attribute(field.slice('attr.'.length), value);
  const reading = FIELDS.get(known);
  if (reading !== undefined) return reading(value, clock);
  const near = closest(name, [...FIELDS.keys(), ...ALIASES.keys()]);
  const quoted = `to search for the text itself, quote it: "${value.raw}"`;
  throw notUnderstood(
    value,
    `there is no field ${field}`,
    near === undefined ? quoted : `did you mean ${near}:? ${quoted}`,
  );
}

const SHELL = "a shell takes < and > for itself: quote them, as in 'size:>5MB', or write size:5MB..";

function words(field: TextField): Reading {
  return (value) => {
    const { words, prefix } = wordsIn(value);
    return { is: 'words', field, words, prefix };
  };
}

function attribute(key: string, value: Token): Query {
  return { is: 'attribute', key, ...wordsIn(value) };
}

/** Whole words; a star at the end: the last may go on. */
function wordsIn(value: Token): { readonly words: readonly string[]; readonly prefix: boolean } {
  if (/^[<>]/.test(value.text) && !value.quoted[0])
    throw notUnderstood(value, 'this field holds text, which is not greater or less');
  const prefix = value.text.endsWith('*') && value.quoted.at(-1) === false;
  const text = prefix ? value.text.slice(0, -1) : value.text;
  if (hasUnquoted({ ...value, text, quoted: value.quoted.slice(0, text.length) }, '*?'))
    throw notUnderstood(value, 'here a star can only stand at the end of a word');
  const found = wordsOf(text);
  if (found.length === 0) throw notUnderstood(value, 'there is no letter and no digit in it');
  return { words: found, prefix };
}

const name: Reading = (value, clock) =>
  hasUnquoted(value, '*?') ? { is: 'name', pattern: fold(value.text) } : words('name')(value, clock);

const path: Reading = (value) => {
  const parts = fold(value.text)
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || parts.length === 0)
    throw notUnderstood(value, 'paths start at the top of the repository');
  return { is: 'path', pattern: parts.join('/') };
};

type Amount = (text: string, clock: QueryClock) => Span | undefined;

/** `5`, `>5`, `<=5`, `5..7`, `5..`, `..7`. */
function amounts(of: Amount, example: string): (value: Token, clock: QueryClock) => Range {
  return (value, clock) => {
    const one = (text: string): Span => {
      const span = of(text, clock);
      if (span !== undefined) return span;
      throw notUnderstood(value, `${JSON.stringify(text)} is not what it could be`, `for example ${example}`);
    };
    const [, operator, rest = ''] = /^(<=|>=|<|>|=)?(.*)$/s.exec(value.text)!;
    if (operator !== undefined) return rangeOf(operator as Operator, one(rest.trim()));
    const dots = value.text.indexOf('..');
    if (dots < 0) return rangeOf('=', one(value.text));
    const [first, last] = [value.text.slice(0, dots), value.text.slice(dots + 2)];
    if (first === '' && last === '') return rangeOf('=', one(value.text));
    return rangeBetween(first === '' ? undefined : one(first), last === '' ? undefined : one(last));
  };
}

function number(field: NumberField, of: Amount, example: string): Reading {
  const range = amounts(of, example);
  return (value, clock) => ({ is: 'number', field, range: range(value, clock) });
}

function exactly(parse: (text: string) => number | undefined): Amount {
  return (text) => {
    const value = parse(text);
    return value === undefined ? undefined : { at: value };
  };
}

const size = number('size', exactly(parseSize), "size:5MB.., 'size:<=700', size:1.5GB..2GB");
const plain = exactly(parseNumber);
const copies = amounts(plain, "copies:1, 'copies:<2'");

const DATES = "taken:2019, taken:2019-08..2019-10, 'modified:>2019-08-24', modified:7d.., taken:yesterday";

function choice(choices: Readonly<Record<string, Query>>): Reading {
  return (value) => {
    const found = choices[fold(value.text)];
    if (found !== undefined) return found;
    const names = Object.keys(choices);
    const near = closest(fold(value.text), names);
    const hint = near === undefined ? `it can be ${names.join(', ')}` : `did you mean ${near}?`;
    throw notUnderstood(value, `${JSON.stringify(value.text)} is none of what it can be`, hint);
  };
}

function has(what: 'gps' | 'entity' | 'conflict'): Readonly<Record<string, Query>> {
  const yes: Query = { is: 'has', what };
  return { yes, no: { is: 'not', of: yes } };
}

const CONFLICT_KINDS = [
  'content',
  'add-add',
  'delete-edit',
  'rename-rename',
  'rename-collision',
  'file-directory',
  'type',
  'directory-rename-split',
  'case',
  'atomic',
];
const conflicts = Object.fromEntries(
  CONFLICT_KINDS.map((kind) => [kind, { is: 'conflict', kind } satisfies Query]),
);

const entity: Reading = (value, clock) => has('entity')[fold(value.text)] ?? words('entity')(value, clock);

/** Different endings of the same format. */
const SAME: readonly (readonly string[])[] = [
  ['jpg', 'jpeg', 'jpe'],
  ['tif', 'tiff'],
  ['mpg', 'mpeg'],
  ['aif', 'aiff'],
  ['htm', 'html'],
];

function endings(value: Token): readonly string[] {
  const extension = fold(value.text).replace(/^\./, '');
  if (!/^[^./\s]+$/.test(extension))
    throw notUnderstood(value, 'this is not the end of a name after its dot');
  return [extension];
}

const type: Reading = (value) => {
  const text = fold(value.text);
  if (MEDIA_KINDS.some((kind) => kind === text)) return { is: 'media', kind: text as MediaKind };
  if (text === 'file') return { is: 'type', type: 'file' };
  if (text === 'symlink' || text === 'link') return { is: 'type', type: 'symlink' };
  if (text.includes('/')) return { is: 'mime', mime: text };
  const [extension = ''] = endings(value);
  return { is: 'extension', anyOf: SAME.find((same) => same.includes(extension)) ?? [extension] };
};

function beginning(is: 'id' | 'hash', allowed: RegExp): Reading {
  return (value) => {
    const prefix = value.text.toLowerCase();
    if (allowed.test(prefix)) return { is, prefix };
    throw notUnderstood(
      value,
      `not the beginning of ${is === 'id' ? 'an id' : 'a hash'}: 4 hex digits or more`,
    );
  };
}

const here: Query = { is: 'present' };
const deleted: Query = { is: 'deleted' };
const exact: Query = { is: 'duplicate', of: 'exact' };

const FIELDS: ReadonlyMap<string, Reading> = new Map<string, Reading>([
  ...TEXT_FIELDS.map((field) => [field, words(field)] as const),
  ['name', name],
  ['path', path],
  ['entity', entity],
  ['type', type],
  ['ext', (value) => ({ is: 'extension', anyOf: endings(value) })],
  ['size', size],
  [
    'modified',
    number(
      'modified',
      (text, clock) => {
        const span = parseWallTime(text, clock);
        return span === undefined ? undefined : momentsOf(span, clock);
      },
      DATES,
    ),
  ],
  ['taken', number('taken', parseWallTime, DATES)],
  ['year', number('year', plain, 'year:1999, year:1990..1999')],
  ['rating', number('rating', plain, "rating:4.., 'rating:>3'")],
  [
    'duration',
    number('duration', exactly(parseDuration), 'duration:3min.., duration:..4:30, duration:1h..2h'),
  ],
  ['width', number('width', plain, "width:4000.., 'width:<640'")],
  ['height', number('height', plain, "height:2160.., 'height:<480'")],
  ['copies', (value, clock) => ({ is: 'copies', range: copies(value, clock) })],
  ['on', (value) => ({ is: 'on', repository: fold(value.text) })],
  ['gps', choice(has('gps'))],
  ['conflict', choice({ ...has('conflict'), ...conflicts })],
  [
    'is',
    choice({
      present: here,
      absent: {
        is: 'all',
        of: [
          { is: 'not', of: here },
          { is: 'not', of: deleted },
        ],
      },
      deleted,
      duplicate: exact,
    }),
  ],
  ['duplicates', choice({ exact, payload: { is: 'duplicate', of: 'payload' } })],
  ['id', beginning('id', /^[0-9a-f-]{4,36}$/)],
  ['hash', beginning('hash', /^[0-9a-f]{4,64}$/)],
]);

const ALIASES: ReadonlyMap<string, string> = new Map([
  ['people', 'person'],
  ['tags', 'tag'],
  ['keyword', 'tag'],
  ['creator', 'artist'],
  ['mtime', 'modified'],
  ['date', 'taken'],
  ['extension', 'ext'],
  ['blake3', 'hash'],
]);

/** Every field of the language, for completion and documentation. */
export const QUERY_FIELDS: readonly string[] = [...FIELDS.keys(), 'attr.KEY'];
