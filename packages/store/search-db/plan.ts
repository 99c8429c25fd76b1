import { type Condition, type Query, type Range, wordsOf } from '@bk/core';
import { idBytes } from './columns.ts';

/** Part of a WHERE, with the values of its `?`. */
export interface Sql {
  readonly text: string;
  readonly values: readonly (string | number | Buffer)[];
}

/** Rows with these words, as FTS5 is asked (absent: all), of which `Sql` holds. */
interface Part extends Sql {
  readonly match?: string;
}

/** What SQLite finds, which is all that the query asks for and perhaps more; `rest` is what has to be asked of each. */
export interface Plan {
  readonly where: Sql;
  readonly rest: Query | undefined;
}

/** Of a row `f` of the files. NULL never comes out of it, so that NOT means what it says. */
export function planOf(query: Query): Plan {
  const { part, rest } = partOf(query);
  return { where: whole(part), rest };
}

interface Partial {
  readonly part: Part;
  readonly rest: Query | undefined;
}

function partOf(query: Query): Partial {
  if (query.is === 'all') {
    const parts = query.of.map(partOf);
    const rests = parts.flatMap(({ rest }) => (rest === undefined ? [] : [rest]));
    const part = both(parts.map((one) => one.part));
    if (rests.length === 0) return { part, rest: undefined };
    return { part, rest: rests.length === 1 ? rests[0] : { is: 'all', of: rests } };
  }
  if (query.is === 'any') {
    const parts = query.of.map(partOf);
    const isExact = parts.every(({ rest }) => rest === undefined);
    return { part: either(parts.map((one) => one.part)), rest: isExact ? undefined : query };
  }
  if (query.is === 'not') {
    const { part, rest } = partOf(query.of);
    if (rest !== undefined) return { part: ALWAYS, rest: query };
    const { text, values } = whole(part);
    return { part: { text: `NOT ${text}`, values }, rest: undefined };
  }
  const part = conditionSql(query);
  return part === undefined ? { part: superset(query), rest: query } : { part, rest: undefined };
}

const ALWAYS: Part = { text: 'TRUE', values: [] };
const NEVER: Part = { text: 'FALSE', values: [] };

/** All words are looked up at once: FTS5 goes by the rarest. */
function both(parts: readonly Part[]): Part {
  const matches = parts.flatMap(({ match }) => (match === undefined ? [] : [`(${match})`]));
  const others = parts.filter(({ text }) => text !== 'TRUE');
  return {
    text: others.length === 0 ? 'TRUE' : `(${others.map(({ text }) => text).join(' AND ')})`,
    values: others.flatMap(({ values }) => values),
    ...(matches.length > 0 && { match: matches.join(' AND ') }),
  };
}

function either(parts: readonly Part[]): Part {
  if (parts.every(({ match, text }) => match !== undefined && text === 'TRUE'))
    return { ...ALWAYS, match: parts.map(({ match }) => `(${match})`).join(' OR ') };
  const wholes = parts.map(whole);
  return {
    text: `(${wholes.map(({ text }) => text).join(' OR ')})`,
    values: wholes.flatMap(({ values }) => values),
  };
}

/** What can be looked up goes before what has to be compared with every row. */
function whole({ match, text, values }: Part): Sql {
  if (match === undefined) return { text, values };
  const found = 'f.n IN (SELECT rowid FROM words WHERE words MATCH ?)';
  return { text: text === 'TRUE' ? found : `(${found} AND ${text})`, values: [match, ...values] };
}

/** Undefined: not in the tables. */
function conditionSql(query: Condition): Part | undefined {
  switch (query.is) {
    case 'words':
      return matching(phrase(query.field, query.words, query.prefix));
    case 'name':
      return withWords(nameWords(query.pattern), sql('name_fits(?, f.path)', query.pattern));
    case 'path':
      return withWords(pathWords(query.pattern), sql('path_fits(?, f.path)', query.pattern));
    case 'number':
      return inRange(query.field, query.range);
    case 'media':
      return sql('(f.media IS NOT NULL AND f.media = ?)', query.kind);
    case 'type':
      return sql('f.type = ?', query.type);
    case 'extension':
      return sql(`f.extension IN (${query.anyOf.map(() => '?').join(', ')})`, ...query.anyOf);
    case 'mime':
      return sql('f.mime IS ?', query.mime);
    case 'has':
      return sql(query.what === 'gps' ? 'f.gps = 1' : `f.${query.what} IS NOT NULL`);
    case 'conflict':
      return sql('(f.conflict IS NOT NULL AND f.conflict = ?)', query.kind);
    case 'id':
      return idRange(query.prefix);
    case 'hash':
      return hashRange(query.prefix);
    case 'deleted':
      return sql(DELETED);
    case 'duplicate':
      return sql(query.of === 'exact' ? EXACT : PAYLOAD);
    default:
      return undefined;
  }
}

/** What is not in the tables leaves its marks there. */
function superset(query: Condition): Part {
  if (query.is !== 'attribute' || ['title', 'tags', 'people', 'rating'].includes(query.key)) return ALWAYS;
  return matching(phrase('text', query.words, query.prefix));
}

/** The object is nowhere in the head, neither as itself nor as part of another. */
export const DELETED = `(f.left_in IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM files h WHERE h.id = f.id AND h.left_in IS NULL)
  AND NOT EXISTS (SELECT 1 FROM unified u WHERE u.id = f.id))`;

/** Which of the versions are looked at. */
export const DOMAINS = {
  /** What the head has. */
  head: 'f.left_in IS NULL',
  /** And the last version of each object that it has no more. */
  deleted: `(f.left_in IS NULL OR (${DELETED} AND NOT EXISTS (SELECT 1 FROM files l WHERE l.id = f.id
    AND (l.left_order > f.left_order OR (l.left_order = f.left_order AND l.n > f.n)))))`,
  /** And every version that ever was at a path where the head has not just it. */
  all: `(f.left_in IS NULL OR NOT EXISTS (SELECT 1 FROM files h
    WHERE h.path = f.path AND h.record = f.record AND h.left_in IS NULL))`,
} as const;
export type Domain = keyof typeof DOMAINS;

/** Names of one inode are one file; links and empty files are no duplicates of anything. */
const OTHER = `o.left_in IS NULL AND o.type = 'file' AND coalesce(o.linked, o.id) <> coalesce(f.linked, f.id)`;
const TWICE = (column: string): string =>
  `f.${column} IN (SELECT ${column} FROM files WHERE ${column} IS NOT NULL GROUP BY ${column} HAVING count(*) > 1)`;
const EXACT = `(f.type = 'file' AND f.size > 0 AND ${TWICE('blake3')}
  AND EXISTS (SELECT 1 FROM files o WHERE o.blake3 = f.blake3 AND ${OTHER}))`;
const PAYLOAD = `(f.type = 'file' AND f.payload IS NOT NULL AND ${TWICE('payload')}
  AND EXISTS (SELECT 1 FROM files o WHERE o.payload = f.payload AND ${OTHER}))`;

function sql(text: string, ...values: (string | number | Buffer)[]): Sql {
  return { text, values };
}

function matching(match: string): Part {
  return { ...ALWAYS, match };
}

/** Words have no characters that mean something in a phrase. */
function phrase(field: string | undefined, words: readonly string[], prefix: boolean): string {
  return `${field === undefined ? '' : `${field} : `}"${words.join(' ')}"${prefix ? ' *' : ''}`;
}

function withWords(match: readonly string[], condition: Sql): Part {
  return match.length === 0 ? condition : { ...condition, match: match.join(' AND ') };
}

/** Words that every name has which fits a pattern: those that a wildcard can neither begin nor, but for the last, end. */
function nameWords(pattern: string): string[] {
  const runs = pattern.split(/[*?]+/);
  return runs.flatMap((run, i) => {
    const words = wordsOf(run);
    const isOpenLeft = i > 0 && startsInWord(run);
    const isOpenRight = i < runs.length - 1 && endsInWord(run);
    const whole = isOpenLeft ? words.slice(1) : words;
    return whole.length === 0 ? [] : [phrase('name', whole, isOpenRight)];
  });
}

/** The names of a path's pattern that have no wildcards; the last one may be a folder's or the file's. */
function pathWords(pattern: string): string[] {
  return pattern.split('/').flatMap((segment) => {
    const words = /[*?]/.test(segment) ? [] : wordsOf(segment);
    return words.length === 0 ? [] : [`{folder name} : "${words.join(' ')}"`];
  });
}

function startsInWord(run: string): boolean {
  return /^[\p{L}\p{N}\p{M}]/u.test(run);
}

function endsInWord(run: string): boolean {
  return /[\p{L}\p{N}\p{M}]$/u.test(run);
}

function inRange(column: string, { from, above, to, below }: Range): Sql {
  const limits: (readonly [string, number | undefined])[] = [
    ['>=', from],
    ['>', above],
    ['<=', to],
    ['<', below],
  ];
  const given = limits.filter(([, value]) => value !== undefined);
  return {
    text: `(f.${column} IS NOT NULL${given.map(([sign]) => ` AND f.${column} ${sign} ?`).join('')})`,
    values: given.map(([, value]) => value!),
  };
}

/** Where the dashes of an id are. */
const DASHES = [8, 13, 18, 23];

function idRange(prefix: string): Part {
  if ([...prefix].some((char, i) => (char === '-') !== DASHES.includes(i))) return NEVER;
  const digits = prefix.replaceAll('-', '');
  return between('id', idBytes(digits.padEnd(32, '0')), idBytes(digits.padEnd(32, 'f')));
}

function hashRange(prefix: string): Sql {
  const [low, high] = ['0', 'f'].map((digit) => Buffer.from(prefix.padEnd(64, digit), 'hex')) as [
    Buffer,
    Buffer,
  ];
  const [content, payload] = [between('blake3', low, high), between('payload', low, high)];
  return { text: `(${content.text} OR ${payload.text})`, values: [...content.values, ...payload.values] };
}

function between(column: string, low: Buffer, high: Buffer): Sql {
  return sql(`(f.${column} IS NOT NULL AND f.${column} >= ? AND f.${column} <= ?)`, low, high);
}
