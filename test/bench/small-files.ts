import fs from 'node:fs';
import path from 'node:path';
import {
  addMemoryRow,
  addRow,
  type Bench,
  bk,
  bkJson,
  expectClean,
  type Group,
  memoryFile,
  seconds,
} from './bench.ts';
import { CommandFailed, type Finished, isInstalled, run, runAll } from './command.ts';
import { makeSmallFiles, type Tree } from './data.ts';
import { type Folder, settle } from './space.ts';

const FIRST = 'first commit, small files';
const STATUS = 'status, nothing changed';
const MOVE = 'commit after mv of half of the files';
const FIRST_MEMORY = 'peak memory, first commit';
const STATUS_MEMORY = 'peak memory, status';
const MOVE_MEMORY = 'peak memory, commit after mv';
const hasGit = isInstalled('git');
const MEMORY_GOAL = { goal: { plus: 600 }, note: 'goal is for 1,000,000 files' };

/** First commit on fresh copies of one tree, then status and a move on the last of them. */
export const smallFiles: Group = {
  names: [FIRST, FIRST_MEMORY, STATUS, STATUS_MEMORY, MOVE, MOVE_MEMORY],
  run: (bench) => {
    const last = firstCommits(bench);
    if (bench.wants(STATUS) || bench.wants(STATUS_MEMORY)) status(bench, last.bk.path, last.git?.path);
    last.git?.release();
    if (bench.wants(MOVE) || bench.wants(MOVE_MEMORY)) moves(bench, last);
    last.bk.release();
  },
};

interface Committed {
  readonly tree: Tree;
  readonly bk: Folder;
  /** Absent if no wanted row has git as its peer. */
  readonly git: Folder | undefined;
}

function firstCommits(bench: Bench): Committed {
  const measured = bench.wants(FIRST) || bench.wants(FIRST_MEMORY);
  const withGit = hasGit && (measured || bench.wants(STATUS) || bench.wants(STATUS_MEMORY));
  const runs = { bk: [] as Finished[], git: [] as Finished[] };
  let last: Committed | undefined;
  for (let i = 1; i <= (measured ? bench.options.runs : 1); i++) {
    last?.bk.release();
    last?.git?.release();
    const mine = freshTree(bench);
    runs.bk.push(bk(bench, mine.folder.path, ['init'], ['commit', '-m', 'First']));
    bench.say(`${FIRST}: run ${i}, bk ${runs.bk.at(-1)!.seconds.toFixed(2)} s`);
    if (i === 1) expectClean(bench, mine.folder.path);
    const git = withGit ? freshTree(bench).folder : undefined;
    if (git !== undefined) {
      runs.git.push(gitFirstCommit(bench, git.path));
      bench.say(`${FIRST}: run ${i}, git ${runs.git.at(-1)!.seconds.toFixed(2)} s`);
    }
    last = { tree: mine.tree, bk: mine.folder, git };
  }
  addRow(bench, {
    name: FIRST,
    unit: 's',
    bk: seconds(runs.bk),
    peer: { name: 'git init, add -A, commit, sync', values: seconds(runs.git) },
    limits: { issue: { times: 0.45 }, goal: { times: 0.35 } },
  });
  addMemoryRow(
    bench,
    { name: FIRST_MEMORY, limits: { goal: MEMORY_GOAL.goal }, note: MEMORY_GOAL.note },
    runs.bk,
  );
  return last!;
}

function freshTree(bench: Bench): { tree: Tree; folder: Folder } {
  const { files, dirs } = bench.options;
  // The tree, git's objects one a block, bk's records and room to breathe; the image is sparse.
  const folder = bench.space.fresh(2 ** 30 + files * 16_384 + dirs * 16_384, files * 3 + dirs * 3 + 20_000);
  const tree = makeSmallFiles(folder.path, files, dirs);
  settle(folder.path);
  return { tree, folder };
}

/** As a person would, and then durable: bk syncs what it writes, git leaves that to the kernel. */
function gitFirstCommit(bench: Bench, dir: string): Finished {
  const git = (...args: string[]): readonly string[] => ['git', ...args];
  const commands = [
    git('init', '-q'),
    git('add', '-A'),
    git('commit', '-q', '-m', 'First'),
    ['sync', '-f', dir],
  ];
  return runAll(commands, dir, memoryFile(bench));
}

function status(bench: Bench, bkDir: string, gitDir: string | undefined): void {
  const git = ['git', 'status'];
  const runs = { bk: [] as Finished[], git: [] as Finished[] };
  settle(bkDir);
  expectClean(bench, bkDir);
  if (gitDir !== undefined) run(git, gitDir); // the first one after a commit refreshes git's index
  for (let i = 1; i <= Math.max(5, bench.options.runs); i++) {
    runs.bk.push(bk(bench, bkDir, ['status']));
    if (gitDir === undefined) continue;
    const theirs = run(git, gitDir, memoryFile(bench));
    if (!theirs.stdout.includes('working tree clean')) throw new CommandFailed(git, 'not clean');
    runs.git.push(theirs);
  }
  bench.say(`${STATUS}: ${runs.bk.length} runs`);
  const peer = { name: 'git status', values: seconds(runs.git) };
  addRow(bench, {
    name: STATUS,
    unit: 's',
    bk: seconds(runs.bk),
    peer,
    limits: { issue: { times: 2 }, goal: { times: 1.5 } },
  });
  addMemoryRow(
    bench,
    { name: STATUS_MEMORY, limits: { goal: MEMORY_GOAL.goal }, note: MEMORY_GOAL.note },
    runs.bk,
  );
}

function moves(bench: Bench, { tree, bk: folder }: Committed): void {
  const runs: Finished[] = [];
  let from = tree.half;
  for (let i = 1; i <= bench.options.runs; i++) {
    const to = `moved-${i}`;
    fs.renameSync(path.join(folder.path, from), path.join(folder.path, to));
    settle(folder.path);
    runs.push(bk(bench, folder.path, ['commit', '-m', `Move ${i}`]));
    expectMove(bench, folder.path, tree.halfFiles);
    bench.say(`${MOVE}: run ${i}, ${runs.at(-1)!.seconds.toFixed(2)} s`);
    from = to;
  }
  addRow(bench, {
    name: MOVE,
    unit: 's',
    bk: seconds(runs),
    limits: { issue: { plus: 3 }, goal: { plus: 2 } },
  });
  addMemoryRow(
    bench,
    { name: MOVE_MEMORY, limits: { goal: MEMORY_GOAL.goal }, note: MEMORY_GOAL.note },
    runs,
  );
}

/** The newest commit must say that just these files were renamed; asked of the log, after the measured run. */
function expectMove(bench: Bench, dir: string, files: number): void {
  const { commits } = bkJson(bench, dir, 'log', '-n', '1');
  const newest = Array.isArray(commits)
    ? (commits[0] as { summary?: Record<string, number> } | undefined)
    : undefined;
  const { renamed = 0, ...others } = newest?.summary ?? {};
  const rest = Object.values(others).reduce((sum, count) => sum + count, 0);
  if (renamed !== files || rest !== 0) {
    throw new CommandFailed(
      [bench.bk, 'log'],
      `${files} files were moved, bk says ${JSON.stringify(newest?.summary)}`,
    );
  }
}
