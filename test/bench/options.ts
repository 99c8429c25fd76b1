import { parseArgs } from 'node:util';

/** What a person asked the benchmark to do. Sizes in bytes. */
export interface Options {
  readonly files: number;
  readonly dirs: number;
  readonly largeFiles: number;
  readonly largeBytes: number;
  readonly runs: number;
  readonly startRuns: number;
  /** Parts of row names; empty: every row. */
  readonly only: readonly string[];
  readonly json?: string;
  /** Folder for the data; absent: chosen among the temporary folders. */
  readonly space?: string;
  readonly strict: boolean;
  readonly quick: boolean;
  readonly list: boolean;
}

export const USAGE = `npm run bench -- [options]     (BK=/path chooses another bk)
  --files N --dirs N   small files and their folders (200000, 16000)
  --large-mib N        size of the 64 large files together, MiB (2048)
  --runs N             runs of each measurement, in turn with its peer (3)
  --start-runs N       runs of the start-up rows (31)
  --only NAME          only rows whose name contains NAME (may be given again)
  --quick              20,000 files, 1,600 folders, 256 MiB: for trying
  --json FILE          results as JSON too
  --space DIR          where the data is made (a temporary folder)
  --strict             exit code 1 if a limit is missed
  --list               names of the rows, nothing else`;

/** @throws TypeError for an unknown option or a number that is none. */
export function readOptions(argv: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      files: { type: 'string' },
      dirs: { type: 'string' },
      'large-mib': { type: 'string' },
      runs: { type: 'string' },
      'start-runs': { type: 'string' },
      only: { type: 'string', multiple: true },
      json: { type: 'string' },
      space: { type: 'string' },
      quick: { type: 'boolean' },
      strict: { type: 'boolean' },
      list: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return 'help';
  const quick = values.quick ?? false;
  return {
    files: count('--files', values.files, quick ? 20_000 : 200_000),
    dirs: count('--dirs', values.dirs, quick ? 1_600 : 16_000),
    largeFiles: 64,
    largeBytes: count('--large-mib', values['large-mib'], quick ? 256 : 2048) * 2 ** 20,
    runs: count('--runs', values.runs, 3),
    startRuns: count('--start-runs', values['start-runs'], quick ? 15 : 31),
    only: values.only ?? [],
    ...(values.json === undefined ? {} : { json: values.json }),
    ...(values.space === undefined ? {} : { space: values.space }),
    strict: values.strict ?? false,
    quick,
    list: values.list ?? false,
  };
}

function count(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new TypeError(`${name} ${text}: not a positive number`);
  return value;
}
