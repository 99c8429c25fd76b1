import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatJson, JSON_LIMITS, type JsonValue, parseJson } from './index.ts';

const damaged = expect.objectContaining({ code: 'damaged' });
const value = fc
  .jsonValue({ maxDepth: 5 })
  .filter((v) => !JSON.stringify(v).includes('"__proto__":')) as fc.Arbitrary<JsonValue>;

function nested(levels: number): JsonValue {
  let inner: JsonValue = 1;
  for (let i = 0; i < levels; i++) inner = i % 2 ? [inner] : { a: inner };
  return inner;
}

describe('canonical JSON', () => {
  test('keys by bytes, one a line, one space a level', () => {
    const text = formatJson({
      b: [1, { y: null, x: 'é\n"\\/\u007f\u2028' }],
      10: {},
      9: [],
      '\u{1f600}': true,
      '\uffee': 0.5,
      a: -0,
    });
    expect(text).toBe(
      '{\n "10": {},\n "9": [],\n "a": 0,\n "b": [\n  1,\n  {\n   "x": "é\\n\\"\\\\/\u007f\u2028",\n   "y": null\n  }\n ],\n "\uffee": 0.5,\n "\u{1f600}": true\n}\n',
    );
  });

  test('equal values have equal text, and it reads back', () => {
    fc.assert(
      fc.property(value, (v) => {
        const text = formatJson(v);
        expect(parseJson(text)).toEqual(JSON.parse(JSON.stringify(v)));
        expect(formatJson(parseJson(text))).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  test('objects whose keys JS keeps in order are printed as JSON.stringify with one space prints them', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer(), fc.string())), (v) => {
        const object = { a: v, b: { c: 'x' } };
        expect(formatJson(object)).toBe(`${JSON.stringify(object, null, 1)}\n`);
      }),
    );
  });

  test.each([
    NaN,
    Infinity,
    -Infinity,
    '\ud800',
    { 'a\udc00': 1 },
    JSON.parse('{"__proto__":1}') as JsonValue,
    nested(JSON_LIMITS.depth + 1),
  ])('%j has no text', (v) => {
    expect(() => formatJson(v)).toThrow(damaged);
  });
});

describe('hostile JSON is refused', () => {
  test.each([
    ['nothing', ''],
    ['no LF at the end', '{}'],
    ['two LFs', '{}\n\n'],
    ['a BOM', '\ufeff{}\n'],
    ['duplicate keys', '{\n "a": 1,\n "a": 1\n}\n'],
    ['unsorted keys', '{\n "b": 1,\n "a": 1\n}\n'],
    ['another indent', '{\n  "a": 1\n}\n'],
    ['CRLF', '{\r\n "a": 1\r\n}\r\n'],
    ['__proto__', '{\n "__proto__": {}\n}\n'],
    ['__proto__ escaped', '{\n "\\u005f_proto__": {}\n}\n'],
    ['half a surrogate pair, escaped', '"\\ud800"\n'],
    ['half a surrogate pair', '"\ud800"\n'],
    ['1e400', '1e400\n'],
    ['-1e400', '-1e400\n'],
    ['a number too exact', '12345678901234567890\n'],
    ['-0', '-0\n'],
    ['1.0', '1.0\n'],
    ['1e2', '1e2\n'],
    ['an unnecessary escape', '"\\u0041"\n'],
    ['an escaped slash', '"\\/"\n'],
    ['an upper-case escape', '"\\u001F"\n'],
    ['a comment', '{} // x\n'],
    ['a trailing comma', '[\n 1,\n]\n'],
    ['NaN', 'NaN\n'],
    ['100,000 levels', `${'['.repeat(100_000)}${']'.repeat(100_000)}\n`],
    ['more than 1 MiB', `"${'a'.repeat(JSON_LIMITS.length)}"\n`],
  ])('%s', (_, text) => {
    expect(() => parseJson(text)).toThrow(damaged);
  });

  test('the limits themselves are accepted', () => {
    const longest = `"${'a'.repeat(JSON_LIMITS.length - 3)}"\n`;
    expect(formatJson(parseJson(longest))).toBe(longest);
    expect(parseJson(formatJson(nested(JSON_LIMITS.depth)))).toEqual(nested(JSON_LIMITS.depth));
  });

  test('changing any one character of a canonical text changes the value or is refused', () => {
    fc.assert(
      fc.property(
        value,
        fc.nat(),
        fc.constantFrom(' ', '"', '0', '\n', '{', '}', ',', 'e', '\\'),
        (v, at, character) => {
          const text = formatJson(v);
          const i = at % text.length;
          const changed = text.slice(0, i) + character + text.slice(i + 1);
          if (changed === text) return;
          let read: JsonValue;
          try {
            read = parseJson(changed);
          } catch (error) {
            expect(error).toEqual(damaged);
            return;
          }
          expect(formatJson(read)).toBe(changed);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
