import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { type Random, randomFrom } from '../../fixtures/random.ts';
import { run } from '../support/bk.ts';
import { Template } from '../support/mounts.ts';
import { losses, observe, unexplained, type World } from '../support/oracle.ts';
import { SCENARIOS } from '../support/scenarios.ts';
import { contentsOf, snapshot } from '../support/snapshot.ts';

/** `.bk` files spoilt at random: every command ends with a clear message, and the person’s files stay as they are. BK_SWEEP=all: 200 of them. */
const MUTATIONS = process.env['BK_SWEEP'] === 'all' ? 200 : 40;
const VERBS: readonly (readonly string[])[] = [
  ['commit', '-m', 'x', '--keep-deletions'],
  ['check'],
  ['log'],
  ['recover', '--list'],
  ['reindex'],
  ['recover', '--all'],
  ['diff', 'HEAD~1', 'HEAD'],
  ['ls', '-r'],
  ['safety', 'status'],
  ['verify'],
];

const SPOIL: readonly ((file: string, random: Random) => string)[] = [
  (file, random) =>
    rewrite(file, 'bit flip', (bytes) => {
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    }),
  (file, random) => rewrite(file, 'truncate', (bytes) => bytes.subarray(0, random.below(bytes.length))),
  (file, random) =>
    rewrite(file, 'zero', (bytes) => {
      const at = random.below(bytes.length);
      return bytes.fill(0, at, Math.min(bytes.length, at + 1 + random.below(4096)));
    }),
  (file, random) =>
    rewrite(file, 'random', (bytes) => {
      random.bytes(Math.min(16, bytes.length)).copy(bytes, random.below(bytes.length));
      return bytes;
    }),
  (file) => {
    fs.rmSync(file);
    return 'removed';
  },
  (file) => {
    fs.rmSync(file);
    fs.writeFileSync(file, '');
    return 'emptied';
  },
];

/** A new inode, so that a net entry's damage does not reach the person's file through a hard link. */
function rewrite(file: string, what: string, change: (bytes: Buffer) => Buffer): string {
  const bytes = fs.readFileSync(file);
  const { mode } = fs.statSync(file);
  fs.rmSync(file);
  fs.writeFileSync(file, bytes.length === 0 ? 'x' : change(bytes), { mode: mode & 0o777 });
  return what;
}

function swap(dot: string, files: readonly string[], random: Random): string {
  // Not the names of the person's own inodes: those would be swapped with them.
  const own = files.filter((at) => fs.statSync(path.join(dot, at)).nlink === 1);
  const [a, b] = [random.pick(own), random.pick(own)];
  fs.renameSync(path.join(dot, a), path.join(dot, '.swap'));
  if (a !== b) fs.renameSync(path.join(dot, b), path.join(dot, a));
  fs.renameSync(path.join(dot, '.swap'), path.join(dot, b));
  return `${a} swapped with ${b}`;
}

/** Spoils one file: each in turn, so that all kinds are hit. */
function spoil(root: string, round: number, random: Random): string {
  const dot = path.join(root, '.bk');
  const files = [...snapshot(dot)].filter(([, entry]) => entry.type === 'file').map(([at]) => at);
  const wanted = [
    'config.json',
    'index.sqlite',
    'lock.sqlite',
    'history/HEAD',
    'history/refs/heads/main',
    '.pack',
    '.idx',
    'safety/',
  ];
  const kind = wanted[round % (wanted.length + 2)];
  const file = random.pick(
    kind === undefined ? files : files.filter((at) => at.includes(kind)).concat(files.slice(0, 1)),
  );
  if (round % 13 === 12) return swap(dot, files, random);
  return `${file}: ${random.pick(SPOIL)(path.join(dot, file), random)}`;
}

/** What is recovered has the right content: the hash of the net entry was looked at. */
function wrong(world: World, known: ReadonlySet<string>): string[] {
  const tree = snapshot(world.root);
  const added = new Map([...tree].filter(([at]) => !world.tree.has(at)).map(([at]) => [at, [...known]]));
  return losses({ ...world, contents: contentsOf(world.tree) }, { changes: added });
}

describe('a spoilt .bk', () => {
  const scenario = SCENARIOS.find((one) => one.name === 'recover');
  if (scenario === undefined) throw new Error('no scenario');
  const template = new Template(scenario.make);
  const seed = Number(process.env['BK_SEED'] ?? 1);
  test.each(Array.from({ length: 10 }, (_, i) => i))(
    `part %i of ${MUTATIONS} mutations (seed ${seed})`,
    (part) => {
      const found: string[] = [];
      for (let round = part; round < MUTATIONS; round += 10) {
        const random = randomFrom(seed * 1000 + round);
        const known = observe(template.fresh()).contents;
        const world = observe(template.fresh());
        const what = spoil(world.root, Math.floor(round / 10) + part, random);
        for (const verb of [['status'], VERBS[(round + part) % VERBS.length] ?? []]) {
          const done = run(['-C', world.root, ...verb]);
          const said = [...unexplained(done, [0, 1, 3, 4, 5]), ...wrong(world, known)];
          found.push(...said.map((text) => `round ${round}, ${what}, ${verb.join(' ')}: ${text}`));
        }
      }
      expect(found).toEqual([]);
    },
  );
});
