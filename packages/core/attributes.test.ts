import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AttributeWords, editAttributes, editFromFacts, parseAttributeEdit } from './attributes.ts';
import { formatJson, type JsonObject } from './json.ts';
import { mergeAttributes } from './merge/attributes.ts';

function edited(attrs: JsonObject | undefined, words: AttributeWords): JsonObject | undefined {
  return editAttributes(attrs, parseAttributeEdit(words));
}

describe('an edit of attributes', () => {
  test.each<[string, JsonObject | undefined, AttributeWords, JsonObject | undefined]>([
    ['adds tags as a sorted set', undefined, { add: ['sea', 'kids', 'sea'] }, { tags: ['kids', 'sea'] }],
    ['adds to what is there', { tags: ['b'] }, { add: ['a', 'b'] }, { tags: ['a', 'b'] }],
    [
      'orders by bytes, capitals first',
      undefined,
      { add: ['a', 'B', 'ä', '\u{1f30a}', '\ufb01'] },
      { tags: ['B', 'a', 'ä', '\ufb01', '\u{1f30a}'] },
    ],
    ['takes tags away, the last with its key', { tags: ['a'] }, { remove: ['a', 'no such'] }, undefined],
    ['what is added and taken away is away', { tags: ['a'] }, { add: ['b'], remove: ['b'] }, { tags: ['a'] }],
    [
      'trims, and knows one spelling of accents',
      undefined,
      { add: [' e\u0301te\u0301 '] },
      { tags: ['été'] },
    ],
    ['a rating is a number', undefined, { set: ['rating=4'] }, { rating: 4 }],
    [
      'a title is a text, also if it looks like a number',
      undefined,
      { set: ['title=1984'] },
      { title: '1984' },
    ],
    ['a value may have an =', undefined, { set: ['link=a=b'] }, { link: 'a=b' }],
    ['no value takes the key away', { title: 'x', rating: 1 }, { set: ['title='] }, { rating: 1 }],
    ['people are a set', { people: ['Cem'] }, { set: ['people=Ben, Anna'] }, { people: ['Anna', 'Ben'] }],
    [
      'one more person',
      { people: ['Ben'] },
      { set: ['people+=Anna, Dr.'] },
      { people: ['Anna, Dr.', 'Ben'] },
    ],
    ['one person less', { people: ['Ben'] }, { set: ['people-=Ben'] }, undefined],
    [
      'tags may be set as a whole',
      { tags: ['a'] },
      { set: ['tags=c,b'], add: ['d'] },
      { tags: ['b', 'c', 'd'] },
    ],
    [
      'leaves alone what a newer bk wrote',
      { faces: [{ x: 1 }], tags: ['a'] },
      { add: ['b'] },
      { faces: [{ x: 1 }], tags: ['a', 'b'] },
    ],
  ])('%s', (_, before, words, after) => {
    // biome-ignore format: a table
    expect(edited(before, words)).toEqual(after);
  });

  test.each<[AttributeWords, RegExp]>([
    [{ add: [''] }, /it is empty/],
    [{ add: ['a\nb'] }, /control characters/],
    [{ add: ['x'.repeat(201)] }, /at most 200 characters/],
    [{ remove: ['\ud83d'] }, /not a tag/],
    [{ set: ['title'] }, /no "="/],
    [{ set: ['=x'] }, /no key/],
    [{ set: ['__proto__=x'] }, /no key/],
    [{ set: ['rating=6'] }, /from 0 to 5/],
    [{ set: ['rating=4.5'] }, /from 0 to 5/],
    [{ set: ['atomic=yes'] }, /atomic/],
    [{ set: ['rating+=1'] }, /only tags and people/],
    [{ set: ['people=a,,b'] }, /it is empty/],
    [{ set: [`title=${'x'.repeat(1001)}`] }, /at most 1000/],
  ])('refuses %j', (words, message) => {
    expect(() => edited(undefined, words)).toThrow(message);
  });

  test('refuses more than a record should carry', () => {
    const add = Array.from({ length: 200 }, (_, n) => `${n}${'x'.repeat(100)}`);
    expect(() => edited(undefined, { add })).toThrow(/16384 bytes/);
  });

  const text = fc.constantFrom('a', 'b', 'B', 'é', 'e\u0301', '\u{1f30a}');
  const words = fc.record({
    add: fc.array(text, { maxLength: 4 }),
    remove: fc.array(text, { maxLength: 4 }),
    set: fc.array(
      fc.constantFrom(
        'title=x',
        'title=',
        'rating=3',
        'rating=',
        'people+=a',
        'people-=a',
        'k=v',
        'tags=b,a',
      ),
      { maxLength: 4 },
    ),
  });

  test('once is as good as twice, and is what the merge of attributes calls equal', () => {
    fc.assert(
      fc.property(words, words, (first, second) => {
        const before = edited(undefined, first);
        const after = edited(before, second);
        expect(edited(after, second)).toEqual(after);
        const merged = mergeAttributes(before, before, after, () => 0);
        expect(merged === undefined ? undefined : formatJson(merged)).toBe(
          after === undefined ? undefined : formatJson(after),
        );
      }),
    );
  });

  test('what two sides add to the sets of one file is in the merge of both', () => {
    fc.assert(
      fc.property(words, fc.array(text), fc.array(text), (start, one, other) => {
        const base = edited(undefined, start);
        const merged = mergeAttributes(
          base,
          edited(base, { add: one }),
          edited(base, { add: other }),
          () => 1,
        );
        expect(merged).toEqual(edited(base, { add: [...one, ...other] }));
      }),
    );
  });
});

describe('what a picture says of itself', () => {
  test('joins the sets, and takes the place of rating and title', () => {
    const facts = { tags: ['sea', ' '], people: ['Anna'], texts: { title: 'At\nthe sea' }, rating: 5 };
    expect(editAttributes({ tags: ['kids'], rating: 1, note: 'n' }, editFromFacts(facts))).toEqual({
      ...{ tags: ['kids', 'sea'], people: ['Anna'], title: 'At the sea', rating: 5, note: 'n' },
    });
  });

  test('is left out where it is no attribute', () => {
    const facts = { tags: ['x'.repeat(300)], texts: { title: '  ' }, rating: -1 };
    expect(editAttributes({ title: 'mine' }, editFromFacts(facts))).toEqual({ title: 'mine' });
  });
});
