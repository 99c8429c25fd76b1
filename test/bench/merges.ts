import fs from 'node:fs';
import path from 'node:path';
import { addRow, type Bench, bk, expectClean, type Group, seconds } from './bench.ts';
import { CommandFailed, type Finished } from './command.ts';
import { makeSmallFiles, type Tree } from './data.ts';
import { settle } from './space.ts';

const MOVE = 'merge of a remote move of half of the files';
const EDITS = 'merge that changes 10 files';

/** Two repositories that both have commits of their own: one is reorganised or edited, the other merges. */
export const merges: Group = {
  names: [MOVE, EDITS],
  run: (bench) => {
    const { files, dirs } = bench.options;
    const room = [2 ** 30 + files * 16_384 + dirs * 16_384, files * 3 + dirs * 3 + 20_000] as const;
    const [here, there] = [bench.space.fresh(...room), bench.space.fresh(...room)];
    const tree = makeSmallFiles(here.path, files, dirs);
    bk(bench, here.path, ['init'], ['commit', '-m', 'First']);
    const other = path.join(there.path, 'other');
    bk(bench, here.path, ['clone', '--name', 'other', other]);
    const pair: Pair = { here: here.path, there: other, tree };
    // Once, so that both have been looked at since they were made.
    expectClean(bench, other);
    if (bench.wants(EDITS)) mergeEdits(bench, pair);
    if (bench.wants(MOVE)) mergeMoves(bench, pair);
    for (const folder of [here, there]) folder.release();
  },
};

interface Pair {
  readonly here: string;
  readonly there: string;
  readonly tree: Tree;
}

function mergeMoves(bench: Bench, pair: Pair): void {
  const runs: Finished[] = [];
  let from = pair.tree.half;
  for (let i = 1; i <= bench.options.runs; i++) {
    const to = `elsewhere-${i}`;
    fs.renameSync(path.join(pair.there, from), path.join(pair.there, to));
    bk(bench, pair.there, ['commit', '-m', `Move ${i}`]);
    editHere(bench, pair, i);
    runs.push(merged(bench, pair, { renamed: pair.tree.halfFiles, updated: 0, transferred: 0 }));
    bench.say(`${MOVE}: run ${i}, ${runs.at(-1)!.seconds.toFixed(2)} s`);
    follow(bench, pair);
    from = to;
  }
  const limits = { issue: { plus: 4 }, goal: { plus: 3 } };
  addRow(bench, { name: MOVE, unit: 's', bk: seconds(runs), limits });
}

function mergeEdits(bench: Bench, pair: Pair): void {
  const runs: Finished[] = [];
  const looks: Finished[] = [];
  for (let i = 1; i <= Math.max(3, bench.options.runs); i++) {
    for (const file of someFiles(path.join(pair.there, pair.tree.half), 10))
      replace(file, `run ${i}, edited there: ${path.basename(file)}\n`);
    bk(bench, pair.there, ['commit', '-m', `Ten edits ${i}`]);
    editHere(bench, pair, 100 + i);
    looks.push(bk(bench, pair.here, ['status']));
    runs.push(merged(bench, pair, { renamed: 0, updated: 10, transferred: 10 }));
    bench.say(`${EDITS}: run ${i}, ${runs.at(-1)!.seconds.toFixed(2)} s`);
    follow(bench, pair);
  }
  addRow(bench, {
    name: EDITS,
    unit: 's',
    bk: seconds(runs),
    peer: { name: 'bk status', values: seconds(looks) },
    limits: { issue: { times: 2 } },
  });
}

/** So that it is a merge and no fast-forward. */
function editHere(bench: Bench, { here }: Pair, n: number): void {
  fs.writeFileSync(path.join(here, 'edited here.txt'), `${n}\n`);
  bk(bench, here, ['commit', '-m', `Here ${n}`]);
  settle(here);
}

/** @throws CommandFailed if it was not just this that was merged */
function merged(
  bench: Bench,
  { here }: Pair,
  expected: { readonly renamed: number; readonly updated: number; readonly transferred: number },
): Finished {
  const done = bk(bench, here, ['merge', 'other', '--json']);
  const { result, applied, transferred, conflicts } = JSON.parse(done.stdout) as {
    result: string;
    applied: { renamed: number; updated: number; copied: number; deleted: number };
    transferred: { files: number };
    conflicts: unknown[];
  };
  const right =
    result === 'merged' &&
    applied.renamed === expected.renamed &&
    applied.updated === expected.updated &&
    applied.copied + applied.deleted + conflicts.length === 0 &&
    transferred.files === expected.transferred;
  if (right) return done;
  throw new CommandFailed(
    [bench.bk, 'merge'],
    `did something else: ${JSON.stringify({ result, applied, transferred, conflicts }).slice(0, 300)}`,
  );
}

/** The other has the same head afterwards. */
function follow(bench: Bench, { there }: Pair): void {
  bk(bench, there, ['merge', 'origin']);
  settle(there);
}

/** Each in a folder of its own. */
function someFiles(folder: string, count: number): string[] {
  const leaves = fs.readdirSync(folder).flatMap((group) => {
    const inside = path.join(folder, group);
    return fs.readdirSync(inside).map((leaf) => path.join(inside, leaf));
  });
  const step = Math.max(1, Math.floor(leaves.length / count));
  return Array.from({ length: count }, (_, i) => {
    const leaf = leaves[i * step]!;
    return path.join(leaf, fs.readdirSync(leaf)[0]!);
  });
}

/** As most programs save. */
function replace(file: string, text: string): void {
  fs.writeFileSync(`${file}.new`, text);
  fs.renameSync(`${file}.new`, file);
}
