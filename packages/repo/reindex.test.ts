import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { type KnownDirectory, type RepoPath, STAT, STAT_WIDTH } from '@bk/core';
import { IndexDb, layoutOf } from '@bk/store';
import { describe, expect, test } from 'vitest';
import { commit } from './commit.ts';
import { reindex } from './reindex.ts';
import { short, TestTree } from './tree.fixture.ts';

function indexFile(tree: TestTree): string {
  return layoutOf(tree.root).index;
}

/** As a kill between ref and index leaves it, or an older copy that was put back. */
async function withOldIndex(tree: TestTree, work: () => Promise<unknown>): Promise<void> {
  const old = fs.readFileSync(indexFile(tree));
  await work();
  IndexDb.discard(indexFile(tree));
  fs.writeFileSync(indexFile(tree), old);
}

function vouchedNames({ listing }: KnownDirectory): string[] {
  return listing.names.filter((_, k) => k > 0 && listing.stats[k * STAT_WIDTH + STAT.ctime] !== 0n);
}

async function made(): Promise<TestTree> {
  const tree = new TestTree();
  for (const file of ['a', 'b', 'd/x', 'd/y', 'd/e/z', 'gone']) tree.write(file, `content of ${file}`);
  tree.mkdir('empty');
  await tree.commit();
  fs.unlinkSync(tree.at('gone'));
  tree.save('b', 'the second version');
  await tree.commit({ deletions: 'confirmed' });
  await tree.commit();
  return tree;
}

describe('the index is rebuilt', () => {
  test.each([
    ['lost', (file: string) => IndexDb.discard(file)],
    ['empty', (file: string) => fs.writeFileSync(file, '')],
    ['rubbish', (file: string) => fs.writeFileSync(file, 'x'.repeat(10_000))],
    ['zeroes', (file: string) => fs.writeFileSync(file, Buffer.alloc(fs.statSync(file).size))],
    ['cut off', (file: string) => fs.truncateSync(file, 5_000)],
  ])('when it is %s: status and commit are right', async (_, harm) => {
    using tree = await made();
    const before = await tree.records();
    harm(indexFile(tree));
    expect((await tree.status()).changes).toEqual([]);
    await tree.verify();
    harm(indexFile(tree));
    tree.mv('d', 'moved');
    fs.unlinkSync(tree.at('a'));
    expect((await tree.commit()).summary).toMatchObject({ renamed: 3, deleted: 1, added: 0 });
    expect((await tree.records()).get('moved/e/z')?.id).toBe(before.get('d/e/z')!.id);
    await tree.verify();
  });

  test('by reindex, which reads everything once', async () => {
    using tree = await made();
    const result = await tree.with((repo) => reindex(repo, tree.context));
    expect(result).toMatchObject({ directories: 4, files: 5, unchanged: 5, unreadable: [], ok: true });
    await tree.verifyIndex();
    await tree.with((repo) => expect(vouchedNames(repo.index.known('d' as RepoPath)!)).toEqual(['x', 'y']));
    tree.write('a', 'edited');
    expect(await tree.with((repo) => reindex(repo, tree.context))).toMatchObject({ unchanged: 4 });
    expect(await tree.changes()).toEqual(['modified a (content mtime)']);
  });

  test('after a kill between ref and index: only what the commit changed is vouched for no longer', async () => {
    using tree = await made();
    await withOldIndex(tree, async () => {
      tree.write('d/x', 'edited');
      tree.write('d/new', 'new');
      fs.unlinkSync(tree.at('a'));
      await tree.commit({ deletions: 'confirmed' });
    });
    await tree.with(({ index }) => {
      expect(vouchedNames(index.known('d' as RepoPath)!)).toEqual(['y']);
      expect(vouchedNames(index.known('d/e' as RepoPath)!)).toEqual(['z']);
      expect(vouchedNames(index.known('' as RepoPath)!)).toEqual(['b']);
    });
    await tree.verify();
    expect((await tree.commit()).commit).toBe(null);
  });

  test('from an older copy: what changed since is seen, what was edited with its old times too', async () => {
    using tree = await made();
    await withOldIndex(tree, async () => {
      for (let n = 0; n < 3; n++) {
        tree.write(`d/${n}`, `file ${n}`);
        await tree.commit();
      }
    });
    execFileSync('touch', ['-r', 'd/y', '../times'], { cwd: tree.root });
    fs.writeFileSync(tree.at('d/y'), 'Content of d/y');
    execFileSync('touch', ['-r', '../times', 'd/y'], { cwd: tree.root });
    expect(await tree.changes()).toEqual(['modified d/y (content)']);
    await tree.commit();
    await tree.verify();
  });

  test('of a head that the history has lost: ids of the living do not come back a second time', async () => {
    using tree = await made();
    const { id } = (await tree.records()).get('a')!;
    fs.unlinkSync(tree.at('a'));
    await tree.commit();
    tree.git('update-ref', 'refs/heads/main', 'main~1');
    tree.write('copy', 'content of a');
    tree.write('a', 'content of a');
    await tree.commit();
    const records = await tree.records();
    expect(records.get('a')?.id).toBe(id);
    expect(records.get('copy')?.id).not.toBe(id);
    await tree.verify();
  });

  test('of a history that was lost as a whole', async () => {
    using tree = await made();
    tree.git('update-ref', '-d', 'refs/heads/main');
    expect(await tree.changes()).toEqual([
      'added a',
      'added b',
      'added d/e/z',
      'added d/x',
      'added d/y',
      'added empty',
    ]);
    await tree.commit();
    await tree.verify();
  });
});

describe('an interrupted commit', () => {
  test('that fails while writing leaves nothing half done, and goes on when it is given again', async () => {
    using tree = await made();
    const head = tree.git('rev-parse', 'main');
    tree.write('new', 'new');
    fs.unlinkSync(tree.at('a'));
    for (const call of ['fsyncSync', 'linkSync', 'renameSync', 'writeSync'] as const) {
      const real = fs[call];
      let calls = 0;
      for (let at = 1; at < 30; at++) {
        calls = 0;
        const failing = (...args: never[]): unknown => {
          if (++calls === at)
            throw Object.assign(new Error('ENOSPC: no space left on device'), {
              code: 'ENOSPC',
              errno: -28,
              syscall: call,
            });
          return (real as (...args: never[]) => unknown)(...args);
        };
        (fs as unknown as Record<string, unknown>)[call] = failing;
        const outcome = await tree.commit().then(
          () => undefined,
          (error: { code?: string }) => error.code,
        );
        (fs as unknown as Record<string, unknown>)[call] = real;
        if (calls < at) break;
        if (outcome === undefined) continue;
        expect(['ENOSPC', 'no-space']).toContain(outcome);
        tree.fsck();
        expect(fs.readdirSync(layoutOf(tree.root).staging)).toEqual([]);
        if (tree.git('rev-parse', 'main') === head)
          expect(await tree.changes()).toEqual(['deleted a', 'added new']);
        await tree.verifyIndex();
      }
      await tree.commit();
      await tree.verify();
      tree.git('update-ref', 'refs/heads/main', head.trim());
    }
  });

  test('of which only the release was left: the next one lets go', async () => {
    using tree = await made();
    fs.unlinkSync(tree.at('a'));
    await tree.commit({ deletions: 'kept' });
    const { default: Database } = await import('better-sqlite3');
    const db = new Database(indexFile(tree));
    db.exec(`UPDATE departed SET confirmed = 1 WHERE path = 'a'`);
    db.close();
    const unreleased = () =>
      tree.with((repo) => repo.index.departed.unreleased().filter(({ path }) => path === 'a').length);
    expect(await unreleased()).toBe(1);
    await tree.commit();
    expect(await unreleased()).toBe(0);
  });
});

describe('files that change under a commit', () => {
  test('are not in it, nor in what it says; what goes to their places waits', async () => {
    using tree = new TestTree();
    for (const file of ['a', 'b', 'c', 'k']) tree.write(file, `content of ${file}`);
    await tree.commit();
    const before = await tree.records();
    // a's object goes to z, edited; b's to a; c is edited; k is deleted and something else is there.
    tree.mv('a', 'z');
    fs.appendFileSync(tree.at('z'), ' and more');
    tree.mv('b', 'a');
    tree.write('c', 'edited');
    fs.unlinkSync(tree.at('k'));
    fs.symlinkSync('somewhere', tree.at('k'));
    const real = fs.linkSync;
    fs.linkSync = (from, to) => {
      real(from, to);
      if (
        Buffer.from(from as Buffer)
          .toString()
          .endsWith('/z')
      )
        fs.appendFileSync(tree.at('z'), ' and still more');
    };
    let made: Awaited<ReturnType<typeof tree.commit>>;
    try {
      made = await tree.commit();
    } finally {
      fs.linkSync = real;
    }
    expect(short(made.changes)).toEqual(['modified c (content mtime)', 'typechange k (type)']);
    expect(made.summary).toMatchObject({ renamed: 0, modified: 1, typechange: 1 });
    expect(made.unreadable.map(({ path }) => path)).toEqual(['z', 'a']);
    const after = await tree.records();
    for (const file of ['a', 'b']) expect(after.get(file)).toEqual(before.get(file));
    await tree.verifyIndex();
    await tree.commit();
    expect((await tree.records()).get('z')?.id).toBe(before.get('a')!.id);
    await tree.verify();
  });

  test('a failure in one half of the work waits for the other', async () => {
    using tree = new TestTree();
    for (let n = 0; n < 3_000; n++) tree.write(`d${n % 10}/${n}`, `content ${n}`);
    const unhandled: unknown[] = [];
    const note = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', note);
    const nowMs = () => {
      throw new Error('no clock');
    };
    await expect(tree.with((repo) => commit(repo, {}, { ...tree.context, nowMs }))).rejects.toThrow(
      'no clock',
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
    await tree.commit();
    await tree.verifyIndex();
  });
});
