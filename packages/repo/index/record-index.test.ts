import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { type ContentHash, PROTECTION, STAT_WIDTH } from '@bk/core';
import { layoutOf, SafetyNet } from '@bk/store';
import { hashBytes, putStat } from '@bk/worktree';
import { expect, test } from 'vitest';
import { at, drop, get } from '../partial.fixture.ts';
import { setPresent } from '../presence/absence.ts';
import { recover } from '../recover.ts';
import { findReleasable, releaseDeparted } from '../safety/release.ts';
import { mtimeOf, TestTree } from '../tree.fixture.ts';

/** Of the file `a` when it comes back: near the recorded one, as a file system with coarse times would have it. */
const COARSE = 1_700_000_000;
const EXACT = '1700000000.605315625';

async function treeWithA(): Promise<TestTree> {
  const tree = new TestTree();
  tree.write('a', 'text of a');
  execFileSync('touch', ['-d', `@${EXACT}`, tree.at('a').toString()]);
  await tree.commit();
  return tree;
}

/** Lets go of `a` and brings it back, with another time and mode than it was recorded with and a link in the net. */
async function broughtBack(tree: TestTree): Promise<void> {
  const kept = path.join(tree.base, 'kept');
  execFileSync('cp', ['-a', tree.at('a').toString(), kept]);
  await drop(tree, 'a');
  fs.utimesSync(kept, COARSE, COARSE);
  fs.chmodSync(kept, 0o777);
  await get(tree, kept, 'a');
  const stat = fs.lstatSync(tree.at('a'), { bigint: true });
  const file = { blake3: hashBytes(fs.readFileSync(kept)), inode: stat.ino, size: Number(stat.size) };
  const net = new SafetyNet(layoutOf(tree.root), { reflink: false });
  expect(net.protect(tree.at('a'), file)).toBe(PROTECTION.link);
  const stats = new BigInt64Array(STAT_WIDTH);
  putStat(stats, 0, fs.lstatSync(tree.at('a'), { bigint: true }));
  await tree.with((repo) => {
    repo.beginWriting();
    const observedNs = BigInt(Date.now()) * 1_000_000n + 1_000_000_000n;
    const placed = { path: at('a'), stats, observedNs, protection: PROTECTION.link, mode: 0o777 };
    setPresent(repo, [placed], tree.context);
  });
  expect(await tree.changes()).toEqual([]);
}

const linksOf = (tree: TestTree, blake3: ContentHash) =>
  new SafetyNet(layoutOf(tree.root)).lookup(blake3).filter(({ inode }) => inode !== undefined).length;

test('a version that was replaced is listed as it was committed, not as it was on the disk', async () => {
  using tree = await treeWithA();
  const recorded = (await tree.records()).get('a')!;
  await broughtBack(tree);
  tree.save('a', 'another text');
  await tree.commit();
  const [row] = await tree.with((repo) => repo.index.departed.all());
  expect(row).toMatchObject({
    reason: 'replaced',
    mtimeNs: mtimeOf(recorded),
    mode: 0o644,
    seen: { mtimeNs: BigInt(COARSE) * 1_000_000_000n, mode: 0o777 },
  });
  await tree.verifyIndex();
  fs.rmSync(tree.at('a'));
  await tree.with((repo) => recover(repo, { paths: [at('a')], at: 'HEAD~1' }, tree.context));
  expect(fs.lstatSync(tree.at('a'), { bigint: true }).mtimeNs).toBe(mtimeOf(recorded));
});

test('its link in the net is known by what it was on the disk, and goes when policy allows', async () => {
  using tree = await treeWithA();
  const { blake3 } = (await tree.records()).get('a')!;
  await broughtBack(tree);
  tree.save('a', 'another text');
  await tree.commit();
  await tree.with((repo) => {
    repo.beginWriting();
    const later = { ...tree.context, nowMs: () => tree.context.nowMs() + 31 * 86_400_000 };
    expect(findReleasable(repo, tree.context)).toEqual([]);
    const before = linksOf(tree, blake3!);
    releaseDeparted(repo, later);
    expect([before, linksOf(tree, blake3!)]).toEqual([2, 1]);
  });
});

test('what comes back as it was on the disk keeps what the disk could not', async () => {
  using tree = await treeWithA();
  const recorded = (await tree.records()).get('a')!;
  await broughtBack(tree);
  fs.renameSync(tree.at('a'), path.join(tree.base, 'away'));
  await tree.commit();
  fs.renameSync(path.join(tree.base, 'away'), tree.at('a'));
  await tree.commit();
  expect((await tree.records()).get('a')).toEqual(recorded);
});
