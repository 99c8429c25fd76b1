import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { bk, errorOf, type Outcome, repository, run } from '../support/bk.ts';
import { fsckProblems } from '../support/history.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { hasSshd, type Moved, needsSshd, Sshd } from '../support/sshd.ts';
import { fastFolder } from '../support/temporary.ts';
import { rsyncDifferences } from '../support/two.ts';

/**
 * Connections that are cut after so many bytes, at random: some in the handshake and the history, some in a large file,
 * some at the end, when nothing is missing but that it is said. The same command is given again until it is through.
 * BK_CUTS=30: so many cuts of each command, in as many rounds as it takes.
 */
const CUTS = Number(process.env['BK_CUTS'] ?? 3);
const LATE_CUTS = Math.floor(CUTS / 3);
const LARGE = 14 << 20;
const SMALL = 100_000;
const MIB = 1 << 20;
/** Of one cut: what had come and was not written yet. */
const LOST = 3 * MIB;
/** Of one round: then it may come through. */
const MOST_CUTS = Math.min(40, CUTS);
/** Bytes before the end of a connection in which the last things are said. */
const TAIL = 6_000;

let sshd: Sshd;
beforeAll(async () => {
  if (hasSshd()) sshd = await Sshd.start();
});

/** One command between two repositories, and what is true of them whenever its connection dies. */
interface Trial {
  readonly args: readonly string[];
  readonly afterCut: () => void;
  readonly whenThrough: () => void;
}

/** @param bytes how large the content is that has to go over */
type Make = (bytes: number) => Trial;

interface Outgone {
  readonly cut: number;
  readonly moved: Moved;
}

/** From 0 to 1, by a seed. */
function chance(seed: string): number {
  return crypto.createHash('sha256').update(seed).digest().readUInt32BE(0) / 2 ** 32;
}

/** Cuts by a seed: every second one is early. */
function* cuts(seed: string): Generator<number> {
  for (let n = 0; ; n++) {
    const random = chance(`${seed} ${n}`);
    yield Math.ceil(n % 2 === 0 ? random * 60_000 : (1 + 5 * random) * MIB);
  }
}

/** Gives a command until it is through. @returns all that went over, and how often it was cut */
function insist({ args, afterCut, whenThrough }: Trial, after: Iterable<number>): Outgone {
  const all = { connections: 0, sent: 0, received: 0 };
  let cut = 0;
  for (const bytes of after) {
    // The connection that may be cut is the first; enough is enough.
    const { env, moved } = sshd.counting(cut < MOST_CUTS ? bytes : 0);
    const done = run(['--json', ...args], { env });
    const one = moved();
    all.connections += one.connections;
    all.sent += one.sent;
    all.received += one.received;
    if (done.code === 0) {
      whenThrough();
      return { cut, moved: all };
    }
    expectCutOff(done);
    cut++;
    afterCut();
  }
  throw new Error('it was not through when nothing was cut any more');
}

/** It says that the other side is gone: as an error, or in the answer of a command that asks several. */
function expectCutOff({ code, stdout, stderr }: Outcome): void {
  expect([1, 4], stderr).toContain(code);
  const said = stdout === '' ? errorOf({ code, stdout, stderr }).code : stdout;
  expect(said, stderr).toMatch(/unreachable/);
}

/** @returns cuts at random until there are enough, each round in repositories of its own */
function cutAnywhere(make: Make, name: string): number {
  let all = 0;
  for (let round = 0; all < CUTS - LATE_CUTS; round++) {
    const { cut, moved } = insist(make(LARGE), cuts(round === 0 ? name : `${name} ${round}`));
    expect(cut).toBeGreaterThan(0);
    // At most what was cut off goes over again.
    expect(Math.max(moved.sent, moved.received)).toBeLessThan(LARGE + 2 * MIB + cut * LOST);
    all += cut;
  }
  return all;
}

/** The same of the last bytes, as many as go over where nothing is cut. */
function cutLate(make: Make, name: string): number {
  const { moved } = insist(make(SMALL), [0]);
  const whole = moved.sent + moved.received;
  let all = 0;
  for (let round = 0; all < LATE_CUTS && round < 3 * LATE_CUTS; round++)
    all += insist(make(SMALL), [whole - Math.ceil(chance(`${name} late ${round}`) * TAIL), 0]).cut;
  return all;
}

function made(name: string): string {
  const root = path.join(fastFolder('bk-cut-'), name);
  smallTree(root);
  repository(root);
  return root;
}

/** Two that know each other: `here` was cloned from `there`. */
function pair(): { readonly there: string; readonly here: string } {
  const there = made('there');
  const here = path.join(fastFolder('bk-cut-'), 'here');
  bk(['clone', sshd.address(there), here], { env: sshd.env });
  return { there, here };
}

function add(root: string, name: string, bytes: number): void {
  fs.writeFileSync(path.join(root, name), crypto.randomBytes(bytes));
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

/** Nothing has a name before all of it is there. */
function clone(bytes: number): Trial {
  const there = made('there');
  add(there, 'large', bytes);
  const here = path.join(fastFolder('bk-cut-'), 'here');
  return {
    args: ['clone', sshd.address(there), here],
    afterCut() {
      const names = fs.existsSync(here) ? fs.readdirSync(here).filter((name) => name !== '.bk') : [];
      if (names.length > 0) expect(rsyncDifferences(there, here)).toEqual([]);
    },
    whenThrough() {
      expect(rsyncDifferences(there, here)).toEqual([]);
      expectSound(here);
    },
  };
}

/** The head there moves with the files only. */
function push(bytes: number): Trial {
  const { there, here } = pair();
  add(here, 'large', bytes);
  fs.renameSync(path.join(here, 'large'), path.join(here, 'moved'));
  fs.writeFileSync(path.join(here, 'other'), 'other');
  bk(['-C', here, 'commit', '-m', 'more']);
  const before = head(there);
  const old = snapshot(there);
  const wanted = snapshot(here);
  return {
    args: ['-C', here, 'push', 'origin'],
    afterCut() {
      const is = head(there) === before ? old : wanted;
      expect(differences(is, snapshot(there), { inode: false })).toEqual([]);
    },
    whenThrough() {
      expect(head(there)).toBe(head(here));
      expect(rsyncDifferences(here, there)).toEqual([]);
      expectSound(there);
    },
  };
}

/** The head here moves with the files only. */
function merge(bytes: number): Trial {
  const { there, here } = pair();
  add(there, 'large', bytes);
  fs.writeFileSync(path.join(here, 'own'), 'own');
  bk(['-C', here, 'commit', '-m', 'own']);
  const before = head(here);
  const large = () => fs.readFileSync(path.join(there, 'large'));
  const expectMerged = () => {
    expect(fs.readFileSync(path.join(here, 'large')).equals(large())).toBe(true);
    expect(fs.readFileSync(path.join(here, 'own'), 'utf8')).toBe('own');
  };
  return {
    args: ['-C', here, 'merge', 'origin'],
    afterCut() {
      if (head(here) === before) expect(fs.existsSync(path.join(here, 'large'))).toBe(false);
      else expectMerged();
    },
    whenThrough() {
      expectMerged();
      expectSound(here);
    },
  };
}

test.for([
  ['clone', clone],
  ['push', push],
  ['merge', merge],
] as const)(
  'a %s goes on where it was cut',
  { timeout: 300_000 + CUTS * 30_000 },
  ([name, make], context) => {
    needsSshd(context);
    expect(cutAnywhere(make, name)).toBeGreaterThanOrEqual(CUTS - LATE_CUTS);
    expect(cutLate(make, name)).toBeGreaterThan(0);
  },
);
