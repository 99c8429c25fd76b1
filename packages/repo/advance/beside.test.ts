import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { layoutOf } from '@bk/store';
import { describe, expect, it } from 'vitest';
import { killedDuring } from '../safety/transaction.fixture.ts';
import { a, b, exchange, follow, meanwhile, small, twins, twoTrees } from './advance.fixture.ts';

twoTrees();

const DAY = 1_790_000_000;
const NOTE = 'conflict a 2026-09-21';

/** They changed `top` and added `docs/new` and a link; somebody here does, too, just then. */
async function prepare(): Promise<void> {
  await twins(small);
  for (const [file, text] of [
    ['top', 'top of theirs'],
    ['docs/new', 'new of theirs'],
  ] as const) {
    a.write(file, text);
    fs.utimesSync(a.at(file), DAY, DAY);
  }
  fs.symlinkSync('top', a.at('docs/way'));
  fs.lutimesSync(a.at('docs/way'), DAY, DAY);
  await a.commit();
  exchange();
}

function workHere(): void {
  b.save('top', 'top of mine');
  b.save('docs/new', 'new of mine');
  if (!here()['docs/way']) fs.symlinkSync('../nowhere', b.at('docs/way'));
  b.save(`docs/new (${NOTE})`, 'taken');
}

function here(): Record<string, string> {
  const names = fs.readdirSync(b.root, { recursive: true }) as string[];
  const wanted = names.filter((name) => /^(docs\/)?(top|new|way)/.test(name)).sort();
  return Object.fromEntries(
    wanted.map((name) => [
      name,
      fs.lstatSync(b.at(name)).isSymbolicLink()
        ? fs.readlinkSync(b.at(name))
        : fs.readFileSync(b.at(name), 'utf8'),
    ]),
  );
}

const BOTH = {
  'docs/new': 'new of mine',
  [`docs/new (${NOTE})`]: 'taken',
  [`docs/new (${NOTE}) 2`]: 'new of theirs',
  'docs/way': '../nowhere',
  [`docs/way (${NOTE})`]: 'top',
  top: 'top of mine',
  [`top (${NOTE})`]: 'top of theirs',
};

describe('advance, where somebody works just then', () => {
  it('what comes to a path that is taken is kept beside it', async () => {
    await prepare();
    meanwhile(workHere);
    const { conflicts } = await follow();
    expect(conflicts.map(({ path: at, reason }) => [at, /, as (.*)$/.exec(reason)?.[1]])).toEqual([
      ['docs/new', `new (${NOTE}) 2`],
      ['docs/way', `way (${NOTE})`],
      ['top', `top (${NOTE})`],
    ]);
    expect(here()).toEqual(BOTH);
    await b.commit();
    expect(await b.changes()).toEqual([]);
    await b.verify();
  });

  it('killed after that at any moment: it is kept beside it once', async () => {
    await prepare();
    const image = `${b.root}.image`;
    execFileSync('cp', ['-a', b.root, image]);
    meanwhile(workHere);
    const { calls: all } = await killedDuring(Number.POSITIVE_INFINITY, () => follow());
    let finished = 0;
    for (let n = 10; n < all; n += 8) {
      fs.rmSync(b.root, { recursive: true });
      execFileSync('cp', ['-a', image, b.root]);
      await b.with((repo) => repo.beginWriting());
      await killedDuring(n, () => follow());
      execFileSync('find', [path.join(layoutOf(b.root).history, 'refs'), '-name', '*.lock', '-delete']);
      await b.with((repo) => repo.beginWriting());
      const found = here();
      if (found[`top (${NOTE})`] === undefined) continue;
      expect({ n, ...found }).toEqual({ n, ...BOTH });
      finished++;
    }
    expect(finished).toBeGreaterThan(3);
  }, 300_000);
});
