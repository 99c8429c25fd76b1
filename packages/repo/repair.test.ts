import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import type { RepoPath } from '@bk/core';
import { layoutOf, SafetyNet } from '@bk/store';
import { expect, test } from 'vitest';
import { check } from './check.ts';
import { hashOf, makeAbsent, memoryRemote } from './get.fixture.ts';
import { type RepairOptions, type RepairPorts, repair } from './repair.ts';
import { TestTree } from './tree.fixture.ts';
import { verify } from './verify.ts';

const paths = (...list: string[]) => list as RepoPath[];

function repaired(tree: TestTree, options: RepairOptions, ports: RepairPorts = { remotes: [] }) {
  return tree.with((repo) => repair(repo, options, tree.context, ports));
}

/** Changes bytes in place and gives the file its times back: what a failing disk does. */
function rot(tree: TestTree, file: string, text: string): void {
  const { mtimeNs } = fs.lstatSync(tree.at(file), { bigint: true });
  const fd = fs.openSync(tree.at(file), 'r+');
  fs.writeSync(fd, text, 0);
  fs.closeSync(fd);
  const time = `@${mtimeNs / 1_000_000_000n}.${String(mtimeNs % 1_000_000_000n).padStart(9, '0')}`;
  execFileSync('touch', ['-d', time, tree.at(file).toString()]);
}

async function sick(): Promise<TestTree> {
  const tree = new TestTree();
  tree.write('d/a', 'content a');
  tree.write('b', 'content b');
  tree.write('twin', 'content b');
  tree.write('edited', 'content c');
  tree.write('gone', 'content d');
  tree.write('far', 'content e');
  await tree.commit();
  rot(tree, 'd/a', 'CONTENT A');
  rot(tree, 'b', 'CONTENT B');
  rot(tree, 'far', 'CONTENT E');
  fs.writeFileSync(tree.at('edited'), 'CONTENT C');
  fs.rmSync(tree.at('gone'));
  return tree;
}

test('rot is healed from the best copy, the bad one is in the net; edits are left alone', async () => {
  using tree = await sick();
  const remote = memoryRemote('disk', ['content a', 'content e']);
  const result = await repaired(tree, { paths: [] }, { remotes: [remote] });
  expect(result.repaired).toEqual([
    { path: 'b', from: 'safety', aside: hashOf('CONTENT B') },
    { path: 'd/a', from: 'disk', aside: hashOf('CONTENT A') },
    { path: 'far', from: 'disk', aside: hashOf('CONTENT E') },
  ]);
  expect(result.failed).toEqual([{ path: 'gone', reason: 'it is gone; name it to have it back' }]);
  expect(result.changed.map(({ path }) => path)).toEqual(['edited']);
  expect(fs.readFileSync(tree.at('d/a'), 'utf8')).toBe('content a');
  expect(fs.readFileSync(tree.at('edited'), 'utf8')).toBe('CONTENT C');
  expect(fs.lstatSync(tree.at('b')).ino).not.toBe(fs.lstatSync(tree.at('twin')).ino);
  const net = new SafetyNet(layoutOf(tree.root));
  for (const text of ['CONTENT A', 'CONTENT B', 'CONTENT E']) {
    const [aside] = net.lookup(hashOf(text));
    expect(fs.readFileSync(aside!.file, 'utf8')).toBe(text);
  }
  for (const entry of net.lookup(hashOf('content a')))
    expect(fs.readFileSync(entry.file, 'utf8')).toBe('content a');
  expect(await tree.changes()).toEqual(['modified edited (content mtime)', 'deleted gone']);
  expect((await tree.with((repo) => check(repo, { deep: true }, tree.context))).problems).toEqual(
    // The link that was to keep the edited file's earlier content.
    [expect.objectContaining({ detail: 'its content is not the one that its name says' })],
  );
  const again = await repaired(tree, { paths: [] }, { remotes: [remote] });
  expect(again.repaired).toEqual([]);
  expect((await tree.with((repo) => verify(repo, { paths: [] }, tree.context))).rot).toEqual([]);
});

test('missing files come back when they are named, from the net; what nobody has is reported', async () => {
  using tree = await sick();
  const result = await repaired(tree, { paths: paths('gone', 'd') });
  expect(result.repaired).toEqual([{ path: 'gone', from: 'safety' }]);
  expect(result.failed).toEqual([{ path: 'd/a', reason: 'no remote that can be reached has it' }]);
  expect(fs.readFileSync(tree.at('gone'), 'utf8')).toBe('content d');
  expect(fs.readFileSync(tree.at('d/a'), 'utf8')).toBe('CONTENT A');
});

test('a remote that has it no better replaces nothing', async () => {
  using tree = await sick();
  const remote = memoryRemote('disk', []);
  remote.host.files.set(hashOf('content a'), Buffer.from('CONTENT X'));
  const result = await repaired(tree, { paths: paths('d/a') }, { remotes: [remote] });
  expect(result.repaired).toEqual([]);
  expect(fs.readFileSync(tree.at('d/a'), 'utf8')).toBe('CONTENT A');
  expect(await repaired(tree, { paths: paths('d/a'), dryRun: true })).toMatchObject({
    repaired: [{ path: 'd/a', from: '?' }],
  });
});

test('what is absent by design is neither missing nor healed', async () => {
  using tree = await sick();
  await tree.commit();
  await makeAbsent(tree, ['twin']);
  expect((await tree.with((repo) => verify(repo, { paths: [] }, tree.context))).missing).toEqual([]);
  expect((await tree.with((repo) => verify(repo, { paths: paths('twin') }, tree.context))).checked).toBe(0);
  expect((await repaired(tree, { paths: paths('twin') })).repaired).toEqual([]);
});

test('the oldest verification is told to others once all was verified', async () => {
  using tree = new TestTree();
  tree.write('a', 'content a');
  tree.write('b', 'content b');
  await tree.commit();
  const facts = () => tree.git('show', `refs/bk/repositories/${idOfTree()}:repository.json`);
  const idOfTree = () => JSON.parse(fs.readFileSync(layoutOf(tree.root).config, 'utf8')).id as string;
  await tree.with((repo) => verify(repo, { paths: paths('a') }, tree.context));
  expect(facts()).not.toContain('"verified"');
  await tree.with((repo) => verify(repo, { paths: paths('b') }, tree.context));
  const first = JSON.parse(facts()).verified as string;
  expect(first).toMatch(/^2026-10-01T00:0.*Z$/);
  await tree.with((repo) => verify(repo, { paths: [] }, tree.context));
  expect(JSON.parse(facts()).verified > first).toBe(true);
  tree.fsck();
});
