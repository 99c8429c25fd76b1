import { describe, expect, test } from 'vitest';
import { fakeHash } from '../disk.fixture.ts';
import type { Rec } from '../record.ts';
import { deriveObjectId } from './derive-id.ts';
import { mergeRecords } from './fields.ts';
import { entryOf, idOf } from './tree.fixture.ts';

const recordOf = (words: string): Rec => entryOf('x', words).record;

/** The second side's version is the later one. */
function merge(base: string | undefined, first: string, second: string) {
  const old = base === undefined ? undefined : recordOf(base);
  const [a, b] = [recordOf(first), recordOf(second)];
  const merged = mergeRecords(old, a, b, () => 1);
  const swapped = mergeRecords(old, b, a, () => 0);
  expect(swapped.record).toEqual(merged.record);
  expect(swapped.loser?.record).toEqual(merged.loser?.record);
  return merged;
}

describe('fields', () => {
  test.each([
    ['content and mode', 'a 1', 'a 2 t=5', 'a 1 m=0600', 'a 2 t=5 m=0600'],
    ['an edit takes its time with it', 'a 1 t=1', 'a 2 t=5', 'a 1 t=9', 'a 2 t=5'],
    ['times alone: the greater', 'a 1 t=1', 'a 1 t=5', 'a 1 t=3', 'a 1 t=5'],
    ['a time alone, also back', 'a 1 t=9', 'a 1 t=9', 'a 1 t=3', 'a 1 t=3'],
    ['equal contents: no conflict, the greater time', 'a 1', 'a 2 t=5', 'a 2 t=7', 'a 2 t=7'],
    ['two modes: the later version', 'a 1', 'a 1 m=0600', 'a 1 m=0640', 'a 1 m=0640'],
    ['tags as a set', 'a 1 tags=x,y', 'a 1 tags=y,z', 'a 1 tags=x,y,w', 'a 1 tags=w,y,z'],
    ['all tags taken away', 'a 1 tags=x,y', 'a 1 tags=x', 'a 1 tags=y', 'a 1'],
    ['attributes each by itself', 'a 1', 'a 1 title=T', 'a 1 rating=5', 'a 1 title=T rating=5'],
    ['two titles: the later version', 'a 1', 'a 1 title=T', 'a 1 title=U', 'a 1 title=U'],
    ['an attribute taken away', 'a 1 title=T rating=5', 'a 1 rating=5', 'a 1 title=T', 'a 1'],
    ['an attribute taken away and changed', 'a 1 title=T', 'a 1', 'a 1 title=U', 'a 1 title=U'],
    ['ids: the smaller stays', 'b 1', 'a 1 was=b', 'b 1', 'a 1 was=b'],
    ['former ids of both', 'b 1', 'a 1 was=b', 'b 1 was=c', 'a 1 was=b,c'],
    ['a file that became a link, which has a mode of its own', 'a 1', 'a 2 link=', 'a 1 m=0600', 'a 2 link='],
  ])('%s', (_name, base, first, second, expected) => {
    const { record, loser } = merge(base, first, second);
    expect(record).toEqual(recordOf(expected));
    expect(loser).toBeUndefined();
  });

  test('without a base, all that is said counts', () => {
    expect(merge(undefined, 'a 1 tags=x', 'b 1 tags=y title=T m=0600').record).toEqual(
      recordOf('a 1 tags=x,y title=T m=0600 was=b'),
    );
  });

  test.each([
    ['the newer stays', 'a 2 t=5', 'a 3 t=3', '2', '3'],
    ['then the greater hash', 'a 2 t=5', 'a 3 t=5', [fakeHash('2'), fakeHash('3')].sort()[1], undefined],
    ['a file before a link, however old', 'a 2 t=1', 'a 3 t=9 link=', '2', '3'],
  ])('two contents: %s', (_name, first, second, stays, loses) => {
    const { record, loser } = merge('a 1', first, second);
    expect(record.blake3).toBe(stays?.length === 1 ? fakeHash(stays) : stays);
    if (loses !== undefined) expect(loser?.record.blake3).toBe(fakeHash(loses));
  });

  test('the content that does not stay is an object of its own, with all that was said of it', () => {
    const { record, loser } = merge('a 1', 'a 2 t=5 tags=x', 'a 3 t=3 m=0600 was=b');
    expect(record).toEqual(recordOf('a 2 t=5 tags=x m=0600 was=b'));
    const { id: _id, ...expected } = recordOf('a 3 t=3 tags=x m=0600');
    expect(loser?.record).toEqual({ ...expected, id: deriveObjectId(idOf('a'), fakeHash('3')) });
  });

  test('what is known of a content goes with it', () => {
    const [base, first, second] = ['a 1', 'a 2 t=5', 'a 1 m=0600'].map(recordOf) as [Rec, Rec, Rec];
    const media = { kind: 'image' };
    const hashes = { payload: fakeHash('p') };
    const merged = mergeRecords(
      { ...base, media: { kind: 'audio' }, hashes: { sha256: fakeHash('s') } },
      { ...first, media, hashes },
      { ...second, media: { kind: 'video' }, hashes: { sha256: fakeHash('s'), payload: fakeHash('q') } },
      () => 1,
    );
    expect(merged.record).toEqual({ ...first, mode: '0600', media, hashes });
  });

  test('what a newer bk wrote is merged like any field', () => {
    const [base, first, second] = ['a 1', 'a 1', 'a 1'].map(recordOf) as [Rec, Rec, Rec];
    const extra = (record: Rec, fields: object): Rec => ({ ...record, ...fields });
    const merged = mergeRecords(
      extra(base, { one: 1, two: { a: 1 }, three: 3 }),
      extra(first, { one: 2, two: { a: 1 }, three: 3 }),
      extra(second, { one: 1, two: { a: 2 } }),
      () => 1,
    );
    expect(merged.record).toEqual(extra(first, { one: 2, two: { a: 2 } }));
  });
});
