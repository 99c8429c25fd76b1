import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { a, b, both, type Machine, start, threeMachines } from './merge.fixture.ts';

threeMachines();

function small(tree: Machine): void {
  tree.write('docs/a', 'text a');
  tree.write('docs/b', 'text b');
  tree.write('docs/deep/c', 'text c');
  tree.write('docs/deep/d', 'text d');
  tree.write('photos/1.jpg', 'one');
  tree.write('photos/2.jpg', 'two');
  tree.write('top', 'top');
}

describe('merge', () => {
  it('what both did becomes one, by renaming, with the same head on both sides', async () => {
    await start(small, b);
    a.mv('docs', 'papers');
    a.write('new', 'new of a');
    await a.commit();
    b.write('docs/a', 'edited by b');
    b.write('docs/deep/e', 'added by b');
    fs.unlinkSync(b.at('photos/1.jpg'));
    await b.commit();
    const [first, second] = await both(a, b);
    expect(first).toMatchObject({ result: 'merged', conflicts: [], missing: [], left: [] });
    expect(first.applied).toEqual({ renamed: 0, copied: 1, updated: 1, deleted: 1 });
    expect(first.transferred.files).toBe(2);
    expect(second.applied).toEqual({ renamed: 5, copied: 1, updated: 0, deleted: 0 });
    expect(second.moved).toEqual([{ from: 'docs', to: 'papers', files: 5 }]);
    expect(a.files()).toEqual({
      new: 'new of a',
      'papers/a': 'edited by b',
      'papers/b': 'text b',
      'papers/deep/c': 'text c',
      'papers/deep/d': 'text d',
      'papers/deep/e': 'added by b',
      'photos/2.jpg': 'two',
      top: 'top',
    });
  });

  it('a conflict keeps both, on both sides under the same names', async () => {
    await start(small, b);
    a.put('top', 'top of a', 1_790_000_000);
    await a.commit();
    b.put('top', 'top of b', 1_790_000_001);
    await b.commit();
    const [first] = await both(a, b);
    const copy = 'top (conflict a 2026-09-21)';
    expect(first.conflicts).toEqual([{ path: 'top', kind: 'content', kept: [copy] }]);
    expect([a.read('top'), a.read(copy)]).toEqual(['top of b', 'top of a']);
    const records = await a.records();
    expect(records.get('top')?.conflict).toEqual(records.get(copy)?.conflict);
  });
});
