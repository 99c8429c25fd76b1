import fs from 'node:fs';
import type { RepoPath } from '@bk/core';
import { layoutOf, SafetyNet } from '@bk/store';
import { hashBytes } from '@bk/worktree';
import { beforeEach, describe, expect, it } from 'vitest';
import { conflicts } from '../conflicts.ts';
import { type ResolveOptions, type ResolveResult, resolve } from '../resolve.ts';
import { a, b, both, c, type Machine, start, threeMachines } from './merge.fixture.ts';

threeMachines();

const COPY = 'docs/x (conflict a 2026-09-21).txt';

function solve(
  machine: Machine,
  paths: string[],
  more: Omit<ResolveOptions, 'paths'> = {},
): Promise<ResolveResult> {
  return machine.with((repo) => resolve(repo, { paths: paths as RepoPath[], ...more }, machine.context));
}

function open(machine: Machine): Promise<string[]> {
  return machine.with((repo) => conflicts(repo).conflicts.map(({ path, kind }) => `${kind} ${path}`));
}

function inNet(machine: Machine, text: string): boolean {
  return new SafetyNet(layoutOf(machine.root)).lookup(hashBytes(Buffer.from(text))).length > 0;
}

/** Both edited docs/x.txt, b later; both added new; a deleted gone, which b edited; a moved m to n, b to o. */
beforeEach(async () => {
  await start((tree) => {
    tree.put('docs/x.txt', 'x', 1_780_000_000);
    tree.write('gone', 'gone');
    tree.write('m', 'm');
    tree.write('other', 'other');
  }, b);
  a.put('docs/x.txt', 'x of a', 1_790_000_000);
  a.put('new', 'new of a', 1_790_000_100);
  fs.unlinkSync(a.at('gone'));
  a.mv('m', 'n');
  await a.commit();
  b.put('docs/x.txt', 'x of b', 1_790_000_100);
  b.put('new', 'new of b', 1_790_000_000);
  b.save('gone', 'gone, edited by b');
  b.mv('m', 'o');
  await b.commit();
  await a.merge(b);
  await b.merge(a);
});

describe('conflicts', () => {
  it('are listed with who made which version, and when', async () => {
    const { conflicts: found } = await a.with((repo) => conflicts(repo));
    expect(found.map(({ path, kind }) => [kind, path])).toEqual([
      ['content', 'docs/x.txt'],
      ['delete-edit', 'gone'],
      ['add-add', 'new'],
      ['rename-rename', 'o'],
    ]);
    const versions = found.map((one) => one.versions.map(({ path, repository }) => `${path}: ${repository}`));
    expect(versions).toEqual([
      [`${COPY}: a`, 'docs/x.txt: b'],
      ['gone: b'],
      ['new: a', 'new (conflict b 2026-09-21): b'],
      ['n: a', 'o: b'],
    ]);
    for (const { blake3, time } of found.flatMap((one) => one.versions)) {
      expect(blake3).toMatch(/^[0-9a-f]{64}$/);
      expect(time).toMatch(/^2026-10-01T00:\d\d:\d\dZ$/);
    }
    expect(await b.with((repo) => conflicts(repo))).toEqual({ conflicts: found });
    // One that was moved since is found where it is now.
    a.mv(COPY, 'docs/mine.txt');
    await a.commit();
    const [first] = (await a.with((repo) => conflicts(repo))).conflicts;
    expect(first?.versions.map(({ path, repository }) => [path, repository])).toEqual([['docs/mine.txt', 'a'], ['docs/x.txt', 'b']]); // biome-ignore format: long
  });

  it('there are none without a merge, nor in an empty repository', async () => {
    expect(await open(c)).toEqual([]);
    c.write('x', 'x');
    await c.commit();
    expect(await open(c)).toEqual([]);
  });
});

describe('resolve', () => {
  it('keeps what is at the path; the other goes to the net; the others learn it', async () => {
    const result = await solve(a, ['docs/x.txt']);
    expect(result).toMatchObject({
      resolved: [{ path: 'docs/x.txt', kind: 'content', kept: ['docs/x.txt'], removed: [COPY] }],
      conflicts: [{ path: 'gone' }, { path: 'new' }, { path: 'o' }],
      left: [],
      missing: [],
    });
    expect(result.commit).toBe(await a.head());
    expect([a.read('docs/x.txt'), a.has(COPY), inNet(a, 'x of a')]).toEqual(['x of b', false, true]);
    await a.verifyAll();
    const message = a.git('log', '-1', '--format=%B');
    expect(message).toContain('Resolve docs/x.txt');
    expect(message).toContain('Bk-Deletions: kept');
    expect((await b.merge(a)).result).toBe('fast-forward');
    expect(await open(b)).toEqual(['delete-edit gone', 'add-add new', 'rename-rename o']);
    expect(inNet(b, 'x of a')).toBe(true);
  });

  it('the copy: it takes the path, and the object stays the same', async () => {
    const before = (await a.records()).get('docs/x.txt')?.id;
    const result = await solve(a, [COPY]);
    expect(result.resolved).toMatchObject([{ kept: ['docs/x.txt'], removed: ['docs/x.txt'] }]);
    expect([a.read('docs/x.txt'), a.has(COPY), inNet(a, 'x of b')]).toEqual(['x of a', false, true]);
    expect((await a.records()).get('docs/x.txt')).toMatchObject({ id: before });
    await a.verifyAll();
    await b.merge(a);
    expect(b.read('docs/x.txt')).toBe('x of a');
  });

  it.each<[string, string, Record<string, string>]>([
    ['both', 'docs', { 'docs/x.txt': 'x of b', [COPY]: 'x of a' }],
    ['newest', 'new', { new: 'new of a' }],
    ['b', 'new', { new: 'new of b' }],
    ['deletion', 'gone', {}],
    ['a', 'o', { n: 'm' }],
    ['newest', 'o', { o: 'm' }],
  ])('--keep %s of %s', async (keep, path, files) => {
    const others = a.files();
    for (const name of Object.keys(others)) if (isOf(path, name)) delete others[name];
    const before = await open(a);
    await solve(a, [path], { keep });
    expect(a.files()).toEqual({ ...others, ...files });
    expect(await open(a)).toHaveLength(before.length - 1);
    await a.verifyAll();
  });

  it('all of them', async () => {
    const result = await solve(a, [], { all: true });
    expect(result.resolved).toHaveLength(4);
    expect(await open(a)).toEqual([]);
    expect(a.files()).toEqual({ 'docs/x.txt': 'x of b', gone: 'gone, edited by b', new: 'new of a', o: 'm', other: 'other' }); // biome-ignore format: long
    expect(a.git('log', '-1', '--format=%s')).toBe('Resolve 4 conflicts\n');
    expect(await solve(a, [], { all: true })).toMatchObject({ commit: null, resolved: [] });
    await a.verifyAll();
    await b.merge(a);
    expect(await open(b)).toEqual([]);
  });

  it('both versions named: both stay', async () => {
    await solve(a, ['docs/x.txt', COPY]);
    expect([a.read('docs/x.txt'), a.read(COPY)]).toEqual(['x of b', 'x of a']);
    expect(await open(a)).not.toContain('content docs/x.txt');
  });

  it('a dry run touches nothing; changes, strangers and paths without a conflict are refused', async () => {
    const before = [await a.head(), a.files()];
    const plan = await solve(a, ['docs/x.txt'], { dryRun: true });
    expect(plan).toMatchObject({ commit: null, resolved: [{ removed: [COPY] }] });
    await expect(solve(a, ['other'])).rejects.toMatchObject({ code: 'not-found', path: 'other' });
    await expect(solve(a, [])).rejects.toMatchObject({ code: 'usage' });
    await expect(solve(a, ['new'], { keep: 'nobody' })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('its versions are of a, b'),
    });
    await expect(solve(a, ['new'], { keep: 'deletion' })).rejects.toMatchObject({ code: 'refused' });
    expect([await a.head(), a.files()]).toEqual(before);
    a.write('other', 'edited');
    await expect(solve(a, ['docs/x.txt'])).rejects.toMatchObject({ code: 'refused', message: /other/ });
    expect(a.has(COPY)).toBe(true);
  });

  it('resolved differently by two: no content is lost, and what one ended is not open again', async () => {
    await solve(a, ['docs/x.txt']);
    await solve(b, [COPY]);
    await both(a, b);
    for (const machine of [a, b]) {
      const texts = Object.values(machine.files());
      expect(texts.some((text) => text === 'x of a' || text === 'x of b')).toBe(true);
      for (const text of ['x of a', 'x of b'])
        expect(texts.includes(text) || inNet(machine, text)).toBe(true);
    }
  });

  it('of two projects that were kept twice one stays, whole', async () => {
    for (const machine of [a, b]) {
      machine.put('app/.git/HEAD', `head of ${machine.name}`, 1_790_000_000);
      machine.put('app/src', `source of ${machine.name}`, 1_790_000_000);
      await machine.commit();
    }
    await a.merge(b);
    const [atomic] = (await open(a)).filter((one) => one.startsWith('atomic'));
    expect(atomic).toBe('atomic app');
    const copy = Object.keys(a.files())
      .find((name) => name.startsWith('app (conflict'))!
      .split('/')[0]!;
    const wanted = a.read(`${copy}/src`);
    await solve(a, [copy]);
    expect([a.read('app/src'), a.has(copy)]).toEqual([wanted, false]);
    expect((await a.records()).has('app/.bkdir')).toBe(false);
    expect(await a.changes()).toEqual([]);
    await a.verifyIndex();
  });
});

function isOf(path: string, name: string): boolean {
  return name === path || name.startsWith(`${path}/`) || name.startsWith(`${path} (conflict`);
}
