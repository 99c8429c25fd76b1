import { type GitId, type MergedEntry, parseRecord, type Rec, type RepoPath } from '@bk/core';
import { Overlay, PackWriter, walkTree } from '@bk/store';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordPath, recordReader } from '../history/differences.ts';
import { file, folder, type MadePast, newPast, own } from '../past.fixture.ts';
import { mergeInput } from './trees.ts';
import { mergeCommit, writeMerged } from './write.ts';

type Records = Readonly<Record<string, Rec>>;

const trees = fc
  .array(
    fc.tuple(
      fc.constantFrom('a', 'a/b', 'a/c', 'b/a', 'b/b/c', 'c', 'd/e', own('a'), own('d'), own('b/b')),
      fc.nat(5),
    ),
    { maxLength: 8 },
  )
  .map((list): Records => {
    const kept: Record<string, Rec> = {};
    for (const [name, n] of list) {
      const clash = Object.keys(kept).some((k) => k.startsWith(`${name}/`) || name.startsWith(`${k}/`));
      if (!clash) kept[name] = name.endsWith('.bkdir') ? folder(n) : file(n);
    }
    return kept;
  });

function treeOf(past: MadePast, records: Records): GitId {
  return past.repo.history.readCommit(past.commit(records, { parents: [] })).tree;
}

describe('the merged tree', () => {
  it('has what the merge says in place of what it was given, and all else as it was', () => {
    fc.assert(
      fc.property(trees, trees, trees, trees, fc.array(fc.boolean()), (b, x, y, wish, fromSide) => {
        using past = newPast();
        const { history } = past.repo;
        const of = { base: treeOf(past, b), sides: [treeOf(past, x), treeOf(past, y)] as const };
        const input = mergeInput(history, of, recordReader(history));
        const listed = new Set([input.base, ...input.sides].flat().map(({ path }) => path));
        // What is the same in all stays; the rest is as wished, with or without the names of records that are known.
        const kept = Object.fromEntries(Object.entries(x).filter(([blob]) => !listed.has(recordPath(blob as RepoPath)))); // biome-ignore format: long
        const blobs = new Map(input.sides.flat().map(({ blob, record }) => [JSON.stringify(record), blob]));
        const target = { ...wish };
        for (const blob of Object.keys(target))
          if (
            Object.keys(kept).some((k) => k === blob || k.startsWith(`${blob}/`) || blob.startsWith(`${k}/`))
          )
            delete target[blob];
        const entries = Object.entries(target).map(([at, record], i): MergedEntry => {
          const blob = fromSide[i] ? blobs.get(JSON.stringify(record)) : undefined;
          return { path: recordPath(at as RepoPath), record, ...(blob && { blob }) };
        });
        const writer = new Overlay(history);
        const root = writeMerged({ entries, conflicts: [] }, input, {
          reader: history,
          writer,
          sides: of.sides,
        });
        const result: Record<string, Rec> = {};
        for (const { path, id } of walkTree(writer, root))
          result[path] = parseRecord(writer.readBlobText(id));
        expect(result).toEqual({ ...kept, ...target });
      }),
      { numRuns: 80 },
    );
  });

  it('shares the folders of the side that is nearer', () => {
    using past = newPast();
    const many = (folder: string) => Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${folder}/${i}`, file(i)])); // biome-ignore format: long
    const of = {
      base: treeOf(past, many('old')),
      sides: [treeOf(past, { ...many('old'), new: file(99) }), treeOf(past, many('moved'))] as const,
    };
    const { history } = past.repo;
    const input = mergeInput(history, of, recordReader(history));
    const writer = new Overlay(history);
    const entries = [...input.sides[1], ...input.sides[0].filter(({ path }) => path === 'new')];
    const root = writeMerged({ entries, conflicts: [] }, input, { reader: history, writer, sides: of.sides });
    expect(writer.count).toBe(1);
    expect(writer.readTree(root).map(({ name }) => name)).toEqual(['moved', 'new']);
  });
});

describe('the merge commit', () => {
  it('is the same from both sides, a second after the later of the two, and names nobody', () => {
    using past = newPast();
    const { history, layout } = past.repo;
    const one = past.commit({ x: file(1) }, { parents: [], timeSec: 1_000 });
    const two = past.commit({ x: file(2) }, { parents: [], timeSec: 999 });
    const { tree } = history.readCommit(one);
    const writer = new PackWriter(layout.history, layout.root, { reader: history });
    const id = writer.addCommit(mergeCommit(history, [one, two], tree));
    expect(writer.addCommit(mergeCommit(history, [two, one], tree))).toBe(id);
    writer.finish();
    const parents = [one, two].sort();
    expect(past.git('cat-file', 'commit', id)).toBe(
      `tree ${tree}\nparent ${parents[0]}\nparent ${parents[1]}\n` +
        'author bk merge <merge@bk.invalid> 1001 +0000\ncommitter bk merge <merge@bk.invalid> 1001 +0000\n\nMerge\n',
    );
    expect(past.git('fsck', '--strict', '--no-dangling')).toBe('');
  });
});
