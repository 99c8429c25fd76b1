import fs from 'node:fs';
import path from 'node:path';
import { addRow, type Bench, bk, bkJson, type Group } from './bench.ts';
import { CommandFailed, run } from './command.ts';
import { makeCard } from './data.ts';
import { type Folder, settle } from './space.ts';

const PLUGGED = 'covered again, 50,000 files, card plugged in again';
const WARM = 'covered again, 50,000 files, all in memory';
const FILES = 50_000;
/** On average; photographs are larger, so their first time is longer. */
const FILE_BYTES = 104_000;

/** A card that the repository holds all of: asked about for the first time, and again with the hashes of that run. */
export const cards: Group = {
  names: [PLUGGED, WARM],
  run: (bench) => {
    const files = bench.options.quick ? FILES / 10 : FILES;
    const [card, home] = [
      bench.space.fresh(files * FILE_BYTES * 1.1 + 2 ** 28, files * 1.2 + 2_000),
      bench.space.fresh(files * FILE_BYTES * 1.2 + 2 ** 28, files * 3 + 2_000),
    ];
    makeCard(card.path, files);
    run(['cp', '-a', path.join(card.path, 'DCIM'), home.path], home.path);
    bk(bench, home.path, ['init'], ['commit', '-m', 'First']);
    settle(home.path);
    const note = files === FILES ? undefined : `here ${files} files`;
    if (bench.wants(WARM)) measure(bench, WARM, { card, home, replug: false, note });
    if (bench.wants(PLUGGED) && !card.replug())
      bench.add({ is: 'skipped', name: PLUGGED, reason: 'needs root and loop devices' });
    else if (bench.wants(PLUGGED)) measure(bench, PLUGGED, { card, home, replug: true, note });
    for (const folder of [card, home]) folder.release();
  },
};

/** Space that the card and the repository beside it take. */
export function cardBytes(quick: boolean): number {
  return (quick ? FILES / 10 : FILES) * FILE_BYTES * 2.5;
}

interface Place {
  readonly card: Folder;
  readonly home: Folder;
  readonly replug: boolean;
  readonly note: string | undefined;
}

function measure(bench: Bench, name: string, { card, home, replug, note }: Place): void {
  const times = { first: [] as number[], again: [] as number[] };
  const ask = ['covered', card.path];
  bk(bench, home.path, ask);
  for (let i = 1; i <= bench.options.runs; i++) {
    for (const suffix of ['', '-wal', '-shm'])
      fs.rmSync(path.join(home.path, `.bk/cards.sqlite${suffix}`), { force: true });
    if (replug) card.replug();
    times.first.push(bk(bench, home.path, ask).seconds);
    if (replug) card.replug();
    times.again.push(bk(bench, home.path, ask).seconds);
    bench.say(
      `${name}: run ${i}, first ${times.first.at(-1)!.toFixed(2)} s, again ${times.again.at(-1)!.toFixed(2)} s`,
    );
  }
  const { read } = bkJson(bench, home.path, ...ask) as { read?: { files?: number } };
  if (read?.files !== 0) throw new CommandFailed([bench.bk, ...ask], `read ${read?.files} files again`);
  addRow(bench, {
    name,
    unit: 's',
    bk: times.again,
    peer: { name: 'the first time', values: times.first },
    limits: replug && note === undefined ? { issue: { times: 0.1 } } : {},
    ...(note !== undefined && { note }),
  });
}
