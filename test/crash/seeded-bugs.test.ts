import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { run } from '../support/bk.ts';
import { runWithFault } from '../support/faults.ts';
import { records } from '../support/history.ts';
import { type Hunt, killing, plainly, stageFor } from '../support/hunts.ts';
import type { Stage } from '../support/rounds.ts';
import { COMMIT_CONFIRMED, SCENARIOS, type Scenario } from '../support/scenarios.ts';
import { NONE, programWith, type SeededBug, someOf } from '../support/seeded.ts';
import { snapshot } from '../support/snapshot.ts';

/**
 * The mutation check of RELIABILITY 4.3: wrong statements are put into a copy of the program, and the oracle must see
 * each of them. If it does not, the crash tests prove nothing.
 */
interface Seeded extends SeededBug {
  readonly scenario: string;
  readonly hunt: Hunt;
}

/** Where the seeded bug showed: without it no more reads need to be tried than those. */
let reads = 100;

/** Lets one read after the other fail, beyond those before the tree is listed, and counts what a commit then takes for deleted. */
const failingReads = (stage: Stage, program: string): string[] => {
  const before = records(stage.reset().root);
  for (let n = 1; n <= reads; n++) {
    const { root } = stage.reset();
    const args = ['-C', root, 'commit', '-m', 'x', '--keep-deletions', '--allow-mass-delete'];
    runWithFault(args, { FAIL_READ_AT: `${n}:EIO` }, { program });
    const recorded = records(root);
    const lost = [...snapshot(root)].filter(
      ([at, entry]) => entry.type === 'file' && before.has(at) && !recorded.has(at),
    );
    if (lost.length > 0) reads = n;
    if (lost.length > 0) return lost.map(([at]) => `O1: ${at} is there and recorded as deleted`);
  }
  return [];
};

/** Spoils what the net holds alone, then runs the command: the bytes must not come into the tree. */
const spoiltNet = (stage: Stage): string[] => {
  const { root } = stage.reset();
  const net = path.join(root, '.bk/safety');
  for (const [at, entry] of snapshot(net)) {
    if (entry.type !== 'file' || entry.links > 1n || entry.size === 0) continue;
    fs.writeFileSync(path.join(net, at), Buffer.alloc(entry.size, '!'));
  }
  stage.undisturbed();
  return stage.losses().filter((what) => what.startsWith('O4'));
};

/** A writer holds the lock: another one must be refused. */
const beingLocked = (stage: Stage, program: string): string[] => {
  const { root } = stage.reset();
  const holder = `
    const Database = require(${JSON.stringify(path.resolve('node_modules/better-sqlite3'))});
    new Database('.bk/lock.sqlite').exec('BEGIN EXCLUSIVE');
    const done = require('node:child_process').spawnSync(${JSON.stringify(program)}, ['commit', '-m', 'x'], { stdio: 'inherit' });
    process.exitCode = done.status;`;
  const held = run(['-e', holder], { cwd: root, program: process.execPath });
  return held.code === 4 ? [] : [`O7: a second writer ended with ${held.code}`];
};

const KEPT = 'commit after a move, edits and kept deletions';

const BUGS: readonly Seeded[] = [
  {
    name: 'the net takes files by rename instead of link',
    wrong: [
      {
        file: 'store/safety.ts',
        was: '    try {\n      fs.linkSync(source, name);',
        is: '    try {\n      fs.renameSync(source, name);',
      },
    ],
    scenario: 'first commit',
    hunt: plainly,
  },
  {
    name: 'a folder that cannot be listed is empty',
    wrong: [
      {
        file: 'worktree/scan.ts',
        was: "const names = fs.readdirSync(nodePath(place), 'latin1');",
        is: "let names: string[] = []; try { names = fs.readdirSync(nodePath(place), 'latin1'); } catch {}",
      },
    ],
    scenario: KEPT,
    hunt: failingReads,
  },
  {
    name: 'the ref is written before the pack',
    wrong: [
      { file: 'repo/commit.ts', was: '  writer.finish();\n', is: '' },
      {
        file: 'repo/commit.ts',
        was: '  repo.movedTo(made.id);',
        is: '  writer.finish();\n  repo.movedTo(made.id);',
      },
    ],
    scenario: KEPT,
    hunt: killing,
  },
  {
    name: 'the net lets unconfirmed deletions go',
    wrong: [{ file: 'core/release.ts', was: 'if (!departure.confirmed) return false;', is: '' }],
    scenario: KEPT,
    hunt: plainly,
  },
  {
    name: 'a content is believed to be what its name in the net says',
    wrong: [
      { file: 'repo/recover/sources.ts', was: '.filter((entry) => this.#holds(entry))', is: '' },
      {
        file: 'worktree/stage.ts',
        was: 'return found.hash === wanted.blake3 && found.size === wanted.size;',
        is: 'return found.size === wanted.size;',
      },
    ],
    scenario: 'recover',
    hunt: spoiltNet,
  },
  {
    name: 'the journal is not written',
    wrong: [
      {
        file: 'store/journal.ts',
        was: '#write(lines: readonly Line[]): void {',
        is: '#write(lines: readonly Line[]): void {\n    if (lines.length > 0) return;',
      },
    ],
    scenario: 'restore',
    hunt: killing,
  },
  {
    name: 'what was captured is thrown away',
    wrong: [
      {
        file: 'worktree/apply.ts',
        was: 'ports.adopt(file, expect ?? contentOf(file));',
        is: 'void expect; fs.rmSync(file);',
      },
    ],
    scenario: 'restore',
    hunt: plainly,
  },
  {
    name: 'a held lock is no reason to stop',
    wrong: [
      {
        file: 'store/lock.ts',
        was: "if (code.startsWith('SQLITE_BUSY')) return null;",
        is: "if (code.startsWith('SQLITE_BUSY')) return { release() {} } as unknown as Lock;",
      },
    ],
    scenario: KEPT,
    hunt: beingLocked,
  },
];

function scenarioNamed(name: string): Scenario {
  const found = [...SCENARIOS, COMMIT_CONFIRMED].find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}`);
  return found;
}

describe('a seeded bug is found', () => {
  test.each(someOf(BUGS, 2))('$name', ({ scenario, hunt, ...bug }) => {
    const program = programWith(bug);
    const found = hunt(stageFor(scenarioNamed(scenario), program), program);
    expect(found.join('\n')).toMatch(/^O[1-8]|end:|next/m);
  });

  test.each([...new Set(someOf(BUGS, 2).map(({ hunt }) => hunt))].filter((hunt) => hunt !== killing))(
    'and nothing is found without one (%#)',
    (hunt) => {
      const bug = BUGS.find((one) => one.hunt === hunt);
      if (bug === undefined) throw new Error('no bug');
      const program = programWith(NONE);
      expect(hunt(stageFor(scenarioNamed(bug.scenario), program), program)).toEqual([]);
    },
  );
});
