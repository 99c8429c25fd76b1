import type { EncodedName, GitId } from '@bk/core';
import { describe, expect, it } from 'vitest';
import { newHistory } from './history.fixture.ts';
import { Overlay } from './overlay.ts';
import { PackWriter } from './pack-writer.ts';
import { HistoryReader } from './reader.ts';
import { walkTree } from './tree-walk.ts';

const who = { name: 'Ann', email: 'ann@home', timeSec: 1_800_000_000, offsetMinutes: 60 };

function named(name: string, kind: 'tree' | 'blob', id: GitId) {
  return { name: name as EncodedName, kind, id };
}

describe('overlay', () => {
  it('reads what was added at once, and the history for all else', () => {
    using history = newHistory();
    const old = history.commit({ 'a/b': 'one', c: 'two' });
    const reader = new HistoryReader(history.dir);
    const overlay = new Overlay(reader);
    const { tree } = overlay.readCommit(old);
    const blob = overlay.addBlob('three');
    const entries = [...overlay.readTree(tree), named('b', 'blob', blob)];
    const next = overlay.addTree(entries.reverse());
    const commit = overlay.addCommit({
      tree: next,
      parents: [old],
      author: who,
      committer: who,
      message: 'x\n',
    });
    expect([...walkTree(overlay, overlay.readCommit(commit).tree)].map(({ path }) => path)).toEqual(['a/b', 'b', 'c']); // biome-ignore format: short
    expect(overlay.readBlobText(blob)).toBe('three');
    expect(reader.has(next)).toBe(false);
    reader.close();
  });

  it('gives objects the names that a pack gives them, and becomes part of the history only when written', () => {
    using history = newHistory();
    const old = history.commit({ 'a/b': 'one' });
    const reader = new HistoryReader(history.dir);
    const overlay = new Overlay(reader);
    const { tree } = overlay.readCommit(old);
    const long = 'long '.repeat(30_000);
    const blob = overlay.addBlob(long);
    const next = overlay.addTree([named('é😀', 'blob', blob), named('z', 'tree', tree)]);
    const commit = overlay.addCommit({
      tree: next,
      parents: [old],
      author: who,
      committer: who,
      message: 'é\n',
    });
    const writer = new PackWriter(history.dir, history.staging, { reader });
    overlay.writeTo(writer);
    expect(writer.count).toBe(3);
    writer.finish();
    expect(history.git('cat-file', 'blob', blob)).toBe(long);
    expect(history.git('rev-parse', `${commit}^{tree}`, `${commit}^`).split('\n')).toEqual([next, old, '']);
    expect(history.git('fsck', '--strict', '--no-dangling')).toBe('');
    reader.close();
  });

  it('does not hold what the history has', () => {
    using history = newHistory();
    const old = history.commit({ a: 'one' });
    const reader = new HistoryReader(history.dir);
    const overlay = new Overlay(reader);
    overlay.addBlob('one');
    overlay.addTree(overlay.readTree(overlay.readCommit(old).tree));
    expect(overlay.count).toBe(0);
    reader.close();
  });
});
