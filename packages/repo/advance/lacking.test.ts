import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { layoutOf } from '@bk/store';
import { describe, expect, it } from 'vitest';
import { killedDuring } from '../safety/transaction.fixture.ts';
import { a, b, exchange, follow, meanwhile, small, twins, twoTrees } from './advance.fixture.ts';

twoTrees();

/** Locks of refs of the process that is dead: another process takes them away itself. */
function unlock(): void {
  execFileSync('find', [path.join(layoutOf(b.root).history, 'refs'), '-name', '*.lock', '-delete']);
}

/** Somebody takes places to which something is to come. */
function takePlaces(): void {
  for (const place of ['more', 'papers']) if (!fs.existsSync(b.at(place))) b.write(place, `mine at ${place}`);
}

interface Prepared {
  readonly reset: () => Promise<void>;
  /** The commit that b follows to, and its files. */
  readonly theirs: string;
  readonly paths: readonly string[];
}

async function prepare(): Promise<Prepared> {
  await twins(small);
  a.mv('docs', 'papers');
  a.write('more/new', 'new');
  a.write('photos/3.jpg', 'three');
  await a.commit();
  const theirs = exchange();
  const image = `${b.root}.image`;
  execFileSync('cp', ['-a', b.root, image]);
  const reset = async (): Promise<void> => {
    fs.rmSync(b.root, { recursive: true, force: true });
    execFileSync('cp', ['-a', image, b.root]);
    await b.with((repo) => repo.beginWriting());
  };
  return { reset, theirs, paths: a.git('ls-tree', '-r', '--name-only', 'main').split('\n').filter(Boolean) };
}

/** What lacks is in the history, not in the folder, and nobody calls it deleted. */
async function verifyNothingDeleted(n: number, { theirs, paths }: Prepared): Promise<boolean> {
  const deleted = (await b.changes()).filter((change) => change.startsWith('deleted'));
  expect({ n, deleted }).toEqual({ n, deleted: [] });
  const head = await b.with((repo) => {
    repo.beginWriting();
    return repo.head;
  });
  await b.commit();
  const recorded = b.git('ls-tree', '-r', '--name-only', 'main').split('\n');
  if (head !== theirs) return false;
  expect({ n, lost: paths.filter((at) => !recorded.includes(at)) }).toEqual({ n, lost: [] });
  return true;
}

describe('advance, where something is in the way', () => {
  it('killed, and the places taken before the next command', async () => {
    const prepared = await prepare();
    let moved = 0;
    const { calls: all } = await killedDuring(Number.POSITIVE_INFINITY, () => follow());
    for (let n = 5; n < all; n += 11) {
      await prepared.reset();
      await killedDuring(n, () => follow());
      unlock();
      takePlaces();
      if (await verifyNothingDeleted(n, prepared)) moved++;
    }
    expect(moved).toBeGreaterThan(3);
  }, 300_000);

  it('the places taken meanwhile, and killed after that', async () => {
    const prepared = await prepare();
    let moved = 0;
    meanwhile(takePlaces);
    const { calls: all } = await killedDuring(Number.POSITIVE_INFINITY, () => follow());
    for (let n = 5; n < all; n += 11) {
      await prepared.reset();
      await killedDuring(n, () => follow());
      unlock();
      if (await verifyNothingDeleted(n, prepared)) moved++;
    }
    expect(moved).toBeGreaterThan(3);
  }, 300_000);
});
