import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { bk, type Outcome, repository, run } from '../support/bk.ts';
import { fsckProblems } from '../support/history.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { hasSshd, type Moved, needsSshd, Sshd } from '../support/sshd.ts';
import { fastFolder } from '../support/temporary.ts';
import { rsyncDifferences } from '../support/two.ts';

/**
 * Connections that are cut after so many bytes, at random: some in the handshake and the history, some in a large file.
 * The same command is given again until it is through.
 */
const LARGE = 14 << 20;
const MIB = 1 << 20;
/** Of one cut: what had come and was not written yet. */
const LOST = 3 * MIB;
const MOST_CUTS = 40;

let sshd: Sshd;
beforeAll(async () => {
  if (hasSshd()) sshd = await Sshd.start();
});

/** Cuts by a seed: every second one is early. */
function* cuts(seed: string): Generator<number> {
  for (let n = 0; ; n++) {
    const random = crypto.createHash('sha256').update(`${seed} ${n}`).digest().readUInt32BE(0) / 2 ** 32;
    yield Math.ceil(n % 2 === 0 ? random * 60_000 : (1 + 5 * random) * MIB);
  }
}

/** Gives a command until it is through. @returns all that went over, and how often it was cut */
function insist(
  args: readonly string[],
  seed: string,
  afterCut: (done: Outcome) => void,
): { cut: number; moved: Moved } {
  const all = { connections: 0, sent: 0, received: 0 };
  let cut = 0;
  for (const bytes of cuts(seed)) {
    // The connection that may be cut is the first; enough is enough.
    const { env, moved } = sshd.counting(cut < MOST_CUTS ? bytes : 0);
    const done = run(['--json', ...args], { env });
    const one = moved();
    all.connections += one.connections;
    all.sent += one.sent;
    all.received += one.received;
    if (done.code === 0) return { cut, moved: all };
    expect(done.stderr).toMatch(/"code":"unreachable"|/);
    expect([1, 4], done.stderr).toContain(done.code);
    cut++;
    afterCut(done);
  }
  throw new Error('unreachable');
}

function made(name: string): string {
  const root = path.join(fastFolder('bk-cut-'), name);
  smallTree(root);
  repository(root);
  return root;
}

function addLarge(root: string, name: string): void {
  fs.writeFileSync(path.join(root, name), crypto.randomBytes(LARGE));
  bk(['-C', root, 'commit', '-m', name]);
}

function head(root: string): string {
  return fs.readFileSync(path.join(root, '.bk/history/refs/heads/main'), 'utf8').trim();
}

function expectSound(root: string): void {
  expect(fsckProblems(root)).toEqual([]);
  expect(bk(['-C', root, 'status'], { expect: [0] }).changes).toEqual([]);
  expect(bk(['-C', root, 'check'], { expect: [0] })['problems']).toEqual([]);
  expect(fs.readdirSync(path.join(root, '.bk/staging'))).toEqual([]);
}

test('a clone goes on where it was', (context) => {
  needsSshd(context);
  const there = made('there');
  addLarge(there, 'large');
  const here = path.join(fastFolder('bk-cut-'), 'here');
  const { cut, moved } = insist(['clone', sshd.address(there), here], 'clone', () => {
    const names = fs.existsSync(here) ? fs.readdirSync(here) : [];
    expect(names.filter((name) => name !== '.bk')).toEqual([]);
  });
  expect(cut).toBeGreaterThan(4);
  expect(moved.received).toBeLessThan(LARGE + 2 * MIB + cut * LOST);
  expect(rsyncDifferences(there, here)).toEqual([]);
  expectSound(here);
});

test('a push goes on where it was, and the head there moves with the files only', (context) => {
  needsSshd(context);
  const there = made('there');
  const here = path.join(fastFolder('bk-cut-'), 'here');
  bk(['clone', sshd.address(there), here], { env: sshd.env });
  addLarge(here, 'large');
  fs.renameSync(path.join(here, 'large'), path.join(here, 'moved'));
  fs.writeFileSync(path.join(here, 'other'), 'other');
  bk(['-C', here, 'commit', '-m', 'more']);
  const before = head(there);
  const old = snapshot(there);
  const wanted = snapshot(here);
  const { cut, moved } = insist(['-C', here, 'push', 'origin'], 'push', () => {
    const is = head(there) === before ? old : wanted;
    expect(differences(is, snapshot(there), { inode: false })).toEqual([]);
  });
  expect(cut).toBeGreaterThan(4);
  expect(moved.sent).toBeLessThan(LARGE + 2 * MIB + cut * LOST);
  expect(head(there)).toBe(head(here));
  expect(rsyncDifferences(here, there)).toEqual([]);
  expectSound(there);
});

test('a merge goes on where it was', (context) => {
  needsSshd(context);
  const there = made('there');
  const here = path.join(fastFolder('bk-cut-'), 'here');
  bk(['clone', sshd.address(there), here], { env: sshd.env });
  addLarge(there, 'large');
  fs.writeFileSync(path.join(here, 'own'), 'own');
  bk(['-C', here, 'commit', '-m', 'own']);
  const before = head(here);
  const { cut, moved } = insist(['-C', here, 'merge', 'origin'], 'merge', () => {
    expect(head(here)).toBe(before);
    expect(fs.existsSync(path.join(here, 'large'))).toBe(false);
  });
  expect(cut).toBeGreaterThan(4);
  expect(moved.received).toBeLessThan(LARGE + 2 * MIB + cut * LOST);
  expect(fs.readFileSync(path.join(here, 'large')).equals(fs.readFileSync(path.join(there, 'large')))).toBe(
    true,
  );
  expect(fs.readFileSync(path.join(here, 'own'), 'utf8')).toBe('own');
  expectSound(here);
});
