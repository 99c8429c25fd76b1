import type { GitId, Rec } from '@bk/core';
import { diffTrees } from '@bk/store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { file, folder, newPast, own } from '../past.fixture.ts';
import { changedRecords } from './changed-records.ts';

const texts = (files: readonly { readonly path: string; readonly id: string }[]) =>
  files.map(({ path, id }) => `${path} ${id}`).sort();

test('are those of the trees, without what is only in another place', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const place = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
  const move = fc.tuple(place, place, fc.nat(3));
  fc.assert(
    fc.property(fc.array(place, { maxLength: 12 }), fc.array(move, { maxLength: 4 }), (places, moves) => {
      using past = newPast();
      let files = new Map<string, Rec>(places.map((at, n) => [`${at}/f${n}`, file(n)]));
      const first = past.commit(Object.fromEntries(files));
      for (const [from, to, n] of moves) {
        const moved = new Map<string, Rec>();
        for (const [at, rec] of files) {
          const below = `${at}/`.startsWith(`${from}/`) && !`${to}/`.startsWith(`${from}/`);
          const now = n === 0 ? file(100 + moved.size) : rec;
          if (!below) moved.set(at, rec);
          else if (n < 3) moved.set(`${to}/${at.slice(from.length + 1)}`, now);
        }
        files = moved;
      }
      const second = past.commit(Object.fromEntries(files));
      const treeOf = (commit: GitId) => past.repo.history.readCommit(commit).tree;
      const [before, after] = [treeOf(first), treeOf(second)];
      const naive = [...diffTrees(past.repo.history, before, after)];
      const [left, came] = [naive.map((one) => one.before), naive.map((one) => one.after)].map(
        (ids) => new Set(ids),
      );
      const found = changedRecords(past.repo.history, before, after);
      for (const [side, other, has] of [
        ['before', 'after', came],
        ['after', 'before', left],
      ] as const) {
        const all = naive.flatMap(({ path, [side]: id }) => (id === undefined ? [] : [{ path, id }]));
        const some = texts(found[side]);
        // What is left out is on the other side too; what is only here is there.
        expect(some.filter((text) => !texts(all).includes(text))).toEqual([]);
        expect(some).toEqual(expect.arrayContaining(texts(all.filter(({ id }) => !has!.has(id)))));
        const ids = new Set(found[other].map(({ id }) => id));
        const omitted = texts(all).filter((text) => !some.includes(text));
        for (const text of omitted) expect(ids).not.toContain(text.split(' ')[1]);
      }
    }),
    { numRuns: 150 },
  );
});

test('of a folder that moved nothing is read, wherever it went', () => {
  using past = newPast();
  const below = (top: string) =>
    Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`${top}/${n % 10}/${n % 5}/${n}`, file(n)]));
  const rest = { 'z/z': file(900), [own('z')]: folder(901) };
  const trees = [
    { ...below('a'), ...rest },
    { ...below('b'), ...rest },
    { ...below('new/very/deep'), ...rest },
    { ...below('z/a'), ...rest, 'b/x': file(902) },
  ].map((records) => past.repo.history.readCommit(past.commit(records)).tree);
  for (const before of trees)
    for (const after of trees) {
      const read: GitId[] = [];
      const reader = {
        readTree: (id: GitId) => {
          read.push(id);
          return past.repo.history.readTree(id);
        },
      };
      const found = changedRecords(reader, before, after);
      const gone = before === trees[3] && after !== before ? ['b/x'] : [];
      const came = after === trees[3] && after !== before ? ['b/x'] : [];
      expect([found.before, found.after].map((files) => files.map(({ path }) => path))).toEqual([gone, came]);
      expect(read.length).toBeLessThan(40);
    }
  expect(changedRecords(past.repo.history, undefined, trees[0]).after).toHaveLength(202);
  expect(changedRecords(past.repo.history, trees[0], undefined).before).toHaveLength(202);
});
