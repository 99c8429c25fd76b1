import { ARRIVAL_UNKNOWN, type GitId, type ObjectId } from '@bk/core';
import { describe, expect, test } from 'vitest';
import { file, folder, idOf, type MadePast, newPast, own } from '../past.fixture.ts';
import { departedSince } from './departures.ts';

const confirmed = {
  message: 'm\n\nBk-Repository: 0190a1b2-c3d4-7e5f-8a6b-000000000000 here\nBk-Deletions: confirmed\n',
};
const kept = {
  message: 'm\n\nBk-Repository: 0190a1b2-c3d4-7e5f-8a6b-000000000000 here\nBk-Deletions: kept\n',
};

/** From a commit on, when all is known of the time before it. */
function told(past: MadePast, from?: GitId) {
  const { history, head: to } = past.repo;
  const before = from === undefined ? [] : departedSince(history, { from: undefined, to: from }).rows;
  const listed = (id: ObjectId) => before.filter((row) => row.id === id);
  const { rows, withdrawn, continues } = departedSince(history, { from, to, listed });
  return {
    rows: rows.map(({ path, reason, confirmed: said, id, commit }) => [path, reason, said, id, commit]),
    withdrawn: withdrawn.map(({ path }) => path),
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
      withdrawn: [],
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
    const away = past.commit({}, confirmed);
    const back = past.commit({ a: file(1, 'second'), 'x/b': file(2) });
    expect(told(past).rows).toEqual([['a', 'replaced', false, idOf(1), edit]]);
    expect(told(past, edit)).toEqual({ rows: [], withdrawn: [], continues: true });
    expect(told(past, away)).toEqual({ rows: [], withdrawn: ['a', 'b'], continues: true });
    const again = past.commit({ a: file(1, 'second') }, kept);
    expect(told(past, back)).toMatchObject({
      rows: [['x/b', 'deleted', false, idOf(2), again]],
      withdrawn: [],
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

  test('of a merge: what a side let go of in its commit, and at the merge what only the merge gave up', () => {
    using past = newPast();
    const base = past.commit({ a: file(1), b: file(2), e: file(5) });
    const theirs = past.commit({ a: file(1), b: file(2), c: file(3), e: file(5) });
    const theirs2 = past.commit({ b: file(2, 'theirs'), e: file(5) }, confirmed);
    const ours = past.commit({ a: file(1), b: file(2), d: file(4) }, { parents: [base] });
    const expected = [
      ['a', 'deleted', true, idOf(1), theirs2],
      ['b', 'replaced', false, idOf(2), theirs2],
      ['c', 'deleted', true, idOf(3), theirs2],
      ['e', 'deleted', false, idOf(5), ours],
    ];
    const sorted = (from?: GitId) => told(past, from).rows.sort((x, y) => (x[0]! < y[0]! ? -1 : 1));
    for (const parents of [
      [ours, theirs2],
      [theirs2, ours],
    ]) {
      const merge = past.commit({ b: file(2, 'theirs') }, { parents });
      expect(sorted()).toEqual([
        ...expected.slice(0, 3),
        ['d', 'deleted', false, idOf(4), merge],
        expected[3],
      ]);
      expect(sorted(theirs2)).toEqual([['d', 'deleted', false, idOf(4), merge], expected[3]]);
      expect(sorted(ours)).toEqual([...expected.slice(0, 3), ['d', 'deleted', false, idOf(4), merge]]);
      expect(told(past, theirs)).toMatchObject({ continues: true });
    }
    const alone = past.commit({ x: file(9) }, { parents: [] });
    past.commit({ b: file(2, 'theirs') }, { parents: [ours, theirs2] });
    expect(told(past, alone).continues).toBe(false);
  });

  test('what another repository let go of arrived, and so did what only a merge gave up', () => {
    using past = newPast();
    const other = {
      message: 'm\n\nBk-Repository: 0190a1b2-c3d4-7e5f-8a6b-000000000009 there\nBk-Deletions: confirmed\n',
    };
    const base = past.commit({ a: file(1), b: file(2), c: file(3), d: file(4) });
    const ours = past.commit({ b: file(2), c: file(3, 'ours'), d: file(4) }, confirmed);
    const theirs = past.commit(
      { a: file(1), c: file(3), d: file(4, 'theirs') },
      { ...other, parents: [base] },
    );
    const merge = past.commit({}, { parents: [ours, theirs] });
    const arrivals = (own?: string) => {
      const { rows } = departedSince(past.repo.history, { from: undefined, to: merge, own });
      return rows
        .map(({ path, reason, confirmed: said, arrivedSec, commit }) =>
          [path, reason, said ? 'confirmed' : 'kept', arrivedSec ?? 'here', commit].join(' '),
        )
        .sort();
    };
    expect(arrivals(idOf(0))).toEqual([
      `a deleted confirmed here ${ours}`,
      `b deleted confirmed 0 ${theirs}`,
      `c deleted kept 0 ${merge}`,
      `c replaced kept here ${ours}`,
      `d deleted kept 0 ${merge}`,
      `d replaced kept 0 ${theirs}`,
    ]);
    expect(arrivals().filter((row) => row.includes('here'))).toEqual([]);
  });

  test('edited and deleted on one side, edited on the other: the version that only the deletion knew was replaced', () => {
    using past = newPast();
    const base = past.commit({ a: file(1) });
    const edited = past.commit({ a: file(1, 'mine') });
    const gone = past.commit({}, kept);
    const theirs = past.commit({ a: file(1, 'theirs') }, { parents: [base] });
    const merge = past.commit({ a: file(1, 'theirs') }, { parents: [gone, theirs] });
    const mine = ['a', 'replaced', false, idOf(1), gone];
    expect(told(past).rows.filter(([, , , , commit]) => commit !== theirs)).toEqual([
      ['a', 'replaced', false, idOf(1), edited],
      mine,
    ]);
    expect(told(past, gone)).toMatchObject({ rows: expect.arrayContaining([mine]), withdrawn: [] });
    const row = departedSince(past.repo.history, { from: undefined, to: merge, own: idOf(0) }).rows.find(
      ({ commit }) => commit === gone,
    );
    // Not before the time from when the other content came.
    expect(row).toMatchObject({ blake3: file(1, 'mine').blake3, arrivedSec: ARRIVAL_UNKNOWN });
  });

  test.each([confirmed, kept])(
    'deleted there, moved here: listed under both paths, on the word of who deleted it',
    (said) => {
      using past = newPast();
      const base = past.commit({ 'd/a': file(1), 'd/b': file(2), 'd/c': file(3) });
      const theirs = past.commit({ 'd/b': file(2, 'edit'), 'd/c': file(3) }, said);
      const ours = past.commit({ 'e/a': file(1), 'e/b': file(2), 'e/c': file(3) }, { parents: [base] });
      for (const parents of [
        [ours, theirs],
        [theirs, ours],
      ]) {
        const merge = past.commit({ 'e/b': file(2, 'edit'), 'e/c': file(3) }, { parents });
        const all = [
          ['d/a', 'deleted', said === confirmed, idOf(1), theirs],
          ['d/b', 'replaced', false, idOf(2), theirs],
          ['e/a', 'deleted', said === confirmed, idOf(1), merge],
          ['e/b', 'replaced', false, idOf(2), merge],
        ];
        const sorted = (from?: GitId) => told(past, from).rows.sort((x, y) => (x[0]! < y[0]! ? -1 : 1));
        expect(sorted()).toEqual(all);
        expect(sorted(ours)).toEqual(all);
        expect(sorted(theirs)).toEqual(all.slice(2));
      }
    },
  );

  test('objects that became one live on as it', () => {
    using past = newPast();
    const ours = past.commit({ a: file(1, 'same'), b: file(2, 'mine') });
    const theirs = past.commit(
      { a: file(5, 'same'), b: file(6, 'theirs'), c: file(7, 'x') },
      { parents: [] },
    );
    const gone = past.commit(
      { a: file(5, 'same'), b: file(6, 'theirs') },
      { ...confirmed, parents: [theirs] },
    );
    const merge = past.commit(
      {
        a: file(1, 'same', { was: [idOf(5)] }),
        b: file(2, 'theirs', { was: [idOf(6)] }),
        c: file(3, 'x', { was: [idOf(7)] }),
      },
      { parents: [ours, gone] },
    );
    const rows = [['b', 'replaced', false, idOf(2), merge]];
    expect(told(past).rows).toEqual(rows);
    expect(told(past, gone)).toEqual({ rows, withdrawn: ['c'], continues: true });
  });

  test('an object that became part of another did not leave; a content that did not stay with it did', () => {
    using past = newPast();
    past.commit({ a: file(5), b: file(6) });
    const one = past.commit({ x: file(1, 'content 5', { was: [idOf(5)] }), b: file(6) });
    const two = past.commit({
      x: file(1, 'content 5', { was: [idOf(5)] }),
      b: file(2, 'other', { was: [idOf(6)] }),
    });
    expect(told(past, one).rows).toEqual([['b', 'replaced', false, idOf(6), two]]);
    expect(told(past).rows).toEqual([['b', 'replaced', false, idOf(6), two]]);
  });

  test('nothing, of no history', () => {
    using past = newPast();
    expect(told(past)).toEqual({ rows: [], withdrawn: [], continues: true });
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
