import fs from 'node:fs';
import path from 'node:path';
import { addRow, type Bench, bk, expectClean, type Group, memoryFile, seconds } from './bench.ts';
import { type Finished, isInstalled, runAll } from './command.ts';
import { makeLargeFiles, makeSmallFiles } from './data.ts';
import type { Row } from './row.ts';
import { type Folder, settle } from './space.ts';

const SMALL = 'clone, small files';
const LARGE = 'clone, 2 GiB in 64 files';

/** Clones to another file system, fresh for each run, against the copying program that a person would take, made durable. */
export const clones: Group = {
  names: [SMALL, LARGE],
  run: (bench) => {
    if (bench.wants(LARGE)) cloneLarge(bench);
    if (!bench.wants(SMALL)) return;
    if (isInstalled('rsync')) cloneSmall(bench);
    else bench.add({ is: 'skipped', name: SMALL, reason: 'rsync is not installed' });
  },
};

interface Compared {
  readonly source: Folder;
  /** Bytes and inodes of a file system that takes a copy. */
  readonly room: readonly [bytes: number, inodes: number];
  readonly peer: { readonly name: string; readonly argv: (from: string, to: string) => readonly string[] };
  readonly row: Pick<Row, 'name' | 'limits' | 'note'>;
}

function cloneSmall(bench: Bench): void {
  const { files, dirs } = bench.options;
  const room = [2 ** 30 + files * 12_000 + dirs * 16_384, files * 2 + dirs * 2 + 20_000] as const;
  const source = bench.space.fresh(...room);
  makeSmallFiles(source.path, files, dirs);
  compare(bench, {
    source,
    room,
    peer: {
      name: 'rsync -a; sync -f',
      argv: (from, to) => ['rsync', '-a', '--exclude=/.bk', `${from}/`, `${to}/`],
    },
    row: { name: SMALL, limits: { issue: { times: 1 }, goal: { times: 0.8 } } },
  });
}

function cloneLarge(bench: Bench): void {
  const { largeBytes, largeFiles: files } = bench.options;
  const room = [largeBytes * 1.1 + 2 ** 30, 20_000] as const;
  const source = bench.space.fresh(...room);
  const names = makeLargeFiles(source.path, files, largeBytes);
  // What a person copies is in the cache or not, for both alike: it is.
  for (const name of names) fs.readFileSync(path.join(source.path, name));
  compare(bench, {
    source,
    room,
    peer: {
      name: 'cp -r; sync -f',
      argv: (from, to) => ['cp', '-r', ...names.map((name) => path.join(from, name)), to],
    },
    row: {
      name: LARGE,
      limits: { issue: { times: 1.2 }, goal: { times: 1.1 } },
      ...(largeBytes === 2 ** 31 ? {} : { note: `here ${largeBytes / 2 ** 20} MiB in ${files} files` }),
    },
  });
}

function compare(bench: Bench, { source, room, peer, row }: Compared): void {
  bk(bench, source.path, ['init'], ['commit', '-m', 'First']);
  const runs = { bk: [] as Finished[], peer: [] as Finished[] };
  for (let i = 1; i <= bench.options.runs; i++) {
    const mine = bench.space.fresh(...room);
    settle(source.path);
    const to = path.join(mine.path, 'clone');
    runs.bk.push(bk(bench, source.path, ['clone', '--name', `run-${i}`, to]));
    bench.say(`${row.name}: run ${i}, bk ${runs.bk.at(-1)!.seconds.toFixed(2)} s`);
    if (i === 1) expectClean(bench, to);
    mine.release();
    const theirs = bench.space.fresh(...room);
    const copy = path.join(theirs.path, 'copy');
    fs.mkdirSync(copy);
    settle(source.path);
    const commands = [peer.argv(source.path, copy), ['sync', '-f', copy]];
    runs.peer.push(runAll(commands, source.path, memoryFile(bench)));
    bench.say(`${row.name}: run ${i}, ${peer.name} ${runs.peer.at(-1)!.seconds.toFixed(2)} s`);
    theirs.release();
  }
  source.release();
  addRow(bench, {
    ...row,
    unit: 's',
    bk: seconds(runs.bk),
    peer: { name: peer.name, values: seconds(runs.peer) },
  });
}
