import { describe, expect, test } from 'vitest';
import type { GitId } from '../ids.ts';
import { expected } from './merge.fixture.ts';
import { MemoryHistory } from './merge-history.fixture.ts';
import { parseTree, printTree, type Tree, type TreeText } from './merge-tree.fixture.ts';

/** A history in words: commits by their names. */
class Story {
  readonly #history = new MemoryHistory();
  readonly #heads = new Map<string, GitId>();
  #time = 100;

  /** @param parents names; of a person who resolved a merge by hand: two */
  commit(name: string, parents: readonly string[], text: TreeText): this {
    return this.#add(name, parents, parseTree(text).tree);
  }

  /** Changes some paths of what a commit has. */
  edit(name: string, parent: string, text: TreeText): this {
    const before = this.#history.read(this.id(parent)).tree;
    return this.#add(name, [parent], new Map([...before, ...parseTree(text).tree]));
  }

  #add(name: string, parents: readonly string[], tree: Tree): this {
    const repository = name.slice(0, 1);
    const ids = parents.map((parent) => this.id(parent));
    this.#time += 100;
    this.#heads.set(name, this.#history.commit(repository, tree, ids, this.#time));
    return this;
  }

  /** Merges by itself. */
  merge(name: string, one: string, other: string): this {
    this.#heads.set(name, this.#history.join(this.id(one), this.id(other)).head);
    return this;
  }

  /** What becomes of two, and that it does not matter who merges. */
  merged(one: string, other: string): { tree: TreeText; conflicts: readonly string[] } {
    const { head, conflicts } = this.#history.join(this.id(one), this.id(other));
    expect(this.#history.join(this.id(other), this.id(one)).head).toBe(head);
    return {
      tree: printTree(this.#history.read(head).tree.values()),
      conflicts: conflicts.map(({ kind, path, kept }) => [`${kind} ${path}`, ...kept].join(' | ')),
    };
  }

  text(name: string): TreeText {
    return printTree(this.#history.read(this.id(name)).tree.values());
  }

  id(name: string): GitId {
    const found = this.#heads.get(name);
    if (found === undefined) throw new Error(`no commit ${name}`);
    return found;
  }
}

/** Two lines that each took over the other's first commit: two merge bases. `a2` and `b2` are made by hand. */
function crissCross(base: TreeText, a1: TreeText, b1: TreeText, a2: TreeText, b2: TreeText): Story {
  return new Story()
    .commit('o', [], base)
    .commit('a1', ['o'], a1)
    .commit('b1', ['o'], b1)
    .commit('a2', ['a1', 'b1'], a2)
    .commit('b2', ['b1', 'a1'], b2);
}

describe('merge: several merge bases (G26, t6416)', () => {
  test('both lines took over both changes, and went on: nothing in dispute', () => {
    const base = { f: '1 x', g: '2 y', h: '3 z' };
    const story = crissCross(
      base,
      { ...base, f: '1 p t=2' },
      { ...base, g: '2 q t=2' },
      { f: '1 p t=2', g: '2 q t=2', h: '3 r t=3' },
      { f: '1 p t=2', g: '2 q t=2', h: '3 z', n: '4 n' },
    );
    expect(story.merged('a2', 'b2')).toEqual({
      tree: expected({ f: '1 p t=2', g: '2 q t=2', h: '3 r t=3', n: '4 n' }),
      conflicts: [],
    });
  });

  test('one base has a deletion that both lines took over: nothing comes back (G39)', () => {
    const story = crissCross(
      { f: '1 x', g: '2 y' },
      { g: '2 y' },
      { f: '1 x', g: '2 q t=2' },
      { g: '2 q t=2', m: '3 m' },
      { g: '2 q t=2', n: '4 n' },
    );
    expect(story.merged('a2', 'b2')).toEqual({
      tree: expected({ g: '2 q t=2', m: '3 m', n: '4 n' }),
      conflicts: [],
    });
  });

  test('bases that renamed a file differently, and both lines agreed on one name', () => {
    const story = crissCross({ a: '1 x' }, { b: '1 x' }, { c: '1 x' }, { b: '1 x' }, { b: '1 x', n: '2 n' });
    expect(story.merged('a2', 'b2')).toEqual({ tree: expected({ b: '1 x', n: '2 n' }), conflicts: [] });
  });

  test('bases that edited a file differently, and both lines agreed on a third content', () => {
    const story = crissCross(
      { f: '1 x' },
      { f: '1 p t=2' },
      { f: '1 q t=3' },
      { f: '1 r t=4' },
      { f: '1 r t=4', n: '2 n' },
    );
    expect(story.merged('a2', 'b2')).toEqual({ tree: expected({ f: '1 r t=4', n: '2 n' }), conflicts: [] });
  });

  test('bases that edited a file differently, and each line kept another one: both are kept', () => {
    const story = crissCross(
      { f: '1 x' },
      { f: '1 p t=2' },
      { f: '1 q t=3' },
      { f: '1 p t=2' },
      { f: '1 q t=3' },
    );
    const { tree, conflicts } = story.merged('a2', 'b2');
    expect(conflicts).toEqual(['content f | f (conflict a 2020-01-02) 2']);
    expect(Object.values(tree).map((spec) => spec.split(' ')[1])).toEqual(['q', 'p']);
  });

  test('one base deleted what the other edited, one line kept it and one did not: it stays, reported', () => {
    const story = crissCross(
      { f: '1 x', k: '9 k' },
      { k: '9 k' },
      { f: '1 p t=2', k: '9 k' },
      { k: '9 k' },
      { f: '1 p t=2', k: '9 k' },
    );
    const { tree, conflicts } = story.merged('a2', 'b2');
    expect(conflicts).toEqual(['delete-edit f']);
    expect(Object.keys(tree)).toEqual(['f', 'k']);
  });

  test('bases that added different files at one path, and each line gave one of them another name: both there', () => {
    const story = crissCross(
      { k: '9 k' },
      { k: '9 k', f: '1 x t=2' },
      { k: '9 k', f: '2 y t=3' },
      { k: '9 k', f: '1 x t=2', g: '2 y t=3' },
      { k: '9 k', f: '2 y t=3', h: '1 x t=2' },
    );
    const { tree, conflicts } = story.merged('a2', 'b2');
    expect(conflicts).toEqual(['rename-rename h']);
    expect(Object.values(tree).map((spec) => spec.split(' ')[1])).toEqual(['y', 'x', 'k']);
  });

  test('bases that each made a file of a folder or a folder of a file: nothing is lost', () => {
    const story = crissCross(
      { f: '1 x', k: '9 k' },
      { 'f/n': '2 n', k: '9 k' },
      { f: '1 p t=2', k: '9 k' },
      { 'f/n': '2 n', g: '1 p t=2', k: '9 k' },
      { 'f/n': '2 m t=3', h: '1 p t=2', k: '9 k' },
    );
    const { tree } = story.merged('a2', 'b2');
    expect(Object.values(tree).map((spec) => spec.split(' ')[1])).toEqual(['m', 'p', 'k']);
  });

  test('a conflict that merging made by itself in both lines is one conflict, and is not made again (G36)', () => {
    const story = new Story()
      .commit('o', [], { 'f.txt': '1 x' })
      .commit('a1', ['o'], { 'f.txt': '1 p t=2' })
      .commit('b1', ['o'], { 'f.txt': '1 q t=3' })
      .merge('a2', 'a1', 'b1')
      .merge('b2', 'b1', 'a1');
    expect(story.id('a2')).toBe(story.id('b2'));
    story
      .edit('a3', 'a2', { m: '3 m' })
      .commit('b3', ['b1'], { 'f.txt': '1 q t=3', n: '4 n' })
      .merge('b4', 'b3', 'a1');
    expect(story.merged('a3', 'b4')).toEqual({
      tree: { ...story.text('a2'), m: '3 m', n: '4 n' },
      conflicts: [],
    });
  });

  test('three bases: merged two by two, oldest first', () => {
    const base = { a: '1 x', b: '2 x', c: '3 x' };
    const all = { a: '1 p t=2', b: '2 q t=2', c: '3 r t=2' };
    const story = new Story()
      .commit('o', [], base)
      .commit('a1', ['o'], { ...base, a: '1 p t=2' })
      .commit('b1', ['o'], { ...base, b: '2 q t=2' })
      .commit('c1', ['o'], { ...base, c: '3 r t=2' })
      .commit('a2', ['a1', 'b1', 'c1'], { ...all, n: '4 n' })
      .commit('b2', ['b1', 'c1', 'a1'], { ...all, a: '1 s t=3' });
    expect(story.merged('a2', 'b2')).toEqual({
      tree: expected({ ...all, a: '1 s t=3', n: '4 n' }),
      conflicts: [],
    });
  });
});

describe('merge: again and again (G37, G39)', () => {
  test('merging what was merged changes nothing', () => {
    const story = new Story()
      .commit('o', [], { a: '1 x', 'd/b': '2 y' })
      .commit('a1', ['o'], { a: '1 p t=2', 'e/b': '2 y' })
      .commit('b1', ['o'], { a: '1 q t=3', 'd/b': '2 y', 'd/n': '3 n' })
      .merge('m', 'a1', 'b1');
    for (const side of ['a1', 'b1', 'm']) {
      expect(story.merged('m', side)).toEqual({ tree: story.text('m'), conflicts: [] });
    }
  });

  test('a resolved conflict is not made again by what others still have of it', () => {
    const story = new Story()
      .commit('o', [], { f: '1 x' })
      .commit('a1', ['o'], { f: '1 p t=2' })
      .commit('b1', ['o'], { f: '1 q t=3' })
      .merge('m', 'a1', 'b1')
      .commit('a2', ['m'], { f: '1 q t=3' })
      .commit('b2', ['b1'], { f: '1 q t=3', n: '2 n' });
    expect(story.merged('a2', 'b2')).toEqual({ tree: expected({ f: '1 q t=3', n: '2 n' }), conflicts: [] });
  });

  test('a deletion is not undone by one who had not heard of it', () => {
    const story = new Story()
      .commit('o', [], { f: '1 x', g: '2 y' })
      .commit('a1', ['o'], { g: '2 y' })
      .commit('b1', ['o'], { f: '1 x', g: '2 q t=2' })
      .merge('m', 'a1', 'b1')
      .commit('c1', ['b1'], { f: '1 x', g: '2 q t=2', n: '3 n' });
    expect(story.merged('m', 'c1')).toEqual({ tree: expected({ g: '2 q t=2', n: '3 n' }), conflicts: [] });
  });

  test('names stay bounded: a conflict in the conflict copy, three times over (G36)', () => {
    const story = new Story().commit('o', [], { 'f.txt': '1 x' });
    let line = 'o';
    for (const day of [2, 4, 6]) {
      const tree = story.text(line);
      const name = Object.keys(tree).find((path) => path.includes('conflict')) ?? 'f.txt';
      const [id] = (tree[name] ?? '').split(' ');
      const [one, other, merge] = [`a${day}`, `b${day}`, `m${day}`];
      story
        .edit(one, line, { [name]: `${id} p${day} t=${day}` })
        .edit(other, line, { [name]: `${id} q${day} t=${day + 1}` })
        .merge(merge, one, other);
      line = merge;
    }
    const names = Object.keys(story.text(line));
    expect(names.every((name) => /^f( \(conflict [ab] 2020-01-\d\d\))?\.txt$/.test(name))).toBe(true);
    expect(names.length).toBe(4);
  });
});
