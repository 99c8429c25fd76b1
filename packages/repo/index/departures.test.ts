import type { GitId, Rec } from '@bk/core';
import { type DepartedRow, isAncestor } from '@bk/store';
import fc from 'fast-check';
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
      const { rows } = departedSince(past.repo.history, undefined, merge, own);
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

  test('however far an index had come: it knows the same as one that is made anew', () => {
    const steps = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(4), fc.nat()), { minLength: 3, maxLength: 9 });
    fc.assert(
      fc.property(steps, (list) => {
        using past = newPast();
        const commits: { id: GitId; has: Record<string, Rec>; known: Record<string, Rec> }[] = [];
        const add = (has: Record<string, Rec>, known: Record<string, Rec>, parents: GitId[]): void =>
          void commits.push({ id: past.commit(has, { parents }), has, known: { ...known, ...has } });
        add({ f0: file(0), f1: file(1), f2: file(2) }, {}, []);
        for (const [which, second, how, what] of list) {
          const one = commits[which % commits.length]!;
          const has = { ...one.has };
          const keys = Object.keys(one.known).sort();
          const key = keys[what % keys.length]!;
          if (how === 0) delete has[key];
          else if (how === 1)
            has[key] = { ...one.known[key]!, ...file(Number(key.slice(1)), `edit ${commits.length}`) };
          else if (how === 2) has[key] = one.known[key]!;
          else if (how === 3) has[`f${10 + commits.length}`] = file(10 + commits.length);
          const other = commits[second % commits.length]!;
          if (how < 4 || other === one) add(has, one.known, [one.id]);
          else {
            const joined: Record<string, Rec> = {};
            const all = [...new Set([...Object.keys(one.has), ...Object.keys(other.has)])].sort();
            all.forEach((name, i) => {
              const record = ((what >> i) & 1) === 0 ? one.has[name] : other.has[name];
              if (record !== undefined) joined[name] = record;
            });
            add(joined, { ...one.known, ...other.known }, [one.id, other.id]);
          }
        }
        const { history } = past.repo;
        const to = commits.at(-1)!;
        const all = departedSince(history, undefined, to.id).rows;
        const ids = (records: Record<string, Rec>) => Object.values(records).map((record) => record.id);
        const gone = new Set(
          commits.filter(({ id }) => isAncestor(history, id, to.id)).flatMap(({ has }) => ids(has)),
        );
        for (const id of ids(to.has)) gone.delete(id);
        expect(new Set(all.filter(({ reason }) => reason === 'deleted').map(({ id }) => id))).toEqual(gone);
        for (const { id } of commits) {
          if (!isAncestor(history, id, to.id)) continue;
          const { rows, returned } = departedSince(history, id, to.id);
          const before = departedSince(history, undefined, id).rows.filter(
            (row) => row.reason === 'replaced' || !returned.includes(row.id),
          );
          const key = (row: DepartedRow) => `${row.id} ${row.record} ${row.commit} ${row.reason}`;
          expect(new Set([...before, ...rows].map(key))).toEqual(new Set(all.map(key)));
        }
      }),
      { numRuns: 40 },
    );
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
