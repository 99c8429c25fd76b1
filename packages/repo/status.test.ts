import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import type { RepoPath } from '@bk/core';
import { lock } from '@bk/store';
import { describe, expect, test } from 'vitest';
import { status } from './status.ts';
import { short, TestTree } from './tree.fixture.ts';

const NOBODY = 65_534;
const REPO = new URL('./index.ts', import.meta.url).href;

/** Another bk, in a process of its own, commits everything. */
function commitElsewhere(tree: TestTree): void {
  const script = `import { openRepository, commit } from '${REPO}';
    const repo = openRepository(${JSON.stringify(tree.root)});
    await commit(repo, {}, { report() {}, nowMs: Date.now, random: (n) => crypto.getRandomValues(new Uint8Array(n)) });
    repo.close();`;
  execFileSync(process.execPath, ['--input-type=module', '-e', script]);
}

function stateOfIndex(tree: TestTree): string {
  return fs.readFileSync(`${tree.root}/.bk/index.sqlite`).toString('base64');
}

describe('status', () => {
  test('says the same before the first commit and after it', async () => {
    using tree = new TestTree();
    expect(await tree.status()).toMatchObject({ head: null, unreadable: [], skipped: [] });
    tree.write('a', 'one');
    expect(await tree.changes()).toEqual(['added a']);
    const made = await tree.commit();
    expect(await tree.status()).toMatchObject({
      head: made.commit,
      changes: [],
      repository: { root: tree.root },
    });
  });

  test('only what is at or below the paths; a rename counts at both ends', async () => {
    using tree = new TestTree();
    for (const file of ['a/x', 'ab', 'b/y', 'c/z']) tree.write(file, `content of ${file}`);
    await tree.commit();
    tree.mv('a/x', 'c/x');
    tree.write('ab', 'edited');
    tree.write('b/y', 'edited');
    expect(await tree.changes({ paths: ['a' as RepoPath] })).toEqual(['renamed a/x > c/x']);
    expect(await tree.changes({ paths: ['c' as RepoPath, 'b/y' as RepoPath] })).toEqual([
      'modified b/y (content mtime)',
      'renamed a/x > c/x',
    ]);
    expect(await tree.changes({ paths: ['' as RepoPath] })).toHaveLength(3);
  });

  test('what was read for nothing is not read again', async () => {
    using tree = new TestTree();
    tree.write('a', 'one');
    tree.write('d/b', 'two');
    await tree.commit();
    for (const file of ['a', 'd/b']) for (const mode of [0o600, 0o644]) fs.chmodSync(tree.at(file), mode);
    const read: number[] = [];
    const context = {
      ...tree.context,
      report: ({ phase, files }: { phase: string; files: number }) =>
        void (phase === 'hash' && read.push(files)),
    };
    // What was written just now is racy, and read again in any case.
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect((await tree.with((repo) => status(repo, {}, context))).changes).toEqual([]);
    expect(read.length).toBeGreaterThan(0);
    read.length = 0;
    expect((await tree.with((repo) => status(repo, {}, context))).changes).toEqual([]);
    expect(read).toEqual([]);
    await tree.verify();
  });

  test('a touch that it saw is still there for the commit', async () => {
    using tree = new TestTree();
    tree.write('a', 'one');
    await tree.commit();
    fs.utimesSync(tree.at('a'), 1, 1);
    for (let n = 0; n < 3; n++) expect(await tree.changes()).toEqual(['metadata a (mtime)']);
    await tree.commit();
    await tree.verify();
  });
});

describe('status as a reader', () => {
  test('while a writer has the lock: the right answer, and the index is left alone', async () => {
    using tree = new TestTree();
    tree.write('a', 'one');
    await tree.commit();
    fs.chmodSync(tree.at('a'), 0o600);
    tree.write('b', 'two');
    const before = stateOfIndex(tree);
    const held = lock(`${tree.root}/.bk/lock.sqlite`);
    try {
      const start = performance.now();
      expect(await tree.changes()).toEqual(['metadata a (mode)', 'added b']);
      expect(performance.now() - start).toBeLessThan(1_000);
    } finally {
      held.release();
    }
    expect(stateOfIndex(tree)).toBe(before);
  });

  test('while a writer has the lock and the index is behind: the right answer after a moment', async () => {
    using tree = new TestTree();
    tree.write('a', 'one');
    await tree.commit();
    const old = fs.readFileSync(`${tree.root}/.bk/index.sqlite`);
    tree.write('b', 'two');
    await tree.commit();
    fs.writeFileSync(`${tree.root}/.bk/index.sqlite`, old);
    tree.write('c', 'three');
    const held = lock(`${tree.root}/.bk/lock.sqlite`);
    try {
      const start = performance.now();
      expect(await tree.changes()).toEqual(['added c']);
      expect(performance.now() - start).toBeLessThan(4_000);
    } finally {
      held.release();
    }
    expect(fs.readFileSync(`${tree.root}/.bk/index.sqlite`).equals(old)).toBe(true);
  });

  test('a commit in the middle of it: one answer, of the new head', async () => {
    using tree = new TestTree();
    for (const file of ['a/x', 'b/y', 'c/z']) tree.write(file, `content of ${file}`);
    await tree.commit();
    tree.mv('a/x', 'c/x');
    fs.unlinkSync(tree.at('b/y'));
    let done = false;
    const context = {
      ...tree.context,
      report: ({ phase, files }: { phase: string; files: number }) => {
        if (done || phase !== 'scan' || files < 2) return;
        done = true;
        commitElsewhere(tree);
      },
    };
    const seen = await tree.with((repo) => status(repo, {}, context));
    expect(done).toBe(true);
    expect({ head: seen.head, changes: short(seen.changes) }).toEqual({
      head: tree.git('rev-parse', 'main').trim(),
      changes: [],
    });
    await tree.verify();
  });

  test.skipIf(process.getuid?.() !== 0)(
    'where .bk is somebody else’s and can only be read (needs root)',
    async () => {
      using tree = new TestTree();
      tree.write('a', 'one');
      tree.write('b', 'two');
      await tree.commit();
      tree.write('b', 'edited');
      execFileSync('chmod', ['-R', 'a+rX', tree.base]);
      for (const harm of ['', 'old index', 'no index']) {
        if (harm === 'old index') fs.writeFileSync(`${tree.root}/.bk/index.sqlite`, 'rubbish');
        if (harm === 'no index') fs.unlinkSync(`${tree.root}/.bk/index.sqlite`);
        process.seteuid!(NOBODY);
        try {
          expect(await tree.changes(), harm).toEqual(['modified b (content mtime)']);
        } finally {
          process.seteuid!(0);
        }
      }
      await tree.commit();
      await tree.verify();
    },
  );

  test.skipIf(process.getuid?.() !== 0)(
    'on a file system that is mounted read-only (needs root)',
    async () => {
      using tree = new TestTree();
      tree.write('a', 'one');
      await tree.commit();
      tree.write('a', 'edited');
      const { root } = tree;
      try {
        execFileSync('mount', ['--bind', root, root]);
      } catch {
        return console.log('skipped: cannot mount here');
      }
      try {
        execFileSync('mount', ['-o', 'remount,bind,ro', root]);
        expect(await tree.changes()).toEqual(['modified a (content mtime)']);
        await expect(tree.commit()).rejects.toMatchObject({ code: 'EROFS' });
      } finally {
        execFileSync('umount', [root]);
      }
    },
  );
});
