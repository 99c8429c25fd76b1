/**
 * The benchmark (SPEC 7): makes its data on fresh file systems, runs bk and the real peers in turn, prints medians and
 * ratios. A command that fails makes its row an error and the exit code 1; a missed limit does so only with --strict.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Bench, Group } from './bench.ts';
import { cardBytes, cards } from './cards.ts';
import { clones } from './clones.ts';
import { isInstalled, run } from './command.ts';
import { largeFiles } from './large-files.ts';
import { merges } from './merges.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { photoBytes, photos } from './photos.ts';
import { asJson, missed, nameOf, table } from './report.ts';
import type { Outcome } from './row.ts';
import { searches } from './searches.ts';
import { smallFiles } from './small-files.ts';
import { openSpace } from './space.ts';
import { ssh } from './ssh.ts';
import { startUp } from './start-up.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const GROUPS: readonly Group[] = [
  startUp,
  largeFiles,
  photos,
  cards,
  smallFiles,
  clones,
  ssh,
  merges,
  searches,
];

function main(): number {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') return print(USAGE);
  const names = GROUPS.flatMap((group) => group.names);
  if (options.list) return print(names.join('\n'));
  const wants = (name: string): boolean =>
    options.only.length === 0 || options.only.some((part) => name.includes(part));
  if (!names.some(wants)) throw new TypeError(`--only ${options.only.join(', ')}: no such row (see --list)`);

  const bk = path.resolve(process.env['BK'] ?? path.join(ROOT, 'bin/bk'));
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const space = openSpace(spaceNeeded(options), options.space, (text) => say(`warning: ${text}`));
  process.on('exit', space.close);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

  const outcomes: Outcome[] = [];
  const bench: Bench = { bk, node: nodeOfBk(), options, space, wants, add: (one) => outcomes.push(one), say };
  const machine = { ...describe(bench), fileSystem: space.fileSystem };
  say(
    Object.entries(machine)
      .map(([key, value]) => `${key}: ${value}`)
      .join('\n'),
  );
  for (const group of GROUPS) runGroup(bench, group, outcomes);
  print(table(outcomes));
  if (options.json !== undefined) {
    const document = { time: new Date().toISOString(), machine, options, rows: outcomes.map(asJson) };
    fs.writeFileSync(options.json, `${JSON.stringify(document, null, 1)}\n`);
  }
  if (outcomes.some((one) => one.is === 'error')) return 1;
  return options.strict && missed(outcomes) > 0 ? 1 : 0;
}

function runGroup(bench: Bench, group: Group, outcomes: readonly Outcome[]): void {
  const wanted = group.names.filter(bench.wants);
  if (wanted.length === 0) return;
  try {
    group.run(bench);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const there = new Set(outcomes.map(nameOf));
    for (const name of wanted) if (!there.has(name)) bench.add({ is: 'error', name, message });
  }
}

/** Two committed trees (bk's and git's, objects a block each), the large files and a copy of them, or the card: the most. */
function spaceNeeded(options: Options): number {
  const card = cardBytes(options.quick);
  return (
    Math.max(options.files * 24_000, options.largeBytes * 2.2, card, photoBytes(options.quick)) + 2 ** 29
  );
}

/** The rule of bin/bk: the project's own Node if it is there. */
function nodeOfBk(): string {
  const own = path.join(ROOT, 'node_modules/node/bin/node');
  return fs.existsSync(own) ? own : process.execPath;
}

function describe(bench: Bench): Record<string, string> {
  const [cpu] = os.cpus();
  return {
    bk: run([bench.bk, '--version'], bench.space.scratch).stdout.trim(),
    node: execFileSync(bench.node, ['--version'], { encoding: 'utf8' }).trim(),
    git: isInstalled('git')
      ? execFileSync('git', ['--version'], { encoding: 'utf8' }).trim()
      : 'not installed',
    system: `${os.type()} ${os.release().split('-')[0]}, ${os.cpus().length} cores (${cpu?.model ?? 'unknown'}), ${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    data: `${bench.options.files} files in ${bench.options.dirs} folders; ${bench.options.largeBytes / 2 ** 20} MiB in ${bench.options.largeFiles} files`,
  };
}

function print(text: string): 0 {
  process.stdout.write(`${text}\n`);
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
