import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bk } from '../support/bk.ts';
import type { Op } from '../support/faults.ts';
import { head } from '../support/history.ts';
import { type Hunt, plainly, stageFor } from '../support/hunts.ts';
import { meanwhile } from '../support/meanwhile.ts';
import { MERGE, MERGE_FOLDERS } from '../support/merge-scenarios.ts';
import { needsVolumes } from '../support/mounts.ts';
import { deletedBy } from '../support/oracle.ts';
import type { Scenario } from '../support/scenarios.ts';
import { NONE, programWith, type SeededBug, someOf } from '../support/seeded.ts';

/** The mutation check of RELIABILITY 4.3 for merging, see seeded-bugs.test.ts. */
interface Seeded extends SeededBug {
  readonly scenario: Scenario;
  readonly hunt: Hunt;
}

/** Kills before these calls, one after the other, until something is found. */
const killingAt =
  (isMeant: (op: Op, ops: readonly Op[]) => boolean): Hunt =>
  (stage) => {
    for (const { n } of stage.ops.filter((op) => isMeant(op, stage.ops))) {
      stage.disturbed({ KILL_AT: String(n) });
      const found = [...stage.losses(), ...stage.aftermath(1)];
      if (found.length > 0) return found;
    }
    return [];
  };

function isBefore(op: Op, ops: readonly Op[], last: (op: Op) => boolean): boolean {
  return op.n <= (ops.find(last)?.n ?? 0);
}

const isJournal = ({ subject }: Op): boolean => subject.includes('/.bk/journal/');
const inStaging = killingAt(
  (op, ops) =>
    op.name === 'chmodSync' && op.subject.includes('/.bk/staging/') && isBefore(op, ops, isJournal),
);
const whenJournalEnds = killingAt(({ n }, ops) => {
  const end = ops.find((op) => op.name === 'rmSync' && isJournal(op))?.n ?? 0;
  return n <= end && n > end - 12 && n % 3 === 0;
});
const amongMoves = killingAt((op) => op.name === 'linkSync' && /-> \/proc\/self/.test(op.subject));

/** Nothing but the folders has the contents: what leaves a path without being taken care of is gone. */
const withoutNet: Hunt = (stage) => {
  stage.resetWith((roots) => {
    for (const root of roots) fs.rmSync(path.join(root, '.bk/safety'), { recursive: true });
  });
  stage.undisturbed();
  return stage.losses(true).filter((what) => what.startsWith('O1'));
};

/** A content is nowhere any more: what is to come cannot come. */
const withoutContent: Hunt = (stage, program) => {
  stage.resetWith(([, other = '']) => {
    fs.rmSync(path.join(other, 'notes/fetched.txt'));
    fs.rmSync(path.join(other, '.bk/safety'), { recursive: true });
  });
  stage.undisturbed();
  const answer = bk(['-C', stage.root, 'status'], { program });
  return deletedBy(answer).map((at) => `O1: status says that ${at} was deleted`);
};

const NEW = 'mine, just now\n';

/** Somebody makes a file just before another one gets its name there. */
const atTheLastMoment: Hunt = (stage) => {
  const placing = stage.ops.filter(
    ({ name, subject }) => name === 'linkSync' && subject.endsWith('/04 renamed.flac"'),
  );
  const made = './music/album/04 renamed.flac';
  const edit = {
    name: 'makes a file',
    ways: [[['writeFileSync', made, NEW, { flag: 'wx' }] as const]],
    made: [NEW],
  };
  return placing.flatMap(({ n }) => meanwhile(stage, n, edit) ?? [`nothing could be made at ${n}`]);
};

const PLAN_BUG = {
  file: 'core/advance.ts',
  was: 'if (!same || before === undefined) this.#place(arrival);',
  is: 'if (before === undefined) this.#place(arrival);',
};

const BUGS: readonly Seeded[] = [
  {
    name: 'the head moves before the journal is written',
    wrong: [
      {
        file: 'worktree/apply.ts',
        was: '  const id = ports.newId();\n',
        is: '  if (head !== undefined) ports.moveHead?.(head);\n  const id = ports.newId();\n',
      },
    ],
    scenario: MERGE,
    hunt: inStaging,
  },
  {
    name: 'the merge is written after the head has moved',
    wrong: [
      {
        file: 'repo/advance/advance.ts',
        was: '  if (options.objects !== undefined) write(repo, options.objects);\n',
        is: '',
      },
      {
        file: 'repo/advance/advance.ts',
        was: '  repo.movedTo(to);\n  await record(',
        is: '  if (options.objects !== undefined) write(repo, options.objects);\n  repo.movedTo(to);\n  await record(',
      },
    ],
    scenario: MERGE_FOLDERS,
    hunt: whenJournalEnds,
  },
  {
    name: 'what is replaced is not captured',
    wrong: [
      {
        file: 'worktree/put.ts',
        was: "    return 'the file that was to be replaced has changed';\n  work.tree.capture(at.folder, at.name, captured);",
        is: "    return 'the file that was to be replaced has changed';\n  work.tree.removeOwn(at.folder, at.name, there.ino);\n  return undefined;",
      },
    ],
    scenario: MERGE,
    hunt: withoutNet,
  },
  {
    name: 'what is deleted is not captured',
    wrong: [
      {
        file: 'worktree/put.ts',
        was: "    return conflict(step, 'it has changed meanwhile');\n  work.tree.capture(at.folder, at.name, captured);",
        is: "    return conflict(step, 'it has changed meanwhile');\n  work.tree.removeOwn(at.folder, at.name, there.ino);\n  return done(step);",
      },
    ],
    scenario: MERGE,
    hunt: withoutNet,
  },
  {
    name: 'an edit is not planned, and nobody compares the plan with the tree',
    wrong: [
      PLAN_BUG,
      { file: 'repo/advance/advance.ts', was: '  checkPlan(change, made, given.disk.isHere);\n', is: '' },
    ],
    scenario: MERGE_FOLDERS,
    hunt: plainly,
  },
  {
    name: 'the loser of a conflict is dropped',
    wrong: [
      {
        file: 'core/merge/collide.ts',
        was: 'if (!contents.has(content)) losers.push({ record, version, isCopy: true });',
        is: 'void version;',
      },
    ],
    scenario: MERGE,
    hunt: plainly,
  },
  {
    name: 'a deletion beats an edit',
    wrong: [
      {
        file: 'core/merge/placed.ts',
        was: "return isWanted ? { kind: 'delete-edit' } : 'deleted';",
        is: "return isWanted ? 'deleted' : 'deleted';",
      },
    ],
    scenario: MERGE,
    hunt: plainly,
  },
  {
    name: 'a moved file gets its name by a rename, over whatever is there',
    wrong: [
      {
        file: 'worktree/move.ts',
        was: 'work.tree.linkInto(taken, to.folder, to.name);',
        is: 'work.tree.fillTaken(taken, to.folder, to.name);',
      },
    ],
    scenario: MERGE,
    hunt: atTheLastMoment,
  },
  {
    name: 'what did not come is taken for deleted',
    wrong: [
      {
        file: 'repo/advance/rows.ts',
        was: 'const absent = plan.absent.has(path) || isAtOrBelow(path, failed);',
        is: 'const absent = isAtOrBelow(path, failed);',
      },
    ],
    scenario: MERGE,
    hunt: withoutContent,
  },
  {
    name: 'a replay does not look what has moved already',
    wrong: [
      {
        file: 'worktree/move.ts',
        was: 'if (lstat(taken) !== undefined) return give(work, step, taken);\n  if (work.replaying && isThere(work, step)) return settled(work, step);',
        is: 'if (lstat(taken) !== undefined && !work.replaying) return give(work, step, taken);',
      },
    ],
    scenario: MERGE,
    hunt: amongMoves,
  },
  {
    name: 'a merge is dated by the clock',
    wrong: [
      {
        file: 'repo/merge/write.ts',
        was: 'timeSec: Math.max(...times) + 1',
        is: 'timeSec: Math.max(...times, Math.floor(Date.now() / 1000)) + 1',
      },
    ],
    scenario: MERGE_FOLDERS,
    hunt: plainly,
  },
];

describe('a seeded bug in merging is found', () => {
  test.for(someOf(BUGS, 0))('$name', ({ scenario, hunt, ...bug }, context) => {
    needsVolumes(context);
    const program = programWith(bug);
    expect(hunt(stageFor(scenario, program), program).join('\n')).toMatch(/O[1-8]:|end:|next/);
  });

  test('a wrong plan is stopped by its check before anything is touched', (context) => {
    needsVolumes(context);
    const stage = stageFor(MERGE_FOLDERS, programWith({ name: 'plan', wrong: [PLAN_BUG] }));
    const before = [stage.reset().tree, head(stage.root)];
    expect(stage.undisturbed()).toMatchObject({
      code: 70,
      stderr: expect.stringContaining('nothing was changed'),
    });
    expect([stage.losses(true), head(stage.root)]).toEqual([[], before[1]]);
  });

  test.for([
    ['without a net', MERGE, withoutNet],
    ['without a content', MERGE, withoutContent],
    ['where somebody makes a file', MERGE, atTheLastMoment],
    ['as it is', MERGE_FOLDERS, plainly],
  ] as const)('and nothing is found without one: %s', ([, scenario, hunt], context) => {
    needsVolumes(context);
    const program = programWith(NONE);
    expect(hunt(stageFor(scenario, program), program)).toEqual([]);
  });
});
