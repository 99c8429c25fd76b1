import { type GitId, parseRecord, type Rec } from '@bk/core';
import { Overlay, walkTree } from '@bk/store';
import { describe, expect, it } from 'vitest';
import { file, type MadePast, newPast, own } from '../past.fixture.ts';
import { type Joined, join } from './join.ts';

const IDS = { a: '11111111-1111-4111-8111-111111111111', b: '22222222-2222-4222-8222-222222222222' };

class Two {
  readonly past = newPast();
  #time = 1_800_000_000;

  commit(by: keyof typeof IDS, parents: readonly GitId[], records: Readonly<Record<string, Rec>>): GitId {
    const message = `x\n\nBk-Repository: ${IDS[by]} ${by}\n`;
    this.#time += 10;
    return this.past.commit(records, { parents, message, timeSec: this.#time });
  }

  [Symbol.dispose](): void {
    this.past[Symbol.dispose]();
  }
}

function recordsOf(past: MadePast, { objects, commit }: Joined): Record<string, Rec> {
  const { tree } = objects.readCommit(commit);
  const read = (id: GitId): Rec => parseRecord(objects.readBlobText(id));
  expect(past.repo.history.has(commit)).toBe(false);
  return Object.fromEntries([...walkTree(objects, tree)].map(({ path, id }) => [path, read(id)]));
}

function at(content: string, second: number): Partial<Rec> {
  return { ...file(0, content), id: undefined as never, mtime: `2026-01-02T03:04:${second}.000000000Z` };
}

describe('joining two commits', () => {
  it('gives one commit, whichever comes first, made of what both did', () => {
    using two = new Two();
    const base = two.commit('a', [], { 'd/x': file(1), 'd/y': file(2), z: file(3) });
    const one = two.commit('a', [base], { 'e/x': file(1), 'e/y': file(2), z: file(3) });
    const other = two.commit('b', [base], { 'd/x': file(1), 'd/y': file(2, 'edited'), 'd/new': file(4), z: file(3) }); // biome-ignore format: long
    const { history } = two.past.repo;
    const joined = join(new Overlay(history), one, other);
    expect(join(new Overlay(history), other, one).commit).toBe(joined.commit);
    expect(joined).toMatchObject({ parents: [one, other].sort(), bases: [base], conflicts: [] });
    expect(recordsOf(two.past, joined)).toEqual({ 'e/x': file(1), 'e/y': file(2, 'edited'), 'e/new': file(4), z: file(3) }); // biome-ignore format: long
    // The root and the commit: the folder is the other side's, and no record is new.
    expect(joined.objects.count).toBe(2);
  });

  it('names a conflict’s loser by the repository and the day of its version', () => {
    using two = new Two();
    const base = two.commit('a', [], { 'x.txt': file(1) });
    const one = two.commit('a', [base], { 'x.txt': { ...file(1), ...at('one', 30), id: file(1).id } });
    const other = two.commit('b', [base], { 'x.txt': { ...file(1), ...at('other', 20), id: file(1).id } });
    const joined = join(new Overlay(two.past.repo.history), one, other);
    const copy = 'x (conflict b 2026-01-02).txt';
    expect(joined.conflicts).toEqual([{ path: 'x.txt', kind: 'content', kept: [copy] }]);
    expect(Object.keys(recordsOf(two.past, joined))).toEqual([copy, 'x.txt']);
  });

  it('histories that never met: the union', () => {
    using two = new Two();
    const one = two.commit('a', [], { same: file(1, 'same'), mine: file(2) });
    const other = two.commit('b', [], { same: file(3, 'same'), theirs: file(4), [own('e')]: { v: 1, id: file(5).id, type: 'dir', mode: '0755' } }); // biome-ignore format: long
    const joined = join(new Overlay(two.past.repo.history), one, other);
    expect(joined.bases).toEqual([]);
    const records = recordsOf(two.past, joined);
    expect(Object.keys(records)).toEqual([own('e'), 'mine', 'same', 'theirs']);
    expect(records['same']).toMatchObject({ id: file(1).id, was: [file(3).id] });
  });

  it('criss-cross: several bases are merged first, and never become part of the history', () => {
    using two = new Two();
    const start = two.commit('a', [], { x: file(1), y: file(2), z: file(3) });
    const left = two.commit('a', [start], { x: file(1, 'left'), y: file(2), z: file(3) });
    const right = two.commit('b', [start], { x: file(1), y: file(2, 'right'), z: file(3) });
    const both = { x: file(1, 'left'), y: file(2, 'right'), z: file(3) };
    const one = two.commit('a', [left, right], both);
    const other = two.commit('b', [right, left], both);
    const mine = two.commit('a', [one], { ...both, x: file(1, 'third') });
    const theirs = two.commit('b', [other], { ...both, w: file(3) });
    const { history } = two.past.repo;
    const { z: _z, ...rest } = both;
    const moved = two.commit('b', [theirs], { ...rest, w: file(3) });
    const joined = join(new Overlay(history), mine, moved);
    expect(joined.bases).toEqual([left, right]);
    expect(recordsOf(two.past, joined)).toEqual({ x: file(1, 'third'), y: file(2, 'right'), w: file(3) });
    expect(join(new Overlay(history), moved, mine).commit).toBe(joined.commit);
    // What the virtual base has of its own is not among the new objects.
    expect(joined.objects.count).toBe(2);
    expect(joined.conflicts).toEqual([]);
  });

  it('criss-cross in which both sides deleted and edited: no base is taken by chance', () => {
    using two = new Two();
    const start = two.commit('a', [], { x: file(1), y: file(2) });
    const left = two.commit('a', [start], { y: file(2) });
    const right = two.commit('b', [start], { x: file(1, 'edited'), y: file(2) });
    const one = two.commit('a', [left, right], { x: file(1, 'edited'), y: file(2) });
    const other = two.commit('b', [right, left], { y: file(2) });
    const { history } = two.past.repo;
    const joined = join(new Overlay(history), one, other);
    expect(join(new Overlay(history), other, one).commit).toBe(joined.commit);
    expect(joined.bases).toEqual([left, right]);
    // One side kept what the virtual base has in dispute, the other gave it up: it stays, and is told (G26).
    expect(Object.keys(recordsOf(two.past, joined))).toEqual(['x', 'y']);
    expect(joined.conflicts).toEqual([{ path: 'x', kind: 'delete-edit', kept: [] }]);
  });
});
