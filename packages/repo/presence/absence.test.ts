import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { presenceRef, type RepoPath, ROOT } from '@bk/core';
import { layoutOf } from '@bk/store';
import { describe, expect, test } from 'vitest';
import { ls } from '../ls.ts';
import { absent, at, committed, drop, get, loseIndex, present, verifyPartial } from '../partial.fixture.ts';
import { TestTree } from '../tree.fixture.ts';
import { isAbsent, setAbsent } from './absence.ts';

const FILES = ['a', 'photos/1', 'photos/2', 'photos/old/3', 'docs/x', 'docs/y', 'docs/in/z'];

/** Of FILES, the photos are not here but for one. */
async function partial(): Promise<TestTree> {
  const tree = new TestTree();
  for (const file of FILES) tree.write(file, `content of ${file}`);
  tree.mkdir('docs/empty');
  fs.chmodSync(tree.at('photos/old'), 0o700);
  fs.symlinkSync('a', tree.at('photos/link'));
  await tree.commit();
  await drop(tree, 'photos/1', 'photos/old/3', 'photos/link', 'docs/in/z');
  return tree;
}

describe('what is absent', () => {
  test('is no change, is listed, and is known again without an index', async () => {
    using tree = await partial();
    expect(await absent(tree)).toEqual(['docs/in/z', 'photos/1', 'photos/link', 'photos/old/3']);
    expect(await absent(tree, 'photos/old')).toEqual(['photos/old/3']);
    expect(await absent(tree, 'photos/1')).toEqual(['photos/1']);
    expect(await absent(tree, 'docs/x')).toEqual([]);
    const asked = ['a', 'photos', 'photos/1', 'photos/2', 'photos/old', 'docs/in', 'none', ''];
    await tree.with((repo) =>
      expect(asked.filter((path) => isAbsent(repo, at(path)))).toEqual(['photos/1', 'photos/old', 'docs/in']),
    );
    expect(present(tree)).toEqual(['a', 'docs/empty/.bkdir', 'docs/x', 'docs/y', 'photos/2']);
    expect((await tree.commit()).commit).toBe(null);
    await verifyPartial(tree);
  });

  test('may be all there is', async () => {
    using tree = await partial();
    await drop(tree, 'a', 'photos', 'docs');
    expect(present(tree)).toEqual([]);
    await tree.with((repo) => expect(isAbsent(repo, ROOT)).toBe(true));
    await verifyPartial(tree);
    tree.write('new', 'n');
    await tree.commit();
    expect(committed(tree)).toEqual(['A new']);
    await verifyPartial(tree);
  });

  test('cannot be what the head does not have', async () => {
    using tree = await partial();
    await tree.with((repo) => {
      repo.beginWriting();
      expect(() => setAbsent(repo, [at('none')], tree.context)).toThrow('no such file');
      expect(() => setAbsent(repo, [at('none/x')], tree.context)).toThrow('no such file');
    });
    await verifyPartial(tree);
  });

  test('is marked by ls, and its content counts as not here', async () => {
    using tree = await partial();
    const shown = (rev?: string) =>
      tree.with((repo) =>
        ls(repo, { recursive: true, ...(rev !== undefined && { rev }) }, tree.context)
          .entries.filter(({ present, type }) => !present && type !== 'dir')
          .map(({ path }) => path),
      );
    const all = ['docs/in/z', 'photos/1', 'photos/link', 'photos/old/3'];
    expect(await shown()).toEqual(all);
    tree.write('new', 'n');
    await tree.commit();
    expect(await shown('HEAD~1')).toEqual(all);
    expect(await shown()).toEqual(all);
  });

  test('is not listed among what was deleted', async () => {
    using tree = await partial();
    await tree.with((repo) => expect(repo.index.departed.all()).toEqual([]));
    loseIndex(tree);
    await tree.with((repo) => expect(repo.index.departed.all()).toEqual([]));
  });

  test('is known from the config when both index and presence are lost', async () => {
    using tree = await partial();
    await tree.commit();
    await tree.with((repo) => expect(repo.config.partial).toBe(true));
    const before = await absent(tree);
    loseIndex(tree);
    tree.git('update-ref', '-d', await tree.with((repo) => presenceRef(repo.config.id)));
    expect(await tree.changes()).toEqual([]);
    await tree.commit();
    expect(await absent(tree)).toEqual(before);
    await verifyPartial(tree);
  });

  test('is not in the config of a repository that has everything, nor once all is here again', async () => {
    using tree = new TestTree();
    tree.write('a', 'one');
    tree.write('b', 'two');
    await tree.commit();
    const marked = () => tree.with((repo) => repo.config.partial);
    expect(await marked()).toBe(undefined);
    const kept = `${tree.base}/kept`;
    fs.cpSync(`${tree.root}/a`, kept, { preserveTimestamps: true });
    await drop(tree, 'a');
    expect(await marked()).toBe(true);
    await get(tree, kept, 'a');
    expect(await marked()).toBe(undefined);
    fs.rmSync(tree.at('a'));
    loseIndex(tree);
    tree.git('update-ref', '-d', await tree.with((repo) => presenceRef(repo.config.id)));
    expect(await tree.changes()).toEqual(['deleted a']);
  });

  test('said twice is said once', async () => {
    using tree = await partial();
    const before = tree.git('for-each-ref');
    await tree.with((repo) => {
      repo.beginWriting();
      setAbsent(repo, [at('photos/1'), at('photos/old')], tree.context);
    });
    expect(tree.git('for-each-ref')).toBe(before);
  });
});

/** What a person does in a partial state, and what git sees of it in the next commit. */
const DEEDS: readonly (readonly [string, (tree: TestTree) => void, readonly string[]])[] = [
  ['an edit', (tree) => tree.write('docs/x', 'other'), ['M docs/x']],
  ['an edit beside', (tree) => tree.write('photos/2', 'other'), ['M photos/2']],
  ['a deletion', (tree) => fs.unlinkSync(tree.at('docs/x')), ['D docs/x']],
  ['the last present file beside', (tree) => fs.unlinkSync(tree.at('photos/2')), ['D photos/2']],
  ['its folder too', (tree) => fs.rmSync(tree.at('photos'), { recursive: true }), ['D photos/2']],
  [
    'a folder with something absent in it',
    (tree) => fs.rmSync(tree.at('docs'), { recursive: true }),
    ['D docs/empty/.bkdir', 'D docs/x', 'D docs/y'],
  ],
  ['a new file in an absent folder', (tree) => tree.write('photos/old/new', 'n'), ['A photos/old/new']],
  ['a new folder in it', (tree) => tree.write('docs/in/deep/new', 'n'), ['A docs/in/deep/new']],
  ['a rename', (tree) => tree.mv('docs/x', 'docs/renamed'), ['A docs/renamed', 'D docs/x']],
  [
    'a folder renamed',
    (tree) => tree.mv('docs', 'papers'),
    ['D docs/empty/.bkdir', 'D docs/x', 'D docs/y', 'A papers/empty/.bkdir', 'A papers/x', 'A papers/y'],
  ],
  ['a move beside', (tree) => tree.mv('a', 'photos/a'), ['D a', 'A photos/a']],
  ['a new empty folder', (tree) => tree.mkdir('photos/new'), ['A photos/new/.bkdir']],
  ['an emptied folder', (tree) => fs.rmdirSync(tree.at('docs/empty')), ['D docs/empty/.bkdir']],
  ['other content at its path', (tree) => tree.write('photos/1', 'other'), ['M photos/1']],
  ['a known file at its path', (tree) => tree.mv('docs/x', 'photos/1'), ['D docs/x', 'M photos/1']],
  ['an ignored folder', (tree) => tree.write('.bkignore', 'photos\n'), ['A .bkignore']],
];

describe('a commit carries it along', () => {
  test.each(DEEDS)('%s', async (_, deed, seen) => {
    using tree = await partial();
    deed(tree);
    const told = await tree.changes();
    expect(told.filter((line) => /^deleted.*(photos\/(1|old|link)|docs\/in)/.test(line))).toEqual([]);
    loseIndex(tree);
    // Only an inode tells an empty folder again where it was moved to.
    const files = (lines: readonly string[]) => lines.filter((line) => !line.endsWith('/empty'));
    expect(files(await tree.changes())).toEqual(files(told));
    const made = await tree.commit({ allowMassDelete: true });
    expect(made.unreadable).toEqual([]);
    expect(committed(tree)).toEqual(seen);
    await verifyPartial(tree);
    expect((await tree.commit()).commit).toBe(null);
  });

  test('names of one inode stay one file, though one of them is not here', async () => {
    using tree = new TestTree();
    for (const name of ['x', 'y', 'z']) tree.write(name, name === 'z' ? 'other' : 'content');
    fs.linkSync(tree.at('x'), tree.at('second'));
    fs.linkSync(tree.at('x'), tree.at('third'));
    await tree.commit();
    const { linked } = (await tree.records()).get('x')!;
    await drop(tree, 'second', 'x');
    expect(await tree.changes()).toEqual([]);
    expect((await tree.commit()).commit).toBe(null);
    fs.chmodSync(tree.at('third'), 0o600);
    await tree.commit();
    expect(committed(tree)).toEqual(['M third']);
    expect((await tree.records()).get('third')?.linked).toBe(linked);
    await tree.verifyIndex();
    tree.save('third', 'edited');
    await tree.commit();
    expect((await tree.records()).get('third')?.linked).toBe(undefined);
  });

  test('only what was asked for', async () => {
    using tree = await partial();
    tree.write('photos/2', 'other');
    tree.write('docs/x', 'other');
    await tree.commit({ paths: [at('photos')] });
    expect(committed(tree)).toEqual(['M photos/2']);
    expect(await tree.changes()).toEqual(['modified docs/x (content mtime)']);
  });

  test('mass deletion is told by what is here', async () => {
    using tree = new TestTree();
    for (let i = 0; i < 300; i++) tree.write(`f${i}`, `${i}`);
    await tree.commit();
    await drop(tree, ...Array.from({ length: 270 }, (_, i) => `f${i}`));
    for (let i = 270; i < 300; i++) fs.unlinkSync(tree.at(`f${i}`));
    await expect(tree.commit()).rejects.toMatchObject({ code: 'refused' });
    loseIndex(tree);
    await expect(tree.commit()).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('what stands in its place', () => {
  test.each([
    ['a folder for a file', 'photos/1', (tree: TestTree) => tree.write('photos/1/new', 'n'), 'a file'],
    ['a link for a file', 'photos/1', (tree: TestTree) => fs.symlinkSync('x', tree.at('photos/1')), 'a file'],
    ['a file for a link', 'photos/link', (tree: TestTree) => tree.write('photos/link', 'n'), 'a file'],
    ['a file for a folder', 'photos/old', (tree: TestTree) => tree.write('photos/old', 'n'), 'a folder'],
    [
      'a file for a folder that was here in part',
      'photos',
      (tree: TestTree) => {
        fs.rmSync(tree.at('photos'), { recursive: true });
        tree.write('photos', 'n');
      },
      'a folder',
    ],
  ] as const)('%s: is told, and waits', async (_, path, deed, kind) => {
    using tree = await partial();
    deed(tree);
    const { unreadable, changes } = await tree.status();
    expect(unreadable).toEqual([{ path, reason: `in the place of ${kind} that is not here` }]);
    tree.write('new', 'n');
    const made = await tree.commit();
    expect(committed(tree)).toEqual(['A new', ...changes.map((change) => `D ${change.path}`)]);
    expect(made.unreadable).toEqual(unreadable);
    await tree.verifyIndex();
    loseIndex(tree);
    expect((await tree.status()).unreadable).toEqual(unreadable);
  });
});

describe('what comes back', () => {
  test('by get: is vouched for at once', async () => {
    using tree = await partial();
    const kept = `${tree.base}/kept`;
    execFileSync('cp', ['-a', tree.at('docs/x').toString(), kept]);
    await drop(tree, 'docs/x');
    await get(tree, kept, 'docs/x');
    expect(await absent(tree, 'docs')).toEqual(['docs/in/z']);
    expect(present(tree)).toContain('docs/x');
    await verifyPartial(tree);
  });

  test('by hand, unchanged: is no change, and protected by the next commit', async () => {
    using tree = new TestTree();
    tree.write('d/x', 'content');
    tree.write('y', 'y');
    await tree.commit();
    execFileSync('cp', ['-a', tree.at('d/x').toString(), `${tree.base}/x`]);
    await drop(tree, 'd/x');
    fs.mkdirSync(tree.at('d'), { mode: 0o755 });
    fs.renameSync(`${tree.base}/x`, tree.at('d/x'));
    expect(await tree.changes()).toEqual([]);
    expect(await absent(tree)).toEqual(['d/x']);
    expect((await tree.commit()).commit).toBe(null);
    expect(await absent(tree)).toEqual([]);
    expect(present(tree)).toEqual(['d/x', 'y']);
    const net = fs.readdirSync(layoutOf(tree.root).safety, { recursive: true, encoding: 'utf8' });
    const hash = (await tree.records()).get('d/x')?.blake3 as string;
    expect(net.some((name) => name.replace('/', '').startsWith(hash))).toBe(true);
    await verifyPartial(tree);
  });

  test('a folder with a mode of its own: it is the recorded one only with that mode', async () => {
    using tree = await partial();
    fs.mkdirSync(tree.at('photos/old'), { mode: 0o755 });
    expect(await tree.changes()).toEqual([]);
    expect((await tree.commit()).commit).toBe(null);
    expect(present(tree)).not.toContain('photos/old/.bkdir');
    fs.chmodSync(tree.at('photos/old'), 0o700);
    expect(await tree.changes()).toEqual([]);
    expect((await tree.commit()).commit).toBe(null);
    expect(present(tree)).toContain('photos/old/.bkdir');
    await verifyPartial(tree);
    fs.rmdirSync(tree.at('photos/old'));
    expect(await tree.changes()).toEqual([]);
    expect((await tree.commit()).commit).toBe(null);
    expect(present(tree)).not.toContain('photos/old/.bkdir');
    await verifyPartial(tree);
  });
});

describe('a kill or a power cut', () => {
  test('between presence and index: files that are still here are here', async () => {
    using tree = await partial();
    const old = fs.readFileSync(layoutOf(tree.root).index);
    await tree.with((repo) => {
      repo.beginWriting();
      setAbsent(repo, [at('docs/x'), at('docs/y')] as RepoPath[], tree.context);
    });
    loseIndex(tree);
    fs.writeFileSync(layoutOf(tree.root).index, old);
    expect(await tree.changes()).toEqual([]);
    await tree.commit();
    expect(present(tree)).toContain('docs/x');
    await verifyPartial(tree);
  });

  test('that lost the index as it was, after files were let go of: they are not deleted', async () => {
    using tree = await partial();
    const old = fs.readFileSync(layoutOf(tree.root).index);
    await drop(tree, 'docs/x', 'docs/y');
    loseIndex(tree);
    fs.writeFileSync(layoutOf(tree.root).index, old);
    expect(await tree.changes()).toEqual([]);
    await verifyPartial(tree);
  });
});

test('many paths are one presence commit', async () => {
  using tree = new TestTree();
  for (let i = 0; i < 2_000; i++) tree.write(`d${i % 50}/f${i}`, `${i}`);
  await tree.commit();
  const paths = Array.from({ length: 2_000 }, (_, i) => at(`d${i % 50}/f${i}`)).filter(
    (_, i) => i % 50 !== 7,
  );
  await tree.with((repo) => {
    repo.beginWriting();
    setAbsent(repo, paths, tree.context);
    const refs = tree.git('for-each-ref', '--format=%(refname)', 'refs/bk');
    expect(tree.git('rev-list', '--count', refs.trim()).trim()).toBe('2');
  });
  expect((await absent(tree)).length).toBe(paths.length);
});
