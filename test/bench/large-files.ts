import fs from 'node:fs';
import path from 'node:path';
import { addRow, type Bench, bk, expectClean, type Group, memoryFile, seconds } from './bench.ts';
import { type Finished, isInstalled, run } from './command.ts';
import { makeLargeFiles } from './data.ts';
import { settle } from './space.ts';

const NAME = 'first commit, 2 GiB in 64 files';

/** First commit of large files against b3sum of the same files, which reads and hashes them and does nothing else. */
export const largeFiles: Group = {
  names: [NAME],
  run: (bench) => {
    if (!isInstalled('b3sum'))
      return bench.add({ is: 'skipped', name: NAME, reason: 'b3sum is not installed' });
    measure(bench);
  },
};

function measure(bench: Bench): void {
  const { largeBytes, largeFiles: files } = bench.options;
  const folder = bench.space.fresh(largeBytes * 1.1 + 2 ** 30, 20_000);
  const names = makeLargeFiles(folder.path, files, largeBytes);
  settle(folder.path);
  const b3sum = ['b3sum', ...names];
  run(b3sum, folder.path);
  const runs = { bk: [] as Finished[], peer: [] as Finished[] };
  for (let i = 1; i <= bench.options.runs; i++) {
    runs.bk.push(bk(bench, folder.path, ['init'], ['commit', '-m', 'First']));
    bench.say(`${NAME}: run ${i}, bk ${runs.bk.at(-1)!.seconds.toFixed(2)} s`);
    if (i === 1) expectClean(bench, folder.path);
    fs.rmSync(path.join(folder.path, '.bk'), { recursive: true });
    settle(folder.path);
    runs.peer.push(run(b3sum, folder.path, memoryFile(bench)));
    bench.say(`${NAME}: run ${i}, b3sum ${runs.peer.at(-1)!.seconds.toFixed(2)} s`);
  }
  folder.release();
  addRow(bench, {
    name: NAME,
    unit: 's',
    bk: seconds(runs.bk),
    peer: { name: 'b3sum', values: seconds(runs.peer) },
    limits: { issue: { times: 1.5, plus: 0.5 }, goal: { times: 1.5, plus: 0.3 } },
    ...(largeBytes === 2 ** 31 ? {} : { note: `here ${largeBytes / 2 ** 20} MiB in ${files} files` }),
  });
}
