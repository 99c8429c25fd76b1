import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { layoutOf } from '@bk/store';
import { expect, it } from 'vitest';
import { killedDuring } from '../safety/transaction.fixture.ts';
import { a, b, type Machine, start, threeMachines } from './merge.fixture.ts';

threeMachines();

function small(tree: Machine): void {
  for (const name of ['docs/a', 'docs/b', 'docs/deep/c', 'photos/1.jpg', 'photos/2.jpg', 'top'])
    tree.write(name, `text of ${name}`);
}

/** Locks of refs of the process that is dead: another process takes them away itself. */
function unlock(): void {
  const { history } = layoutOf(b.root);
  execFileSync('find', [path.join(history, 'refs'), '-name', '*.lock', '-delete']);
}

it('killed at any moment, and again: the same command has the same merge in the end', async () => {
  await start(small, b);
  a.mv('docs', 'papers');
  a.write('papers/a', 'edited by a');
  a.mv('photos/1.jpg', 'photos/x');
  a.mv('photos/2.jpg', 'photos/1.jpg');
  a.mv('photos/x', 'photos/2.jpg');
  a.put('top', 'top of a', 1_790_000_000);
  a.write('new', 'new of a');
  await a.commit();
  b.write('docs/added', 'added by b');
  b.put('top', 'top of b', 1_790_000_100);
  fs.unlinkSync(b.at('docs/b'));
  await b.commit();
  const image = `${b.root}.image`;
  execFileSync('cp', ['-a', b.root, image]);
  const reset = async (): Promise<void> => {
    fs.rmSync(b.root, { recursive: true, force: true });
    execFileSync('cp', ['-a', image, b.root]);
    // It lies elsewhere now: whoever writes first finds a copy and gives it an id of its own.
    await b.with((repo) => repo.beginWriting());
  };
  await reset();
  const { calls: all } = await killedDuring(Number.POSITIVE_INFINITY, () => b.merge(a));
  const expected = { head: await b.head(), files: b.files() };
  const seen = { before: 0, after: 0 };
  const stride = Math.max(1, Math.floor(all / 18));
  for (let n = 3; n < all; n += stride) {
    await reset();
    const old = await b.head();
    await killedDuring(n, () => b.merge(a));
    unlock();
    // The recovery is killed too.
    await killedDuring(n % 7, () => b.with((repo) => repo.beginWriting()));
    unlock();
    const head = await b.with((repo) => {
      repo.beginWriting();
      return repo.head;
    });
    expect({ n, changes: await b.changes() }).toEqual({ n, changes: [] });
    seen[head === old ? 'before' : 'after']++;
    const again = await b.merge(a);
    expect(again.result).toBe(head === old ? 'merged' : 'up-to-date');
    expect({ n, head: await b.head(), files: b.files() }).toEqual({ n, ...expected });
    await b.verifyAll();
  }
  expect(seen.before).toBeGreaterThan(2);
  expect(seen.after).toBeGreaterThan(2);
}, 600_000);
