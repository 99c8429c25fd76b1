import { addRow, type Bench, expectClean, type Group } from './bench.ts';
import { run } from './command.ts';
import { makeSmallFiles } from './data.ts';

const VERSION = 'bk --version';
const STATUS = 'bk status, 100 files';
const WARM_UP = 2;

/** How long a person waits for nothing: bk against a Node that does nothing, on the same Node binary. */
export const startUp: Group = {
  names: [VERSION, STATUS],
  run: (bench) => {
    const folder = bench.space.fresh(2 ** 28, 20_000);
    makeSmallFiles(folder.path, 100, 10);
    run([bench.bk, 'init'], folder.path);
    run([bench.bk, 'commit', '-m', 'First'], folder.path);
    expectClean(bench, folder.path);
    measure(bench, folder.path);
    folder.release();
  },
};

function measure(bench: Bench, dir: string): void {
  const commands = {
    node: [bench.node, '-e', '0'],
    version: [bench.bk, '--version'],
    status: [bench.bk, 'status'],
  };
  const times = { node: [] as number[], version: [] as number[], status: [] as number[] };
  for (let i = 0; i < WARM_UP + bench.options.startRuns; i++) {
    for (const which of ['version', 'node', 'status'] as const) {
      const { seconds } = run(commands[which], dir);
      if (i >= WARM_UP) times[which].push(seconds * 1000);
    }
  }
  bench.say(`start-up: ${times.node.length} runs`);
  const peer = { name: 'node -e 0', values: times.node };
  addRow(bench, { name: VERSION, unit: 'ms', bk: times.version, peer, limits: { goal: { times: 2.5 } } });
  addRow(bench, {
    name: STATUS,
    unit: 'ms',
    bk: times.status,
    peer,
    limits: { issue: { times: 4 }, goal: { times: 4 } },
  });
}
