import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { SSHD, SshdFiles } from '../support/sshd-files.ts';
import { addRow, type Bench, bk, expectClean, type Group, memoryFile, seconds } from './bench.ts';
import { type Finished, isInstalled, runAll } from './command.ts';
import { makeLargeFiles, makeSmallFiles } from './data.ts';
import type { Row } from './row.ts';
import { type Folder, settle } from './space.ts';

const SMALL = 'clone over ssh, small files';
const LARGE = 'clone over ssh, 2 GiB in 64 files';
const MOST_FILES = 50_000;
const PORT = 46_822;

/** Clones from a real sshd on this machine against rsync over the same one, both made durable. */
export const ssh: Group = {
  names: [LARGE, SMALL],
  run: (bench) => {
    const reason = missingProgram();
    if (reason !== undefined) {
      for (const name of [LARGE, SMALL]) if (bench.wants(name)) bench.add({ is: 'skipped', name, reason });
      return;
    }
    const sshd = startSshd(bench);
    try {
      if (bench.wants(LARGE)) large(bench, sshd);
      if (bench.wants(SMALL)) small(bench, sshd);
    } finally {
      process.kill(Number(fs.readFileSync(sshd.pidFile, 'utf8')), 'SIGTERM');
    }
  },
};

function missingProgram(): string | undefined {
  const missing = ['ssh', 'ssh-keygen', 'rsync'].find((program) => !isInstalled(program));
  if (missing !== undefined) return `${missing} is not installed`;
  return fs.existsSync(SSHD) ? undefined : 'sshd is not installed';
}

/** sshd puts itself into the background once it listens. */
function startSshd(bench: Bench): SshdFiles {
  const folder = path.join(bench.space.scratch, 'sshd');
  fs.mkdirSync(folder);
  const files = new SshdFiles({ folder, host: '127.0.0.1', port: PORT, bk: bench.bk });
  const done = spawnSync(SSHD, ['-f', files.serverConfig], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (done.status !== 0) throw new Error(`sshd: exit ${done.status}: ${done.stderr}`);
  for (let tries = 0; tries < 100 && !fs.existsSync(files.pidFile); tries++) spawnSync('sleep', ['0.05']);
  return files;
}

function large(bench: Bench, sshd: SshdFiles): void {
  const { largeBytes, largeFiles: files } = bench.options;
  const room = [largeBytes * 1.1 + 2 ** 30, 20_000] as const;
  const source = bench.space.fresh(...room);
  for (const name of makeLargeFiles(source.path, files, largeBytes))
    fs.readFileSync(path.join(source.path, name));
  compare(bench, sshd, {
    source,
    room,
    row: {
      name: LARGE,
      limits: { goal: { times: 1.15 } },
      ...(largeBytes === 2 ** 31 ? {} : { note: `here ${largeBytes / 2 ** 20} MiB in ${files} files` }),
    },
  });
}

function small(bench: Bench, sshd: SshdFiles): void {
  const files = Math.min(MOST_FILES, bench.options.files);
  const dirs = Math.max(1, Math.round((bench.options.dirs * files) / bench.options.files));
  const room = [2 ** 30 + files * 12_000 + dirs * 16_384, files * 2 + dirs * 2 + 20_000] as const;
  const source = bench.space.fresh(...room);
  makeSmallFiles(source.path, files, dirs);
  compare(bench, sshd, {
    source,
    room,
    row: { name: SMALL, limits: { goal: { times: 0.8 } }, note: `here ${files} files in ${dirs} folders` },
  });
}

interface Compared {
  readonly source: Folder;
  /** Bytes and inodes of a file system that takes a copy. */
  readonly room: readonly [bytes: number, inodes: number];
  readonly row: Pick<Row, 'name' | 'limits' | 'note'>;
}

function compare(bench: Bench, sshd: SshdFiles, { source, room, row }: Compared): void {
  bk(bench, source.path, ['init'], ['commit', '-m', 'First']);
  const peer = 'rsync -a -e ssh; sync -f';
  // A disk that grows as it is used is slow the first time: whoever goes first would pay for it.
  const first = bench.space.fresh(...room);
  runAll(
    [
      ['cp', '-r', source.path, first.path],
      ['sync', '-f', first.path],
    ],
    first.path,
    memoryFile(bench),
  );
  first.release();
  const runs = { bk: [] as Finished[], peer: [] as Finished[] };
  for (let i = 1; i <= bench.options.runs; i++) {
    const mine = bench.space.fresh(...room);
    settle(source.path);
    const to = path.join(mine.path, 'clone');
    const clone = [bench.bk, 'clone', '--name', `run-${i}`, `ssh://user${source.path}`, to];
    const commands = [
      ['env', `BK_SSH_COMMAND=${sshd.ssh}`, ...clone],
      ['sync', '-f', mine.path],
    ];
    runs.bk.push(runAll(commands, mine.path, memoryFile(bench)));
    bench.say(`${row.name}: run ${i}, bk ${runs.bk.at(-1)!.seconds.toFixed(2)} s`);
    if (i === 1) expectClean(bench, to);
    mine.release();
    const theirs = bench.space.fresh(...room);
    const copy = path.join(theirs.path, 'copy');
    fs.mkdirSync(copy);
    settle(source.path);
    const rsync = ['rsync', '-a', '--exclude=/.bk', '-e', sshd.ssh, `user:${source.path}/`, `${copy}/`];
    runs.peer.push(runAll([rsync, ['sync', '-f', copy]], source.path, memoryFile(bench)));
    bench.say(`${row.name}: run ${i}, ${peer} ${runs.peer.at(-1)!.seconds.toFixed(2)} s`);
    theirs.release();
  }
  source.release();
  addRow(bench, {
    ...row,
    unit: 's',
    bk: seconds(runs.bk),
    peer: { name: peer, values: seconds(runs.peer) },
  });
}
