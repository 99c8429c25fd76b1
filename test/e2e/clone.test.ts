import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import { oddNames } from '../../fixtures/odd-names.ts';
import { nodeModules, systemDocs } from '../../fixtures/real-trees.ts';
import { smallTree } from '../../fixtures/small-tree.ts';
import { bk, errorOf, explained, repository, run } from '../support/bk.ts';
import { fsckProblems } from '../support/history.ts';
import { mounted, must, needsFileSystem } from '../support/mounts.ts';
import { AS_SSH, isOverSsh } from '../support/over.ts';
import { needs, needsPrograms } from '../support/programs.ts';
import { differences, type Snapshot, snapshot } from '../support/snapshot.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Everything that a clone has to keep and other trees may lack. */
function specialTree(root: string): void {
  for (const folder of ['a/empty', 'a/deep/er', 'b/closed', 'c'])
    fs.mkdirSync(path.join(root, folder), { recursive: true });
  fs.writeFileSync(path.join(root, 'a/one'), 'one\n');
  fs.linkSync(path.join(root, 'a/one'), path.join(root, 'a/deep/other name'));
  fs.linkSync(path.join(root, 'a/one'), path.join(root, 'c/third'));
  fs.writeFileSync(path.join(root, 'a/deep/er/nothing'), '');
  fs.writeFileSync(path.join(root, 'b/script'), '#!/bin/sh\n', { mode: 0o755 });
  fs.writeFileSync(path.join(root, 'b/closed/secret'), 'secret', { mode: 0o400 });
  fs.symlinkSync('../a/one', path.join(root, 'b/link'));
  fs.symlinkSync('nowhere at all', path.join(root, 'dangling'));
  fs.writeFileSync(path.join(root, 'large'), Buffer.alloc(5_000_001, 'large '));
  const holes = fs.openSync(path.join(root, 'b/holes'), 'w');
  fs.writeSync(holes, 'begin', 0);
  fs.writeSync(holes, 'end', 9_000_000);
  fs.closeSync(holes);
  for (const [file, ns] of [
    ['a/one', '1.123456789'],
    ['large', '1600000000.999999999'],
    ['c', '5.5'],
  ])
    must(['touch', '-d', `@${ns}`, path.join(root, file!)]);
  fs.chmodSync(path.join(root, 'b/closed'), 0o500);
  fs.chmodSync(path.join(root, 'a/empty'), 0o700);
}

/** For trees of which nothing is skipped. */
const whole = (build: (root: string) => unknown) => (root: string) => build(root) !== false && [];

/** `build` gives byte strings of what is not tracked, or false if the machine has no such tree. */
const TREES: readonly {
  readonly name: string;
  readonly build: (root: string) => readonly string[] | false;
}[] = [
  { name: 'a small tree', build: whole(smallTree) },
  { name: 'links, holes, modes and empty folders', build: whole(specialTree) },
  { name: 'system documentation', build: whole((root) => systemDocs(root)) },
  { name: 'node_modules', build: whole(nodeModules) },
  { name: 'odd names', build: (root) => oddNames(root).skipped },
  { name: 'nothing', build: () => [] },
];

/** What rsync makes of the same parts, read by eyes of our own. */
function copiedByRsync(root: string, words: readonly string[]): Snapshot {
  const to = temporaryFolder('bk-rsync-');
  must(['rsync', '-aHR', '--exclude=/.bk', ...words.slice(1), `${root}/./${words[0]}`, `${to}/`]);
  return withOwnLinkTimes(snapshot(to), snapshot(root));
}

/** rsync leaves a link its time if that is of the second in which the copy is made: then the source says what is right. */
function withOwnLinkTimes(copy: Snapshot, source: Snapshot): Snapshot {
  return new Map(
    [...copy].map(([file, entry]) => {
      const mtimeNs = source.get(file)?.mtimeNs;
      return [file, entry.type === 'symlink' && mtimeNs !== undefined ? { ...entry, mtimeNs } : entry];
    }),
  );
}

/** What is said of the files of a source that are read where they are: over ssh only their bytes come. */
function needsOpenSource(context: Pick<TestContext, 'skip'>): void {
  needs(context, 'a source whose files can be opened here, not one behind ssh', !isOverSsh());
}

function cloneOf(root: string, words: readonly string[] = []): string {
  const to = path.join(temporaryFolder('bk-clone-'), 'clone');
  const made = bk(['-C', root, 'clone', ...words, to], { expect: [0] });
  expect(made['missing']).toEqual([]);
  return to;
}

/** Groups of paths that are one file. */
function linkGroups(tree: Snapshot): string[] {
  const groups = new Map<bigint, string[]>();
  for (const [file, { type, inode }] of tree) {
    if (type !== 'file') continue;
    const group = groups.get(inode);
    if (group === undefined) groups.set(inode, [file]);
    else group.push(file);
  }
  return [...groups.values()].filter((group) => group.length > 1).map((group) => group.join(' = '));
}

function expectEqual(clone: string, wanted: Snapshot): void {
  const is = snapshot(clone);
  const plain = (tree: Snapshot): Snapshot =>
    new Map([...tree].map(([file, entry]) => [file, { ...entry, mode: entry.mode & 0o1777 }]));
  expect(differences(plain(wanted), plain(is), { inode: false })).toEqual([]);
  expect(linkGroups(is)).toEqual(linkGroups(wanted));
  const times = (tree: Snapshot) =>
    [...tree].filter(([, { type }]) => type === 'symlink').map(([file, { mtimeNs }]) => `${file} ${mtimeNs}`);
  expect(times(is)).toEqual(times(wanted));
  expect(fsckProblems(clone)).toEqual([]);
  const status = bk(['-C', clone, 'status'], { expect: [0] });
  expect([status.changes, status.unreadable]).toEqual([[], []]);
  expect(bk(['-C', clone, 'commit', '-m', 'nothing'], { expect: [0] }).commit).toBeNull();
  expect(bk(['-C', clone, 'check'], { expect: [0] })['problems']).toEqual([]);
  expect(fs.readdirSync(path.join(clone, '.bk/staging'))).toEqual([]);
  expect(fs.existsSync(path.join(clone, '.bk/clone.json'))).toBe(false);
}

/** A folder at the top with a folder in it, and one of these; names that mean the same in all patterns. */
function partOf(root: string): { part: string; within: string } | undefined {
  const plain = (dir: string) =>
    fs
      .readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && /^[A-Za-z0-9_-]+$/.test(entry.name))
      .map(({ name }) => name);
  for (const part of plain(root)) {
    const [within] = plain(path.join(root, part));
    // A folder with nothing but that in it has no place of its own in the history.
    if (within !== undefined && fs.readdirSync(path.join(root, part)).length > 1)
      return { part, within: `${part}/${within}` };
  }
  return undefined;
}

describe.each(TREES)('a clone of $name', ({ build }) => {
  test('equals what rsync -aH makes of the same parts', (context) => {
    needsPrograms(context, 'rsync');
    const root = temporaryFolder('bk-source-');
    const skipped = build(root);
    needs(context, 'such a tree on this machine', skipped !== false);
    repository(root);
    const all = copiedByRsync(root, ['']);
    const isSkipped = (file: string) =>
      (skipped || []).some((one) => file === one || file.startsWith(`${one}/`));
    expectEqual(cloneOf(root), new Map([...all].filter(([file]) => !isSkipped(file))));
    const found = partOf(root);
    if (found === undefined) return;
    const { part, within } = found;
    expectEqual(cloneOf(root, ['--subset', part]), copiedByRsync(root, [part]));
    expectEqual(
      cloneOf(root, ['--subset', part, '--exclude', within]),
      copiedByRsync(root, [part, `--exclude=/${within}`]),
    );
  });
});

test('source and clone know each other', (context) => {
  needsOpenSource(context);
  const root = temporaryFolder('bk-source-');
  smallTree(root);
  repository(root);
  const first = cloneOf(root);
  const config = (at: string) => JSON.parse(fs.readFileSync(path.join(at, '.bk/config.json'), 'utf8'));
  expect(config(first).remotes.origin).toMatchObject({ address: root, id: config(root).id });
  expect(Date.parse(config(first).remotes.origin.lastSeen)).toBeGreaterThan(Date.now() - 60_000);
  expect(config(root).remotes.clone).toMatchObject({ address: first, id: config(first).id });
  const second = cloneOf(root, ['--subset', 'music']);
  expect(config(root).remotes['clone-2']).toMatchObject({ address: second, id: config(second).id });
  expect(config(second).subset).toMatchObject({ include: ['music'], exclude: [] });
  expect(bk(['-C', second, 'status']).changes).toEqual([]);
  // A clone of a part has what that part has, and says what it has not.
  const third = path.join(temporaryFolder('bk-clone-'), 'third');
  const made = bk(['clone', second, third], { expect: [1] });
  const lost = (made['missing'] as { path: string }[]).map((one) => one.path);
  expect(lost.length).toBeGreaterThan(0);
  expect(lost.filter((one) => one.startsWith('music/'))).toEqual([]);
  expect(bk(['-C', third, 'status'], { expect: [0] }).changes).toEqual([]);
  expect(
    differences(snapshot(path.join(root, 'music')), snapshot(path.join(third, 'music')), { inode: false }),
  ).toEqual([]);
  // Again: nothing happens.
  const before = config(first);
  expect(bk(['-C', root, 'clone', first])['id']).toBe(before.id);
  expect(config(first)).toEqual(before);
});

test('where anything else is nothing is touched', () => {
  const root = temporaryFolder('bk-source-');
  smallTree(root);
  repository(root);
  const there = temporaryFolder('bk-there-');
  const refused = (to: string, ...words: string[]) => {
    const done = run(['-C', root, '--json', 'clone', ...words, to]);
    expect([done.code, explained(done)]).toEqual([3, true]);
    return errorOf(done).code;
  };
  fs.writeFileSync(path.join(there, 'mine'), 'mine');
  expect(refused(there)).toBe('refused');
  expect(fs.readdirSync(there)).toEqual(['mine']);
  expect(refused(path.join(there, 'mine'))).toBe('refused');
  fs.symlinkSync('nowhere', path.join(there, 'dangling'));
  expect(refused(path.join(there, 'dangling'))).toBe('refused');
  expect(refused(path.join(root, 'new'))).toBe('inside-repository');
  expect(refused(path.join(root, '.bk/new'))).toBe('inside-repository');
  const parent = path.dirname(root);
  expect(refused(parent)).toBe('refused');
  expect(refused(path.join(there, 'x'), '--subset', '../x')).toBe('refused');
  const done = run(['-C', root, 'clone', path.join(there, 'no/such')]);
  expect(done.code).toBe(4);
  expect(run(['-C', root, 'clone', '--subset', 'nosuch', path.join(there, 'x')]).code).toBe(2);
  expect(fs.readdirSync(there).sort()).toEqual(['dangling', 'mine']);
  bk(['-C', root, 'clone', '--dry-run', path.join(there, 'x')]);
  expect(fs.readdirSync(there).sort()).toEqual(['dangling', 'mine']);
});

test('a source that changed, rotted and lost files: the rest is whole, the losses are named', () => {
  const root = temporaryFolder('bk-source-');
  smallTree(root);
  fs.mkdirSync(path.join(root, 'folder'));
  for (const name of ['gone', 'edited', 'rotten', 'twin a', 'twin b', 'folder/inner'])
    fs.writeFileSync(path.join(root, name), name.startsWith('twin') ? 'twins' : `content of ${name}`);
  repository(root);
  const { mtime } = fs.statSync(path.join(root, 'rotten'));
  // The net's links would have them: they go too, as on a disk that lost them.
  fs.rmSync(path.join(root, '.bk/safety'), { recursive: true });
  fs.rmSync(path.join(root, 'gone'));
  fs.rmSync(path.join(root, 'twin a'));
  fs.rmSync(path.join(root, 'folder'), { recursive: true });
  fs.writeFileSync(path.join(root, 'edited'), 'uncommitted, and longer than before');
  fs.writeFileSync(path.join(root, 'rotten'), 'Content of rotten');
  fs.utimesSync(path.join(root, 'rotten'), mtime, mtime);
  const to = path.join(temporaryFolder('bk-clone-'), 'c');
  const made = bk(['-C', root, 'clone', to], { expect: [1] });
  expect((made['missing'] as { path: string }[]).map((one) => one.path)).toEqual([
    'edited',
    'folder/inner',
    'gone',
    'rotten',
  ]);
  expect(fs.readFileSync(path.join(to, 'twin a'), 'utf8')).toBe('twins');
  expect(fs.existsSync(path.join(to, 'rotten'))).toBe(false);
  const status = bk(['-C', to, 'status'], { expect: [0] });
  expect([status.changes, status.unreadable]).toEqual([[], []]);
  expect(bk(['-C', to, 'commit', '-m', 'x'], { expect: [0] }).commit).toBeNull();
});

test('what the folder of the source lost comes from its safety net', () => {
  const root = temporaryFolder('bk-source-');
  smallTree(root);
  fs.writeFileSync(path.join(root, 'deleted'), 'kept by the net');
  repository(root);
  const before = snapshot(root);
  fs.rmSync(path.join(root, 'deleted'));
  expect(differences(before, snapshot(cloneOf(root)), { inode: false })).toEqual([]);
});

test('an empty repository', () => {
  const root = temporaryFolder('bk-source-');
  bk(['init', root]);
  const to = cloneOf(root);
  fs.writeFileSync(path.join(to, 'new'), 'new');
  expect(bk(['-C', to, 'commit', '-m', 'first'], { expect: [0] }).summary['added']).toBe(1);
});

test('holes stay holes', (context) => {
  needsOpenSource(context);
  const root = temporaryFolder('bk-source-');
  specialTree(root);
  repository(root);
  const { blocks } = fs.statSync(path.join(cloneOf(root), 'b/holes'));
  expect(blocks * 512).toBeLessThan(200_000);
});

test('a disk that is too small: what is needed is said, and nothing stays behind', (context) => {
  needsFileSystem(context, 'ext4');
  const root = temporaryFolder('bk-source-');
  fs.writeFileSync(path.join(root, 'large'), Buffer.alloc(40_000_000, 1));
  repository(root);
  const point = mounted('ext4');
  const before = fs.readdirSync(point);
  const done = run(['-C', root, '--json', 'clone', path.join(point, 'c')]);
  expect([done.code, errorOf(done).code]).toEqual([4, 'no-space']);
  expect(errorOf(done).message).toMatch(/needs [\d.]+ MB/);
  expect(fs.readdirSync(point)).toEqual(before);
  const files = temporaryFolder('bk-source-');
  for (let i = 0; i < 5_000; i++) fs.writeFileSync(path.join(files, String(i)), '');
  repository(files);
  const inodes = run(['-C', files, '--json', 'clone', path.join(point, 'c')]);
  expect([inodes.code, errorOf(inodes).code]).toEqual([4, 'no-space']);
  expect(fs.readdirSync(point)).toEqual(before);
});

test('the contents are shared where the file system can', (context) => {
  needsOpenSource(context);
  needsFileSystem(context, 'btrfs');
  const point = mounted('btrfs');
  const root = path.join(point, 'source');
  fs.mkdirSync(root);
  fs.writeFileSync(path.join(root, 'large'), Buffer.alloc(30_000_000, 'some text '));
  smallTree(root);
  repository(root);
  must(['sync', '-f', point]);
  const used = () => {
    must(['sync', '-f', point]);
    const { blocks, bfree, bsize } = fs.statfsSync(point);
    return (blocks - bfree) * bsize;
  };
  const before = used();
  bk(['-C', root, 'clone', path.join(point, 'clone')], { expect: [0] });
  expect(used() - before).toBeLessThan(15_000_000);
  expect(differences(snapshot(root), snapshot(path.join(point, 'clone')), { inode: false })).toEqual([]);
});

test('a disk without links, modes and fine times', (context) => {
  needsFileSystem(context, 'exfat');
  const root = temporaryFolder('bk-source-');
  smallTree(root);
  fs.writeFileSync(path.join(root, 'top'), 'at the top');
  fs.writeFileSync(path.join(root, 'TOP'), 'too');
  fs.symlinkSync('top', path.join(root, 'link'));
  repository(root);
  const to = path.join(mounted('exfat'), 'c');
  const made = bk(['-C', root, 'clone', to], { expect: [1] });
  const links = [...snapshot(root)].filter(([, { type }]) => type === 'symlink').map(([file]) => file);
  expect((made['missing'] as { path: string }[]).map((one) => one.path)).toEqual([...links, 'top'].sort());
  const contents = (tree: Snapshot) =>
    [...tree].filter(([, { type }]) => type === 'file').map(([file, { blake3 }]) => `${file} ${blake3}`);
  const held = contents(snapshot(root)).filter((line) => !line.startsWith('top '));
  expect(contents(snapshot(to))).toEqual(held);
  expect(bk(['-C', to, 'status'], { expect: [0] }).changes).toEqual([]);
});

test('a source that cannot be written is cloned with a warning, to another machine, too', (context) => {
  needsFileSystem(context, 'ext4');
  const point = mounted('ext4');
  const root = path.join(point, 'source');
  fs.mkdirSync(root);
  smallTree(root);
  repository(root);
  must(['mount', '-o', 'remount,ro', point]);
  const folder = temporaryFolder('bk-clone-');
  for (const name of ['here', 'there']) {
    const to = path.join(folder, name);
    const given = name === 'here' ? ['clone', root, to] : ['-C', root, 'clone', `ssh://there${to}`];
    const done = run(given, { env: { BK_SSH_COMMAND: AS_SSH } });
    const warned = [0, expect.stringContaining('warning: the source does not know')];
    expect([done.code, done.stderr], name).toEqual(warned);
    expect(differences(snapshot(root), snapshot(to), { inode: false })).toEqual([]);
    expect(spawnSync('ls', [to]).status).toBe(0);
  }
});
