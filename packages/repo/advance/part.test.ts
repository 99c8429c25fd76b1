import fs from 'node:fs';
import type { RepoPath } from '@bk/core';
import { layoutOf, SafetyNet, withSubset } from '@bk/store';
import { describe, expect, it } from 'vitest';
import { absentBelow, setAbsent } from '../presence/absence.ts';
import { a, b, follow, same, twins, twoTrees } from './advance.fixture.ts';

twoTrees();

describe('advance of a part', () => {
  async function partial(): Promise<void> {
    await twins((tree) => {
      for (const name of ['in/a', 'in/b', 'in/deep/c', 'out/d', 'out/e', 'out/deep/f'])
        tree.write(name, `text of ${name}`);
    });
    await b.with((repo) => {
      repo.beginWriting();
      repo.reconfigure((config) => withSubset(config, { include: ['in'], exclude: [] }));
      setAbsent(repo, ['out' as RepoPath], b.context);
    });
    fs.rmSync(b.at('out'), { recursive: true });
    const net = new SafetyNet(layoutOf(b.root));
    for (const entry of [...net.list()])
      if (fs.readFileSync(entry.file, 'utf8').startsWith('text of out')) net.release(entry);
    expect(await b.changes()).toEqual([]);
  }
  const absent = () => b.with((repo) => [...absentBelow(repo, '' as RepoPath)]);

  it('P01: what leaves moves here too; P02: what comes in is fetched; the rest follows in the history only', async () => {
    await partial();
    a.mv('in/a', 'out/a');
    a.mv('out/d', 'in/d');
    a.write('out/e', 'edited outside');
    a.write('out/new', 'new outside');
    await a.commit();
    expect(await follow()).toMatchObject({ missing: [], conflicts: [], transferred: { files: 1 } });
    expect(fs.readFileSync(b.at('out/a'), 'utf8')).toBe('text of in/a');
    expect(fs.readFileSync(b.at('in/d'), 'utf8')).toBe('text of out/d');
    expect(await absent()).toEqual(['out/e', 'out/new', 'out/deep/f']);
    expect(await b.changes()).toEqual([]);
    b.fsck();
  });

  it('P03: a folder that crosses the border, out and in', async () => {
    await partial();
    a.mv('in/deep', 'out/moved');
    a.mv('out/deep', 'in/moved');
    await a.commit();
    expect(await follow()).toMatchObject({ missing: [], conflicts: [], transferred: { files: 1 } });
    expect(fs.readFileSync(b.at('out/moved/c'), 'utf8')).toBe('text of in/deep/c');
    expect(fs.readFileSync(b.at('in/moved/f'), 'utf8')).toBe('text of out/deep/f');
    expect(await absent()).toEqual(['out/d', 'out/e']);
    expect(await b.changes()).toEqual([]);
  });

  it('what is outside moves as a whole without a trace', async () => {
    await partial();
    a.mv('out', 'far');
    await a.commit();
    expect(await follow()).toMatchObject({ applied: { renamed: 0 }, transferred: { files: 0 } });
    expect(fs.readdirSync(b.root).sort()).toEqual(['.bk', 'in']);
    expect(await absent()).toEqual(['far/d', 'far/e', 'far/deep/f']);
    expect(await b.changes()).toEqual([]);
  });

  it('a folder outside that is empty now, or says something of itself, is not missed here', async () => {
    await partial();
    a.mv('out/deep/f', 'out/f');
    fs.chmodSync(a.at('out'), 0o700);
    await a.commit();
    await follow();
    expect(await absent()).toEqual(['out/d', 'out/e', 'out/f']);
    expect(await b.changes()).toEqual([]);
    expect(fs.readdirSync(b.root).sort()).toEqual(['.bk', 'in']);
  });

  it('what is outside is deleted without a trace', async () => {
    await partial();
    fs.rmSync(a.at('out'), { recursive: true });
    await a.commit();
    expect(await follow()).toMatchObject({ applied: { deleted: 0 } });
    expect(await absent()).toEqual([]);
    await same();
  });
});

it('mass deletion is told by what is here', async () => {
  await twins((tree) => {
    for (let n = 0; n < 60; n++) tree.write(`${n < 20 ? 'in' : 'out'}/${n}`, `text ${n}`);
  });
  await b.with((repo) => {
    repo.beginWriting();
    setAbsent(repo, ['out' as RepoPath], b.context);
  });
  fs.rmSync(b.at('out'), { recursive: true });
  fs.rmSync(a.at('in'), { recursive: true });
  await a.commit();
  await expect(follow()).rejects.toMatchObject({ code: 'refused', message: /20 of 20 files/ });
  expect(fs.readdirSync(b.at('in')).length).toBe(20);
  expect(await follow({ allowMassDelete: true })).toMatchObject({ applied: { deleted: 20 } });
});

describe('a folder whose disk is not mounted', () => {
  const offline = () =>
    b.with((repo) => {
      repo.beginWriting();
      const folder = 'disk' as RepoPath;
      repo.index.write({ put: new Map([[folder, { ...repo.index.known(folder)!, mount: true }]]) });
    });

  it.each<[string, () => void]>([
    ['gets no new file', () => a.write('disk/new', 'new')],
    ['gets no folder', () => a.mv('other', 'disk/other')],
    ['loses no file', () => fs.unlinkSync(a.at('disk/x'))],
  ])('%s under its empty mount point', async (_, change) => {
    await twins((tree) => {
      for (const name of ['disk/x', 'other/y']) tree.write(name, `text of ${name}`);
    });
    await offline();
    fs.unlinkSync(b.at('disk/x'));
    change();
    await a.commit();
    await expect(follow()).rejects.toMatchObject({ code: 'refused', path: 'disk' });
    expect(fs.readdirSync(b.at('disk'))).toEqual([]);
  });

  it('hinders nothing elsewhere', async () => {
    await twins((tree) => {
      for (const name of ['disk/x', 'other/y']) tree.write(name, `text of ${name}`);
    });
    await offline();
    fs.unlinkSync(b.at('disk/x'));
    a.write('other/new', 'new');
    await a.commit();
    expect(await follow()).toMatchObject({ applied: { copied: 1 } });
  });
});
