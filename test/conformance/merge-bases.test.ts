import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { type GitId, mergeBases } from '@bk/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

/** Parents (of earlier commits) and committer time of each commit. */
type Dag = readonly { readonly parents: readonly number[]; readonly timeSec: number }[];

const dags: fc.Arbitrary<Dag> = fc
  .array(fc.tuple(fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), fc.nat(8), fc.nat(9)), {
    minLength: 8,
    maxLength: 30,
  })
  .map((drafts) =>
    drafts.map(([picks, step, odd], i) => ({
      parents: i === 0 || odd === 9 ? [] : [...new Set(picks.map((pick) => i - 1 - (pick % Math.min(i, 4))))],
      timeSec: 1_000_000_000 + (odd < 3 ? step : i * 4 + step),
    })),
  );

function git(dir: string, args: readonly string[], input?: string): string {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    LC_ALL: 'C.UTF-8',
  };
  return execFileSync('git', ['--git-dir', dir, ...args], {
    encoding: 'utf8',
    env,
    ...(input !== undefined && { input }),
  });
}

/** @returns their ids in git */
function importDag(dir: string, dag: Dag): GitId[] {
  const stream = dag.map(({ parents, timeSec }, i) => {
    const lines = [
      `commit refs/heads/c${i}`,
      `mark :${i + 1}`,
      `committer A <a@b> ${timeSec} +0000`,
      'data 0',
    ];
    parents.forEach((parent, k) => void lines.push(`${k === 0 ? 'from' : 'merge'} :${parent + 1}`));
    return `${lines.join('\n')}\nM 100644 inline f\ndata <<E\n${i}\nE\n`;
  });
  const marks = path.join(dir, 'marks');
  git(dir, ['fast-import', '--quiet', '--force', `--export-marks=${marks}`], stream.join('\n'));
  const ids = fs.readFileSync(marks, 'utf8').trim().split('\n');
  return ids
    .map((line) => line.split(' '))
    .sort(([a], [b]) => Number(a?.slice(1)) - Number(b?.slice(1)))
    .map(([, id]) => id as GitId);
}

test('merge bases are those of git merge-base --all', () => {
  const dir = path.join(temporaryFolder(), 'dag.git');
  execFileSync('git', ['init', '-q', '--bare', dir]);
  let several = 0;
  fc.assert(
    fc.property(dags, (dag) => {
      const ids = importDag(dir, dag);
      const commits = new Map(
        ids.map((id, i) => [id, { parents: dag[i]!.parents.map((k) => ids[k]!), timeSec: dag[i]!.timeSec }]),
      );
      const pairs = ids
        .slice(-3)
        .flatMap((one, i) => ids.slice(-3 + i).map((other) => [one, other] as const));
      for (const [one, other] of pairs) {
        const ours = mergeBases((id) => commits.get(id)!, one, other);
        if (ours.length > 1) several++;
        const theirs = spawnedBases(dir, one, other);
        expect([...ours].sort()).toEqual(theirs);
      }
    }),
    { numRuns: 80 },
  );
  // About fifteen, seldom fewer than ten.
  expect(several).toBeGreaterThan(0);
});

/** git says with exit 1 that there are none. */
function spawnedBases(dir: string, one: GitId, other: GitId): string[] {
  try {
    return git(dir, ['merge-base', '--all', one, other]).trim().split('\n').sort();
  } catch (error) {
    if ((error as { status?: number }).status === 1) return [];
    throw error;
  }
}
