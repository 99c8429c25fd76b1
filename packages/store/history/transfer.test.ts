import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { GitId } from '@bk/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addTrees, filesArbitrary, type History, newHistory } from './history.fixture.ts';
import { HistoryReader } from './reader.ts';
import { isAncestor, missingObjects, packOf } from './transfer.ts';

/** Everything that can be reached, as git lists it. */
function reachable(
  history: History,
  include: readonly string[],
  exclude: readonly string[] = [],
): Set<string> {
  if (include.length === 0) return new Set();
  const lines = history.git('rev-list', '--objects', ...include, '--not', ...exclude).split('\n');
  return new Set(lines.map((line) => line.slice(0, 40)).filter(Boolean));
}

function missing(history: History, wants: readonly GitId[], haves: readonly GitId[]): string[] {
  const reader = new HistoryReader(history.dir);
  try {
    return [...missingObjects(reader, wants, haves)].map(({ id }) => id);
  } finally {
    reader.close();
  }
}

interface Step {
  readonly parents: number[];
  readonly files: Record<string, string>;
  readonly keep: string;
}

/** Graphs of commits, each of up to two earlier ones, whose files come from one of them. */
const graphArbitrary: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    parents: fc.array(fc.nat(20), { maxLength: 2 }),
    files: filesArbitrary,
    keep: fc.constantFrom('all', 'half', 'moved', 'none'),
  }),
  { minLength: 1, maxLength: 9 },
);

type Files = Readonly<Record<string, string>>;

function build(history: History, graph: readonly Step[]): GitId[] {
  const made: { id: GitId; files: Files }[] = [];
  for (const [n, { parents, files, keep }] of graph.entries()) {
    const before = [...new Set(parents.map((p) => p % Math.max(made.length, 1)))].flatMap(
      (p) => made[p] ?? [],
    );
    const old = Object.entries(before[0]?.files ?? {});
    const kept =
      keep === 'all'
        ? old
        : keep === 'half'
          ? old.filter((_, i) => i % 2 === 0)
          : keep === 'moved'
            ? old.map(([file, text]) => [`moved/${file}`, text] as const)
            : [];
    const all: Record<string, string> = Object.fromEntries(kept);
    for (const [file, text] of Object.entries(files)) {
      const clash = Object.keys(all).some(
        (other) => other === file || other.startsWith(`${file}/`) || file.startsWith(`${other}/`),
      );
      if (!clash) all[file] = text;
    }
    made.push({
      id: history.commit(all, { parents: before.map(({ id }) => id), timeSec: 1_800_000_000 + n }),
      files: all,
    });
  }
  return made.map(({ id }) => id);
}

describe('missingObjects', () => {
  test('is what git would send, for any graph, any wants and haves', () => {
    let more = 0;
    let sent = 0;
    fc.assert(
      fc.property(
        graphArbitrary,
        fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(20), { maxLength: 3 }),
        (graph, some, others) => {
          using history = newHistory();
          const commits = build(history, graph);
          const pick = (all: readonly number[]) => [...new Set(all.map((n) => commits[n % commits.length]!))];
          const [wants, haves] = [pick(some), pick(others)];
          const ours = missing(history, wants, haves);
          const set = new Set(ours);
          expect(set.size).toBe(ours.length);
          const wanted = reachable(history, wants);
          const there = reachable(history, haves);
          for (const id of wanted) if (!there.has(id)) expect(set.has(id), `${id} is sent`).toBe(true);
          for (const id of set) expect(wanted.has(id), `${id} is wanted`).toBe(true);
          const git = reachable(history, wants, haves);
          sent += git.size;
          more += [...set].filter((id) => !git.has(id)).length;
        },
      ),
      { numRuns: 60 },
    );
    expect(more).toBeLessThan(sent / 10);
  });

  test('commits come first, parents before children', () => {
    using history = newHistory();
    const a = history.commit({ f: '1' });
    const b = history.commit({ f: '2' }, { parents: [a] });
    const c = history.commit({ f: '3' }, { parents: [a] });
    const d = history.commit({ f: '2', g: '3' }, { parents: [b, c] });
    const found = missing(history, [d, b], []);
    expect(found[0]).toBe(a);
    expect(found[3]).toBe(d);
    expect(missing(history, [a], [d])).toEqual([]);
    expect(() => missing(history, ['1'.repeat(40) as GitId], [])).toThrow(/there is no commit/);
    expect(missing(history, [a], ['1'.repeat(40) as GitId])).toHaveLength(3);
  });

  test('a moved folder costs the folders above it only', () => {
    using history = newHistory();
    const files = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`x/y/${n % 20}/${n}`, `${n}`]));
    const before = history.commit(files);
    const moved = Object.fromEntries(
      Object.entries(files).map(([file, text]) => [`z/${file.slice(2)}`, text]),
    );
    const after = history.commit({ ...moved, new: 'n' }, { parents: [before] });
    const deeper = history.commit(
      Object.fromEntries(Object.entries(moved).map(([file, text]) => [`p/q/${file}`, text])),
      { parents: [after] },
    );
    expect(missing(history, [after], [before])).toHaveLength(3); // commit, root, new: z is what x was
    expect(missing(history, [deeper], [after]).length).toBeLessThanOrEqual(5);
  });

  test('a presence that shares the history’s trees costs its own few objects', () => {
    using history = newHistory();
    const files = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`${n % 10}/${n}`, `${n}`]));
    const head = history.commit(files);
    let whole = '' as GitId;
    let part = '' as GitId;
    history.pack((writer) => {
      const tree = history.git('rev-parse', `${head}^{tree}`).trim() as GitId;
      const sub = addTrees(
        writer,
        Object.fromEntries(Object.entries(files).filter(([file]) => !file.startsWith('3/'))),
      );
      const about = writer.addBlob('{}');
      const who = { name: 'A', email: 'a@b', timeSec: 1_800_000_000, offsetMinutes: 0 };
      const commit = (present: GitId, parents: GitId[]) => {
        const entries = [
          { name: 'present' as never, kind: 'tree' as const, id: present },
          { name: 'repository.json' as never, kind: 'blob' as const, id: about },
        ];
        return writer.addCommit({
          tree: writer.addTree(entries),
          parents,
          author: who,
          committer: who,
          message: '',
        });
      };
      whole = commit(tree, []);
      part = commit(sub, [whole]);
    });
    expect(missing(history, [whole], [head])).toHaveLength(3);
    expect(missing(history, [part], [head])).toHaveLength(6); // two commits, two roots, about, present without folder 3
    expect(missing(history, [head, whole], [])).toHaveLength(1 + 1 + 10 + 300 + 3);
  });
});

describe('packOf', () => {
  test('git takes it, strictly, into a repository that has the rest', () => {
    using history = newHistory();
    using other = newHistory();
    const big = Object.fromEntries(
      Array.from({ length: 3_000 }, (_, n) => [`folder/${n}`, `${n} ${'x'.repeat(n)}`]),
    );
    const first = history.commit({ a: '', ...big });
    const second = history.commit(
      { a: 'x'.repeat(4096), b: 'x'.repeat(4097), c: 'ä', d: 'x'.repeat(600_000), ...big },
      { parents: [first] },
    );
    const reader = new HistoryReader(history.dir);
    for (const [wants, haves] of [
      [[first], []],
      [[second], [first]],
    ] as const) {
      const chunks = [...packOf(reader, missingObjects(reader, wants, haves))];
      const input = Buffer.concat(chunks);
      const file = path.join(other.staging, 'sent.pack');
      fs.writeFileSync(file, input);
      const out = execFileSync('git', ['--git-dir', other.dir, 'index-pack', '--strict', '--stdin'], {
        input,
        encoding: 'utf8',
      });
      expect(out).toMatch(/^pack\t/);
      if (wants[0] === first) expect(chunks.length).toBeGreaterThan(5);
    }
    other.git('update-ref', 'refs/heads/main', second);
    expect(other.git('fsck', '--strict')).toBe('');
    expect(other.git('diff-tree', '-r', first, second)).toBe(history.git('diff-tree', '-r', first, second));
    expect([isAncestor(reader, first, second), isAncestor(reader, second, first)]).toEqual([true, false]);
    reader.close();
  });

  test('nothing is a pack too', () => {
    using history = newHistory();
    const reader = new HistoryReader(history.dir);
    const input = Buffer.concat([...packOf(reader, missingObjects(reader, [], []))]);
    expect(input).toHaveLength(32);
    expect(
      execFileSync('git', ['--git-dir', history.dir, 'index-pack', '--stdin'], { input, encoding: 'utf8' }),
    ).toMatch(/pack/);
    reader.close();
  });
});
