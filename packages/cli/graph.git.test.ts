import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { randomFrom } from '../../fixtures/random.ts';
import { rowsOf, starsOf } from './graph.fixture.ts';
import { graph } from './graph.ts';

/** The oracle is git's own drawing. */
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-graph-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

function git(dir: string, args: readonly string[], input = ''): string {
  return execFileSync('git', ['--git-dir', dir, ...args], { input, encoding: 'utf8' });
}

/** Some repositories commit and merge from each other in any order; in the end all is merged. */
function randomHistory(seed: number): string {
  const dir = path.join(root, String(seed));
  execFileSync('git', ['init', '-q', '--bare', '--initial-branch=main', dir]);
  const random = randomFrom(seed);
  const heads = Array.from({ length: 2 + random.below(3) }, () => 0);
  let commands = '';
  let made = 0;
  const commit = (parents: readonly number[]): number => {
    const from = parents.filter((parent) => parent > 0);
    const lines = from.map((parent, i) => `${i === 0 ? 'from' : 'merge'} :${parent}\n`);
    const when = `committer bk <bk@localhost> ${1_700_000_000 + made} +0000`;
    commands += `commit refs/heads/main\nmark :${++made}\n${when}\ndata 1\nx\n${lines.join('')}\n`;
    return made;
  };
  heads.fill(commit([]));
  for (let step = 0; step < 25; step++) {
    const one = random.below(heads.length);
    const other = heads[random.below(heads.length)]!;
    const merges = random.below(3) === 0 && other !== heads[one];
    heads[one] = commit(merges ? [heads[one]!, other] : [heads[one]!]);
  }
  while (new Set(heads).size > 1) {
    const [one, other] = [...new Set(heads)] as [number, number];
    const both = commit([one, other]);
    for (const [i, head] of heads.entries()) if (head === one || head === other) heads[i] = both;
  }
  git(dir, ['fast-import', '--quiet', '--force'], commands);
  return dir;
}

test.each(Array.from({ length: 12 }, (_, i) => i + 1))(
  'stars stand where git sets them: history %i',
  (seed) => {
    const dir = randomHistory(seed);
    const rows = git(dir, ['log', '--graph', '--date-order', '--format=%H %P', 'main']).split('\n');
    const commits = rows.flatMap((row) => {
      const ids = row.match(/[0-9a-f]{40}/g);
      return ids === null ? [] : [{ commit: ids[0]!, parents: ids.slice(1) }];
    });
    expect(commits.length).toBeGreaterThan(20);
    expect(starsOf(rowsOf(graph(commits)))).toEqual(starsOf(rows));
  },
);
