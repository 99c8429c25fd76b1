import { BkError } from '../error.ts';
import { conditionOn } from './field.ts';
import type { Query } from './query.ts';
import { hasUnquoted, isWord, notUnderstood, restOf, type Token, tokensOf } from './token.ts';
import type { QueryClock } from './value.ts';
import { fold, wordsOf } from './words.ts';

/** Of what people write; more is a mistake, or somebody trying what happens. */
const LIMITS = { length: 10_000, depth: 50, conditions: 200 } as const;

/**
 * Reads a query: conditions side by side hold together; `or` between them, `not` (also `not:` and `-`) before them,
 * round brackets around them. @throws BkError 'usage'
 */
export function parseQuery(text: string, clock: QueryClock): Query {
  if (text.length > LIMITS.length)
    throw new BkError('usage', `the query is longer than ${LIMITS.length} characters`);
  const tokens = tokensOf(text);
  if (tokens.length === 0)
    throw new BkError('usage', 'the query asks for nothing', { hint: "`bk find '*'` finds every file" });
  if (tokens.length > LIMITS.conditions)
    throw new BkError('usage', `the query has more than ${LIMITS.conditions} parts`);
  const reader = new Reader(tokens, clock);
  const query = reader.either(0);
  const rest = reader.peek();
  if (rest !== undefined) throw notUnderstood(rest, 'there is no "(" before it');
  return query;
}

class Reader {
  readonly #tokens: readonly Token[];
  readonly #clock: QueryClock;
  #next = 0;

  constructor(tokens: readonly Token[], clock: QueryClock) {
    this.#tokens = tokens;
    this.#clock = clock;
  }

  peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  /** Parts with `or` between them. */
  either(depth: number): Query {
    const parts = [this.#together(depth)];
    while (isWord(this.peek(), 'or', '|')) {
      this.#next++;
      parts.push(this.#together(depth));
    }
    return parts.length === 1 ? parts[0]! : { is: 'any', of: parts };
  }

  /** Parts side by side, up to an `or` or the end of a group. */
  #together(depth: number): Query {
    const parts: Query[] = [];
    for (let token = this.peek(); token !== undefined; token = this.peek()) {
      if (token.is === 'close' || isWord(token, 'or', '|')) break;
      if (isWord(token, 'and') && parts.length > 0) this.#next++;
      else parts.push(this.#one(depth));
    }
    if (parts.length > 0) return parts.length === 1 ? parts[0]! : { is: 'all', of: parts };
    const at = this.peek() ?? this.#tokens.at(-1)!;
    throw notUnderstood(at, 'a condition is missing here', 'to search for the word itself, quote it: "or"');
  }

  #one(depth: number): Query {
    const token = this.peek();
    if (token === undefined || token.is === 'close')
      throw notUnderstood(token ?? this.#tokens.at(-1)!, 'a condition is missing after it');
    if (depth > LIMITS.depth) throw notUnderstood(token, 'too many brackets in each other');
    this.#next++;
    if (token.is === 'open') return this.#group(token, depth);
    if (isWord(token, 'not', 'not:', '-')) return { is: 'not', of: this.#one(depth + 1) };
    return this.#word(token, depth);
  }

  #group(open: Token, depth: number): Query {
    const query = this.either(depth + 1);
    if (this.peek()?.is !== 'close') throw notUnderstood(open, 'there is no ")" for it');
    this.#next++;
    return query;
  }

  /** A word with its negations. `not:` and `-` may stand before a bracket, too: then the word ends there. */
  #word(token: Token, depth: number): Query {
    const negation = /^(?:-|not:)/i.exec(token.text)?.[0].length ?? 0;
    if (negation === 0 || token.quoted[0]) return this.#condition(token);
    const rest = restOf(token, negation);
    if (rest.text === '' && !token.quoted.includes(true)) return { is: 'not', of: this.#one(depth + 1) };
    return { is: 'not', of: this.#word(rest, depth) };
  }

  #condition(token: Token): Query {
    const field = /^([a-z][a-z]*(?:\.[^:]*)?):/i.exec(token.text)?.[1];
    if (field === undefined || token.quoted.slice(0, field.length + 1).includes(true)) return freeWord(token);
    return conditionOn(field, restOf(token, field.length + 1), this.#clock);
  }
}

/** A pattern of names or, with a slash, of paths; else words of any text, of which the last may go on. */
function freeWord(token: Token): Query {
  const isQuoted = !token.quoted.includes(false);
  if (!isQuoted && token.text.includes('/')) return conditionOnPath(token);
  if (hasUnquoted(token, '*?')) return { is: 'name', pattern: fold(token.text) };
  const words = wordsOf(token.text);
  if (words.length === 0) throw notUnderstood(token, 'there is no letter and no digit in it', ANYTHING);
  return { is: 'words', field: undefined, words, prefix: token.quoted.at(-1) !== true };
}

const ANYTHING = "a pattern finds any characters in names: '*!*'";

function conditionOnPath(token: Token): Query {
  return conditionOn('path', token, { ms: 0, offsetMinutes: () => 0 });
}
