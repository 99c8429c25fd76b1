import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { encodeName, type FsName, joinPath, type RepoPath, ROOT, STAT } from '@bk/core';
import { putStat } from '@bk/worktree';
import { expect, test } from 'vitest';
import { drop } from '../drop.ts';
import { folderRemote, hashOf } from '../get.fixture.ts';
import { holdersOf } from '../holdings/holdings.ts';
import { TestTree } from '../tree.fixture.ts';
import { verify } from '../verify.ts';

const everything = { paths: [] as RepoPath[] };

/** Other bytes under a stat that the index vouches for: what a failing disk does. */
async function rot(tree: TestTree, name: string): Promise<void> {
  const { mtimeNs } = fs.lstatSync(tree.at(name), { bigint: true });
  const fd = fs.openSync(tree.at(name), 'r+');
  fs.writeSync(fd, 'ROT', 0);
  fs.closeSync(fd);
  const seconds = `${mtimeNs / 1_000_000_000n}.${String(mtimeNs % 1_000_000_000n).padStart(9, '0')}`;
  execFileSync('touch', ['-d', `@${seconds}`, tree.at(name).toString()]);
  await vouch(tree);
}

/** The index' stats become those of the files, as if they had been looked at long after they were written. */
async function vouch(tree: TestTree): Promise<void> {
  await tree.with((repo) => {
    repo.beginWriting();
    const known = repo.index.known(ROOT)!;
    known.listing.names.forEach((name, k) => {
      if (k === 0) return;
      const path = joinPath(ROOT, encodeName(name as FsName));
      putStat(known.listing.stats, k, fs.lstatSync(tree.at(path), { bigint: true }));
    });
    expect(known.listing.stats[STAT.ctime]).toBeDefined();
    const observedNs = BigInt(Date.now() + 60_000) * 1_000_000n;
    repo.index.write({ put: new Map([[ROOT, { ...known, observedNs }]]) });
  });
}

async function holding(texts: Readonly<Record<string, string>>): Promise<TestTree> {
  const tree = new TestTree();
  for (const [name, text] of Object.entries(texts)) tree.write(name, text);
  await tree.commit();
  await vouch(tree);
  return tree;
}

test('rot that verify found is no copy: not for another that drops, nor for where, nor for a drop here', async () => {
  using here = await holding({ a: 'content a' });
  using there = await holding({ a: 'content a', twin: 'content a', b: 'content b' });
  await rot(there, 'a');
  const found = await there.with((repo) => verify(repo, everything, there.context));
  expect(found.rot.map(({ path }) => path)).toEqual(['a']);
  fs.unlinkSync(there.at('twin'));

  const remote = folderRemote('there', there);
  const reached = { open: [remote], unreachable: [] };
  const result = await here.with((repo) =>
    drop(repo, { paths: ['a' as RepoPath], copies: 1 }, here.context, { reached, deviceOf: () => undefined }),
  );
  remote.close();
  expect(result.done).toEqual([]);
  expect(result.refused[0]?.reason).toContain('there: it does not hold it now');
  expect(fs.readFileSync(here.at('a'), 'utf8')).toBe('content a');
  expect(await there.with((repo) => [...holdersOf(repo, 'all').keys()])).toEqual([hashOf('content b')]);
});

test('a good file does not go because a rotten one of the same content stays', async () => {
  using tree = await holding({ bad: 'content a', good: 'content a' });
  await rot(tree, 'bad');
  await tree.with((repo) => verify(repo, everything, tree.context));
  const reached = { open: [], unreachable: [] };
  const result = await tree.with((repo) =>
    drop(repo, { paths: ['good' as RepoPath] }, tree.context, { reached }),
  );
  expect(result.done).toEqual([]);
  expect(fs.existsSync(tree.at('good'))).toBe(true);
});

test('once all is found good again a stat is enough', async () => {
  using tree = await holding({ a: 'content a' });
  await rot(tree, 'a');
  const verified = () => tree.with((repo) => verify(repo, everything, tree.context));
  const holders = () => tree.with((repo) => holdersOf(repo, 'all').size);
  expect((await verified()).rot.length).toBe(1);
  expect(await holders()).toBe(0);
  fs.writeFileSync(tree.at('a'), 'content a');
  await vouch(tree);
  expect((await verified()).ok).toBe(1);
  fs.writeFileSync(tree.at('a'), 'CONTENT A');
  await vouch(tree);
  expect(await holders()).toBe(1);
});
