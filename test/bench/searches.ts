import fs from 'node:fs';
import path from 'node:path';
import { addMemoryRow, addRow, type Bench, bk, bkJson, type Group } from './bench.ts';
import { CommandFailed, type Finished, run } from './command.ts';
import { commitPhotos } from './photo-history.ts';
import { settle } from './space.ts';

const SELECTIVE = 'find, 1,000,000 files, selective';
const FIRST = 'find, 1,000,000 files, tables filled first';
const FIRST_MEMORY = 'peak memory, tables of find filled';
const FILES = 1_000_000;
/** Records, what SQLite makes of them, and room for one transaction. */
const BYTES_A_FILE = 4_000;
/** One in 25,000. */
const QUERY = ['find', 'tag:beach camera:X30 taken:2001-03..2018 not:*.raf size:>1MB'];

/** Questions over a history of photographs whose files are nowhere: only the tables are asked. */
export const searches: Group = {
  names: [SELECTIVE, FIRST, FIRST_MEMORY],
  run: (bench) => {
    const files = bench.options.quick ? FILES / 10 : FILES;
    const note = files === FILES ? undefined : `here ${files} files`;
    const home = bench.space.fresh(files * BYTES_A_FILE + 2 ** 28, 2_000);
    bk(bench, home.path, ['init']);
    commitPhotos(home.path, files);
    settle(home.path);
    const runs = { first: [] as Finished[], again: [] as Finished[] };
    const first = bench.wants(FIRST) || bench.wants(FIRST_MEMORY) ? bench.options.runs : 1;
    for (let i = 1; i <= first; i++) {
      fs.rmSync(path.join(home.path, '.bk/search.sqlite'), { force: true });
      runs.first.push(bk(bench, home.path, QUERY));
      bench.say(`${FIRST}: run ${i}, ${runs.first.at(-1)!.seconds.toFixed(2)} s`);
    }
    // By itself: of so short a time, a program around it that looks at the memory would be a tenth.
    for (let i = 1; i <= Math.max(9, bench.options.runs); i++)
      runs.again.push(run([bench.bk, ...QUERY], home.path));
    expectFound(bench, home.path);
    const more = note === undefined ? {} : { note };
    const milliseconds = runs.again.map((one) => one.seconds * 1000);
    addRow(bench, {
      name: SELECTIVE,
      unit: 'ms',
      bk: milliseconds,
      limits: { issue: { plus: 200 } },
      ...more,
    });
    addRow(bench, { name: FIRST, unit: 's', bk: runs.first.map((one) => one.seconds), limits: {}, ...more });
    addMemoryRow(bench, { name: FIRST_MEMORY, limits: {}, ...more }, runs.first);
    home.release();
  },
};

/** Some, but few: a query that finds nothing, or all, is no measurement. */
function expectFound(bench: Bench, dir: string): void {
  const { files } = bkJson(bench, dir, ...QUERY);
  const count = Array.isArray(files) ? files.length : 0;
  if (count < 1 || count > 200) throw new CommandFailed([bench.bk, ...QUERY], `found ${count} files`);
}
