import type { GitId } from '@bk/core';
import { describe, expect, test } from 'vitest';
import { file, folder, idOf, type MadePast, newPast, own } from '../past.fixture.ts';
import { departedSince } from './departures.ts';

const confirmed = {
  message: 'm\n\nBk-Repository: 0190a1b2-c3d4-7e5f-8a6b-000000000000 here\nBk-Deletions: confirmed\n',
};
const kept = {
  message: 'm\n\nBk-Repository: 0190a1b2-c3d4-7e5f-8a6b-000000000000 here\nBk-Deletions: kept\n',
};

function told(past: MadePast, from?: GitId) {
  const { rows, returned, continues } = departedSince(past.repo.history, from, past.repo.head);
  return {
    rows: rows.map(({ path, reason, confirmed: said, id, commit }) => [path, reason, said, id, commit]),
    returned,
    continues,
  };
}

describe('what left the head', () => {
  test('deleted or replaced, confirmed or kept, by which commit', () => {
    using past = newPast();
    past.commit({ a: file(1), b: file(2), c: file(3), 'd/e': file(4) });
    const first = past.commit({ b: file(2, 'edited'), c: file(3), 'd/e': file(4) }, confirmed);
    const second = past.commit({ b: file(2, 'edited'), c: file(3), [own('d')]: folder(5) }, kept);
    expect(told(past)).toEqual({
      rows: [
        ['a', 'deleted', true, idOf(1), first],
        ['b', 'replaced', false, idOf(2), first],
        ['d/e', 'deleted', false, idOf(4), second],
      ],
      returned: expect.not.arrayContaining([idOf(1)]),
      continues: true,
    });
    expect(told(past, first).rows).toEqual([['d/e', 'deleted', false, idOf(4), second]]);
    expect(told(past, second).rows).toEqual([]);
  });

  test('moves, touches and new attributes are no departures; an edit on the way is one', () => {
    using past = newPast();
    past.commit({ a: file(1), b: file(2) });
    past.commit({ z: file(1), b: file(2, undefined, { mode: '0600' }) });
    const edit = past.commit({ y: file(1, 'other'), b: file(2, undefined, { mode: '0600' }) });
    expect(told(past).rows).toEqual([['z', 'replaced', false, idOf(1), edit]]);
  });

  test('what came back is not deleted any more, unless it went again; its replaced versions stay', () => {
    using past = newPast();
    past.commit({ a: file(1), b: file(2) });
    const edit = past.commit({ a: file(1, 'second'), b: file(2) });
    past.commit({}, confirmed);
    const back = past.commit({ a: file(1, 'second'), 'x/b': file(2) });
    expect(told(past).rows).toEqual([['a', 'replaced', false, idOf(1), edit]]);
    expect(told(past, edit).returned).toEqual(expect.arrayContaining([idOf(1), idOf(2)]));
    const again = past.commit({ a: file(1, 'second') }, kept);
    expect(told(past, back)).toMatchObject({
      rows: [['x/b', 'deleted', false, idOf(2), again]],
      returned: [],
    });
    expect(told(past).rows).toEqual([
      ['a', 'replaced', false, idOf(1), edit],
      ['x/b', 'deleted', false, idOf(2), again],
    ]);
  });

  test('a folder’s own record is listed under the folder', () => {
    using past = newPast();
    past.commit({ [own('d')]: folder(1, '0700'), 'd/x': file(2) });
    const gone = past.commit({ 'd/x': file(2) });
    expect(told(past).rows).toEqual([['d', 'deleted', false, idOf(1), gone]]);
  });

  test('only along the first parents: what another line had and lost is not ours', () => {
    using past = newPast();
    const base = past.commit({ a: file(1), b: file(2) });
    const theirs = past.commit({ a: file(1), b: file(2), c: file(3) });
    const theirs2 = past.commit({ b: file(2, 'theirs') }, confirmed);
    past.repo.head = base;
    past.git('update-ref', 'refs/heads/main', base);
    const ours = past.commit({ a: file(1), b: file(2), d: file(4) });
    const merge = past.commit({ b: file(2, 'theirs'), d: file(4) }, { parents: [ours, theirs2] });
    expect(told(past).rows).toEqual([
      ['a', 'deleted', false, idOf(1), merge],
      ['b', 'replaced', false, idOf(2), merge],
    ]);
    expect(told(past, theirs).continues).toBe(false);
    expect(told(past, ours)).toMatchObject({ continues: true });
  });

  test('nothing, of no history', () => {
    using past = newPast();
    expect(told(past)).toEqual({ rows: [], returned: [], continues: true });
    const first = past.commit({ a: file(1) });
    past.repo.head = undefined;
    expect(told(past, first).continues).toBe(false);
  });

  test('costs what left, not what there is times what left', () => {
    using past = newPast();
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`${n % 100}/${n}`, file(n)]));
    past.commit(many);
    past.commit({}, kept);
    past.commit(many);
    const start = performance.now();
    expect(told(past).rows).toEqual([]);
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});
