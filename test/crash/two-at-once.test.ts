import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { BK, bk, explained, type Outcome, repository } from '../support/bk.ts';
import { fsckProblems, git, records } from '../support/history.ts';
import { leftovers } from '../support/oracle.ts';
import { look, snapshot } from '../support/snapshot.ts';
import { fastFolder } from '../support/temporary.ts';

function start(args: readonly string[]): Promise<Outcome> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(BK, args, { env: { PATH, HOME }, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => {
    said.stdout += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    said.stderr += data.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 128, ...said }));
  });
}

/** BK_SWEEP=all: 50, by hand. */
const ROUNDS = process.env['BK_SWEEP'] === 'all' ? 50 : 12;

test(`two commits and a status at once, ${ROUNDS} rounds: a linear history that has everything`, async () => {
  const root = fastFolder('bk-two-');
  smallTree(root);
  repository(root);
  for (let round = 0; round < ROUNDS; round++) {
    fs.writeFileSync(path.join(root, `notes/round ${round}.txt`), `${round}\n`);
    fs.renameSync(
      path.join(root, round === 0 ? 'top.bin' : `top ${round - 1}.bin`),
      path.join(root, `top ${round}.bin`),
    );
    const commit = (who: string) => start(['-C', root, 'commit', '-m', `${who} ${round}`]);
    const [a, b, status] = await Promise.all([commit('a'), commit('b'), start(['-C', root, 'status'])]);
    expect(status.code, status.stderr).toBe(0);
    for (const done of [a, b]) expect([0, 4], done.stderr).toContain(done.code);
    expect([a, b].filter((done) => done.code === 4 && !explained(done))).toEqual([]);
    expect(
      [a, b].some((done) => done.code === 0),
      `${a.stderr}${b.stderr}`,
    ).toBe(true);
  }
  bk(['-C', root, 'commit', '-m', 'last']);
  expect(bk(['-C', root, 'status']).changes).toEqual([]);
  const parents = git(root, ['log', '--format=%P', 'refs/heads/main']).toString().trimEnd().split('\n');
  expect(parents.filter((line) => line.includes(' '))).toEqual([]);
  expect(parents.filter((line) => line === '').length).toBeLessThanOrEqual(1);
  const recorded = records(root);
  for (const [at, entry] of snapshot(root)) {
    if (entry.type === 'file') expect([at, recorded.get(at)?.record.blake3]).toEqual([at, entry.blake3]);
  }
  expect(recorded.get(`top ${ROUNDS - 1}.bin`)?.record.blake3).toBe(
    look(path.join(root, `top ${ROUNDS - 1}.bin`)).blake3,
  );
  expect([...fsckProblems(root), ...leftovers(root)]).toEqual([]);
});
