import process from 'node:process';
import type { ContentHash, MergeEntry } from '@bk/core';
import { afterAll, describe, expect, test } from 'vitest';
import { FOLDERS } from '../../packages/core/merge/cases-folders.fixture.ts';
import { FOLDERS_ODD } from '../../packages/core/merge/cases-folders-odd.fixture.ts';
import { RENAMES } from '../../packages/core/merge/cases-renames.fixture.ts';
import { type MergedTree, mergeBoth, sideOf } from '../../packages/core/merge/merge.fixture.ts';
import {
  DEED_KINDS,
  type Deed,
  perturb,
  randomTree,
} from '../../packages/core/merge/merge-random.fixture.ts';
import { entryAt, parseTree, type Tree } from '../../packages/core/merge/merge-tree.fixture.ts';
import { type GitExcuse, gitExcuse } from '../support/git-excuse.ts';
import { type Contents, GitMerges } from '../support/git-merges.ts';

/**
 * git itself as oracle: histories of exact renames, additions, deletions and edits, every content unique, so that git's
 * exact rename detection sees what object ids say. Where neither of us reports a conflict, the trees must be equal, but
 * for the differences that `gitExcuse` names; all are counted. BK_GIT_MERGES: how many random histories.
 */
const HISTORIES = Number(process.env['BK_GIT_MERGES'] ?? 3_000);

interface History {
  readonly name: string;
  readonly base: Tree;
  readonly sides: readonly [Tree, Tree];
}

type Answer = 'equal' | 'git reports a conflict' | 'bk reports a conflict' | GitExcuse;

class Tally {
  readonly #counts = new Map<Answer, number>();

  add(answer: Answer): void {
    this.#counts.set(answer, (this.#counts.get(answer) ?? 0) + 1);
  }

  of(answer: Answer): number {
    return this.#counts.get(answer) ?? 0;
  }

  toString(): string {
    return [...this.#counts].map(([answer, times]) => `  ${times} ${answer}\n`).join('');
  }
}

const told: string[] = [];
afterAll(() => void process.stderr.write(told.join('')));

describe('merge: git as oracle', () => {
  test.each([
    ['the named cases of renames and renamed folders', namedHistories(), 40],
    [`${HISTORIES} random histories`, randomHistories(HISTORIES), HISTORIES / 2],
  ])('%s', (name, histories, least) => {
    const { tally, different } = compare(histories);
    told.push(`merges compared with git's: ${name}\n${tally}`);
    expect(different.slice(0, 3)).toEqual([]);
    expect(tally.of('equal')).toBeGreaterThan(least);
  });
});

function compare(histories: readonly History[]): { tally: Tally; different: unknown[] } {
  const tally = new Tally();
  const ours = histories.map(mergedByBk);
  const git = new GitMerges();
  const theirs = git.merge(
    histories.map(({ base, sides: [a, b] }) => ({
      base: contentsOf(base),
      sides: [contentsOf(a), contentsOf(b)],
    })),
  );
  const trees = git.treesOf(ours.map(({ tree }) => contentsOf(tree)));
  const different: unknown[] = [];
  for (const [i, history] of histories.entries()) {
    const [own, other] = [ours[i] as MergedTree, theirs[i]];
    if (other?.isClean === false) tally.add('git reports a conflict');
    else if (own.conflicts.length > 0) tally.add('bk reports a conflict');
    else if (other?.tree === trees[i]) tally.add('equal');
    else {
      const found = other === undefined ? undefined : git.contentsOf(other.tree);
      const excuse = gitExcuse({ ...history, bk: own.tree, git: found });
      if (excuse === undefined) different.push(explain(history, own, found));
      else tally.add(excuse);
    }
  }
  return { tally, different };
}

function contentsOf(tree: Tree): Contents {
  return new Map([...tree.values()].map(({ path, record }) => [path, record.blake3 ?? '']));
}

function mergedByBk({ base, sides: [a, b] }: History): MergedTree {
  return tryIt(base, [
    { ...sideOf({}, 0), tree: a },
    { ...sideOf({}, 1), tree: b },
  ]);
}

function explain(
  { name, base, sides }: History,
  own: MergedTree,
  git: Contents | undefined,
): Readonly<Record<string, unknown>> {
  const before = byId(base);
  const tell = (tree: Tree): string[] =>
    [...tree.values()].map(({ path, record }) => {
      const old = before.get(record.id);
      const edited = old !== undefined && old.record.blake3 !== record.blake3 ? ' edited' : '';
      if (old === undefined) return `${path} added`;
      return `${path}${old.path === path ? '' : ` < ${old.path}`}${edited}`;
    });
  return {
    name,
    base: [...base.keys()].sort(),
    a: tell(sides[0]).sort(),
    b: tell(sides[1]).sort(),
    bk: [...own.tree.keys()].sort(),
    git: [...(git?.keys() ?? [])].sort(),
  };
}

// Histories

/** Those of the tables that are as exact as git needs them. */
function namedHistories(): History[] {
  return [...RENAMES, ...FOLDERS, ...FOLDERS_ODD]
    .map(({ name, base, a, b }): History => {
      const [tree, left, right] = [base, a, b].map((text) => parseTree(text).tree) as [Tree, Tree, Tree];
      return { name, base: tree, sides: [left, right] };
    })
    .filter(({ base, sides }) => sides.every((side) => isExact(base, side)) && isUnique([base, ...sides]));
}

/** Always the same ones: what fails is found again. */
function randomHistories(times: number): History[] {
  const random = generator(20_201_001);
  const deeds = (most: number): Deed[] =>
    Array.from({ length: 1 + (random() % most) }, () => [
      pick(KINDS, random()),
      random() % 1000,
      random() % 1000,
      pick(UNIQUE, random()),
    ]);
  const histories: History[] = [];
  while (histories.length < times) {
    const base = randomTree(deeds(6), 'o');
    const sides = [unedited(base, deeds(5), 'p'), unedited(base, deeds(5), 'q')] as const;
    if (sides.every((side) => isExact(base, side))) histories.push({ name: '', base, sides });
  }
  return histories;
}

const KINDS = ['edit', 'rename', 'move', 'moveFolder', 'emptyInto', 'remove', 'removeFolder', 'add'].map(
  (kind) => DEED_KINDS.indexOf(kind),
);
/** How things are done that make a content which nothing else has. */
const UNIQUE = [1, 2, 4, 5, 8, 10, 11, 13, 16] as const;

/** Numbers from 0 (Lehmer's generator, "minimal standard"). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 0x7fffffff;
    return state >> 3;
  };
}

function pick<T>(list: readonly T[], number: number): T {
  return list[number % list.length] as T;
}

/** What was moved keeps its content, so that the rename is exact. */
function unedited(base: Tree, deeds: readonly Deed[], tag: string): Tree {
  const before = byId(base);
  return new Map(
    [...perturb(base, deeds, tag)].map(([path, entry]) => {
      const old = before.get(entry.record.id);
      return [path, old === undefined || old.path === path ? entry : entryAt(path, old.record)];
    }),
  );
}

function byId(tree: Tree): Map<string, MergeEntry> {
  return new Map([...tree.values()].map((entry) => [entry.record.id, entry]));
}

/** Files only, nothing renamed and edited on one side, and no path that another file takes over: that git cannot see. */
function isExact(base: Tree, side: Tree): boolean {
  const before = byId(base);
  return [...side.values()].every(({ path, record }) => {
    const old = before.get(record.id);
    if (record.type !== 'file' || (base.get(path)?.record.id ?? record.id) !== record.id) return false;
    if (old === undefined || old.path === path) return true;
    return old.record.blake3 === record.blake3 && !side.has(old.path);
  });
}

/** No content in two objects. */
function isUnique(trees: readonly Tree[]): boolean {
  const owners = new Map<ContentHash | undefined, string>();
  return trees.every((tree) =>
    [...tree.values()].every(({ record: { blake3, id } }) => {
      const owner = owners.get(blake3) ?? id;
      owners.set(blake3, owner);
      return owner === id;
    }),
  );
}
function tryIt(...args: Parameters<typeof mergeBoth>): MergedTree {
  try {
    return mergeBoth(...args);
  } catch {
    return { tree: new Map(), conflicts: [1 as never] };
  }
}
