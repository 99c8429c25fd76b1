import fs from 'node:fs';
import type { RepoPath } from '@bk/core';
import { layoutOf, SafetyNet } from '@bk/store';
import { beforeEach, describe, expect, it } from 'vitest';
import { absentBelow, setAbsent } from '../presence/absence.ts';
import { a, b, c, type Machine, start, threeMachines } from './merge.fixture.ts';

threeMachines();

/** What a machine does not have by design. */
function absent(machine: Machine): Promise<string[]> {
  return machine.with((repo) => [...absentBelow(repo, '' as RepoPath)].sort());
}

/** It has only these folders, and no copy of the rest. */
async function limit(machine: Machine, wanted: string, others: readonly string[]): Promise<void> {
  await machine.wants([wanted]);
  await machine.with((repo) => {
    repo.beginWriting();
    setAbsent(repo, others as RepoPath[], machine.context);
  });
  for (const other of others) fs.rmSync(machine.at(other), { recursive: true });
  const net = new SafetyNet(layoutOf(machine.root));
  for (const entry of [...net.list()])
    if (others.some((other) => fs.readFileSync(entry.file, 'utf8').startsWith(`text of ${other}`)))
      net.release(entry);
  expect(await machine.changes()).toEqual([]);
}

describe('merge of a part', () => {
  beforeEach(async () => {
    await start((tree) => {
      for (const name of ['in/a', 'in/b', 'in/deep/c', 'out/d', 'out/e', 'out/deep/f', 'out/deep/g'])
        tree.write(name, `text of ${name}`);
    }, b);
    await limit(b, 'in', ['out']);
    b.write('in/of b', 'b');
    b.mv('in/b', 'in/b2');
    await b.commit();
  });

  it('P01, P02, P04: out of the subset it moves here too, into it it is fetched, the rest is history', async () => {
    a.mv('in/a', 'out/a');
    a.mv('out/d', 'in/d');
    a.write('out/e', 'edited outside');
    a.write('out/new', 'new outside');
    await a.commit();
    const result = await b.merge(a);
    expect(result).toMatchObject({ result: 'merged', missing: [], conflicts: [], left: [], transferred: { files: 1 } }); // biome-ignore format: long
    expect([b.read('out/a'), b.read('in/d'), b.read('in/b2')]).toEqual(['text of in/a', 'text of out/d', 'text of in/b']); // biome-ignore format: long
    expect(await absent(b)).toEqual(['out/deep/f', 'out/deep/g', 'out/e', 'out/new']);
    expect(await b.changes()).toEqual([]);
    b.fsck();
    await b.verifyIndex();
    expect((await a.merge(b)).commit).toBe(result.commit);
    expect(Object.keys(a.files())).toEqual(['in/b2', 'in/d', 'in/deep/c', 'in/of b', 'out/a', 'out/deep/f', 'out/deep/g', 'out/e', 'out/new']); // biome-ignore format: long
  });

  it('P03: a folder that crosses the border, half of it each way', async () => {
    a.mkdir('in/moved');
    a.mv('out/deep/f', 'in/moved/f');
    a.mv('in/deep', 'out/from in');
    await a.commit();
    const result = await b.merge(a);
    expect(result).toMatchObject({ result: 'merged', missing: [], conflicts: [], transferred: { files: 1 } });
    expect([b.read('in/moved/f'), b.read('out/from in/c')]).toEqual([
      'text of out/deep/f',
      'text of in/deep/c',
    ]);
    expect(await absent(b)).toEqual(['out/d', 'out/deep/g', 'out/e']);
    expect(await b.changes()).toEqual([]);
  });

  it('P02: what moved in and cannot be had is missing, not deleted', async () => {
    a.mv('out/d', 'in/d');
    await a.commit();
    await b.fetch();
    fs.renameSync(a.root, `${a.root}.away`);
    const result = await b.merge(a);
    fs.renameSync(`${a.root}.away`, a.root);
    expect(result).toMatchObject({ result: 'merged', missing: [{ path: 'in/d' }] });
    expect(await absent(b)).toEqual(['in/d', 'out/deep/f', 'out/deep/g', 'out/e']);
    expect(await b.changes()).toEqual([]);
  });

  it('P12: a rename from outside is fetched, and a conflict outside is history like the rest', async () => {
    a.mv('out/deep', 'in/came');
    a.put('out/e', 'e of a', 1_790_000_000);
    await a.commit();
    await c.merge(a);
    c.put('out/e', 'e of c', 1_790_000_100);
    c.put('in/of c', 'c', 1_790_000_100);
    await c.commit();
    a.put('out/e', 'e of a again', 1_790_000_200);
    await a.commit();
    await b.merge(a);
    const result = await b.merge(c);
    const copy = 'out/e (conflict c 2026-09-21)';
    expect(result).toMatchObject({ missing: [], conflicts: [{ path: 'out/e', kept: [copy] }], transferred: { files: 1 } }); // biome-ignore format: long
    expect([b.has('out'), b.read('in/came/f'), b.read('in/of c')]).toEqual([
      false,
      'text of out/deep/f',
      'c',
    ]);
    expect(await absent(b)).toEqual(['out/d', 'out/e', copy]);
    await a.merge(b);
    // b has not got it: it comes from c, which nobody named.
    expect([a.read('out/e'), a.read(copy)]).toEqual(['e of a again', 'e of c']);
  });

  it('P08: two parts of one tree, each sees its own', async () => {
    await c.merge(a);
    await limit(c, 'out', ['in']);
    c.write('out/of c', 'c');
    fs.unlinkSync(c.at('out/d'));
    await c.commit();
    const result = await c.merge(b);
    expect(result).toMatchObject({ result: 'merged', applied: { copied: 0, deleted: 0, renamed: 0 } });
    expect((await b.merge(c)).commit).toBe(result.commit);
    expect(Object.keys(c.files())).toEqual(['out/deep/f', 'out/deep/g', 'out/e', 'out/of c']);
    expect(Object.keys(b.files())).toEqual(['in/a', 'in/b2', 'in/deep/c', 'in/of b']);
    await a.merge();
    expect(Object.keys(a.files())).toEqual(['in/a', 'in/b2', 'in/deep/c', 'in/of b', 'out/deep/f', 'out/deep/g', 'out/e', 'out/of c']); // biome-ignore format: long
    for (const machine of [a, b, c]) expect(await machine.changes()).toEqual([]);
  });
});
