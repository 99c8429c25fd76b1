import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { layoutOf } from '@bk/store';
import { describe, expect, it } from 'vitest';
import { killedDuring } from '../safety/transaction.fixture.ts';
import { a, b, exchange, follow, same, small, twins, twoTrees } from './advance.fixture.ts';
import type { AdvanceOptions } from './advance.ts';

twoTrees();

describe('advance, killed', () => {
  const edit = (): void => {
    a.mv('docs', 'papers');
    a.write('papers/a', 'edited');
    a.mv('photos/1.jpg', 'photos/x');
    a.mv('photos/2.jpg', 'photos/1.jpg');
    a.mv('photos/x', 'photos/2.jpg');
    fs.unlinkSync(a.at('top'));
    a.write('new', 'new');
  };
  /** Locks of refs of the process that is dead: another process takes them away itself. */
  const unlock = (): void => {
    execFileSync('find', [path.join(layoutOf(b.root).history, 'refs'), '-name', '*.lock', '-delete']);
  };

  it.each<[string, Partial<AdvanceOptions>, number]>([
    ['all contents come', {}, 14],
    ['contents cannot be had', { from: [] }, 9],
  ])(
    'at any moment: the next command has the old state or the new one: %s',
    async (_, options, points) => {
      await twins(small);
      edit();
      await a.commit();
      exchange();
      const image = `${b.root}.image`;
      execFileSync('cp', ['-a', b.root, image]);
      const { calls: all } = await killedDuring(Number.POSITIVE_INFINITY, () => follow(options));
      const seen = { before: 0, after: 0 };
      const stride = Math.max(1, Math.floor(all / points));
      for (let n = 5; n < all; n += stride) {
        fs.rmSync(b.root, { recursive: true, force: true });
        execFileSync('cp', ['-a', image, b.root]);
        const old = await b.with((repo) => repo.head);
        const { killed } = await killedDuring(n, () => follow(options));
        unlock();
        await b.with((repo) => repo.beginWriting());
        const head = await b.with((repo) => repo.head);
        expect({ n, changes: await b.changes() }).toEqual({ n, changes: [] });
        seen[head === old ? 'before' : 'after']++;
        const again = await follow(options);
        if (killed) expect(again.result).toBe(head === old ? 'fast-forward' : 'up-to-date');
        if (options.from === undefined) await same(`killed at ${n}`);
        else expect({ n, changes: await b.changes() }).toEqual({ n, changes: [] });
      }
      expect(seen.before).toBeGreaterThan(1);
      expect(seen.after).toBeGreaterThan(1);
    },
    300_000,
  );
});
