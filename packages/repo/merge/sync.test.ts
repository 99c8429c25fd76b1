import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { a, b, c, start, threeMachines } from './merge.fixture.ts';

threeMachines();

describe('sync', () => {
  it('commits, merges with one after the other, and all have the same in the end', async () => {
    await start((tree) => tree.write('docs/x', 'x'), b, c);
    for (const machine of [b, c]) {
      machine.write(`docs/of ${machine.name}`, machine.name);
      await machine.commit();
    }
    a.mv('docs', 'papers');
    const result = await a.sync();
    expect(result.remotes).toMatchObject([
      { name: 'b', standing: 'diverged', merged: { result: 'merged', applied: { copied: 1 } } },
      { name: 'c', standing: 'diverged', merged: { result: 'merged', applied: { copied: 1 } } },
    ]);
    expect(result.pushed).toMatchObject([{ name: 'b', moved: true }, { name: 'c', moved: true }]); // biome-ignore format: short
    for (const machine of [a, b, c]) {
      expect(machine.files()).toEqual({ 'papers/of b': 'b', 'papers/of c': 'c', 'papers/x': 'x' });
      expect(await machine.head()).toBe(result.head);
      await machine.verifyAll();
    }
  });

  it('does not make one of histories that never met', async () => {
    a.write('x', 'a');
    b.write('x', 'b');
    await b.commit();
    const result = await a.sync({ remotes: ['b'] });
    expect(result.remotes).toMatchObject([{ standing: 'unrelated', reason: expect.stringContaining('bk merge b') }]); // biome-ignore format: short
    expect(result.pushed).toMatchObject([{ moved: false, reason: expect.stringContaining('bk merge b') }]);
    expect([a.read('x'), b.read('x')]).toEqual(['a', 'b']);
  });

  it('too many deletions are not merged, and everything else is done', async () => {
    await start(
      (tree) => {
        for (let n = 0; n < 30; n++) tree.write(`many/${n}`, `text ${n}`);
      },
      b,
      c,
    );
    for (let n = 0; n < 20; n++) fs.unlinkSync(b.at(`many/${n}`));
    await b.commit({ allowMassDelete: true });
    c.write('of c', 'c');
    await c.commit();
    a.write('of a', 'a');
    const result = await a.sync();
    expect(result.remotes).toMatchObject([
      { name: 'b', standing: 'diverged', refused: true },
      { name: 'c', standing: 'diverged', merged: { result: 'merged' } },
    ]);
    expect(Object.keys(a.files())).toHaveLength(32);
  });

  it('a dry run says what it would merge, and touches nothing', async () => {
    await start((tree) => tree.write('x', 'x'), b);
    b.write('of b', 'b');
    await b.commit();
    await a.fetch();
    a.write('of a', 'a');
    const before = [await a.head(), await b.head()];
    expect((await a.sync({ dryRun: true, remotes: ['b'] })).remotes).toMatchObject([
      { standing: 'diverged', merged: { result: 'merged', commit: null, applied: { copied: 1 } } },
    ]);
    expect([await a.head(), await b.head(), Object.keys(a.files())]).toEqual([...before, ['of a', 'x']]);
  });
});
