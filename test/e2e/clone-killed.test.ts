import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { manyFiles } from '../../fixtures/many-files.ts';
import { smallTree } from '../../fixtures/small-tree.ts';
import { BK, bk, repository, run } from '../support/bk.ts';
import { fsckProblems } from '../support/history.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** BK_SWEEP=all: 30, by hand. */
const MOMENTS = process.env['BK_SWEEP'] === 'all' ? 30 : 5;

/** Kills a clone after so long. @returns whether it was still at work */
async function killedAfter(ms: number, args: readonly string[]): Promise<boolean> {
  const child = spawn(BK, args, { stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), ms);
  const signal = await new Promise((resolve) => child.on('exit', (_code, by) => resolve(by)));
  clearTimeout(timer);
  return signal === 'SIGKILL';
}

test(`killed at ${MOMENTS} moments, the same command completes it, and every hash is right`, async () => {
  const root = temporaryFolder('bk-source-');
  smallTree(root);
  manyFiles(root, 1_000);
  fs.writeFileSync(path.join(root, 'large'), Buffer.alloc(20_000_000, 'large '));
  fs.linkSync(path.join(root, 'large'), path.join(root, 'large too'));
  repository(root);
  const wanted = snapshot(root);
  const under = temporaryFolder('bk-clones-');
  const begin = performance.now();
  bk(['clone', root, path.join(under, 'undisturbed')], { expect: [0] });
  let whole = performance.now() - begin;
  let killed = 0;
  for (let n = 0, tries = 0; n < MOMENTS && tries < 3 * MOMENTS; tries++) {
    const to = path.join(under, `c${tries}`);
    const args = ['clone', root, to];
    // Spread over the whole time, a part of it at random; two kills in a row every third time.
    const moment = () => (whole * (n + Math.random())) / MOMENTS;
    // Other work on the machine makes it faster or slower.
    if (await killedAfter(moment(), args)) killed = ++n;
    else whole *= 0.9;
    if (n % 3 === 0) await killedAfter(whole * Math.random(), args);
    const config = path.join(to, '.bk/config.json');
    if (fs.existsSync(path.join(to, '.bk')) && !fs.existsSync(config))
      expect(run(['-C', to, 'status']).code).toBe(4);
    const made = bk(args, { expect: [0] });
    expect(made['missing'], `kill ${n}`).toEqual([]);
    expect(differences(wanted, snapshot(to), { inode: false }), `kill ${n}`).toEqual([]);
    expect(fs.statSync(path.join(to, 'large')).ino).toBe(fs.statSync(path.join(to, 'large too')).ino);
    expect(bk(['-C', to, 'status'], { expect: [0] }).changes).toEqual([]);
    expect(fs.readdirSync(path.join(to, '.bk/staging'))).toEqual([]);
    expect(fs.readdirSync(path.join(to, '.bk')).sort()).toEqual(
      fs.readdirSync(path.join(under, 'undisturbed/.bk')).sort(),
    );
    if (tries % 5 === 0) {
      expect(bk(['-C', to, 'check'], { expect: [0] })['problems']).toEqual([]);
      expect(fsckProblems(to)).toEqual([]);
    }
    fs.rmSync(to, { recursive: true });
  }
  expect(killed).toBe(MOMENTS);
}, 900_000);
