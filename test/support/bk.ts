import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { overArguments, overEnvironment } from './over.ts';

export const PROJECT = path.resolve(import.meta.dirname, '../..');
/** BK_PROGRAM: the tests can be pointed at another build. */
export const BK = process.env['BK_PROGRAM'] ?? path.join(PROJECT, 'bin/bk');

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Run through these words first (strace, setpriv …). */
  readonly through?: readonly string[];
  /** Another program than this project's bin/bk (one with a seeded bug). */
  readonly program?: string;
}

export interface Outcome {
  /** Exit code, or 128 + the signal's number as a shell says it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The answers' fields that tests look at; all others are there as unknown. */
export interface Answer {
  readonly [field: string]: unknown;
  readonly commit?: string | null;
  readonly changes: readonly ChangeSeen[];
  readonly unreadable: readonly {
    readonly path: string;
    readonly reason: string;
    readonly encoded?: boolean;
  }[];
  readonly skipped: readonly { readonly path: string; readonly reason: string; readonly encoded?: boolean }[];
  readonly recovered: readonly { readonly path: string; readonly from: unknown }[];
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
  readonly recoverable: readonly Recoverable[];
  readonly deletions: { readonly confirmed: number; readonly kept: number };
  readonly summary: Readonly<Record<string, number>>;
}

export interface ChangeSeen {
  readonly type: string;
  readonly path: string;
  readonly from?: string;
  readonly id?: string;
  readonly size: number;
  readonly blake3?: string;
  readonly fields?: readonly string[];
  readonly suspect?: string;
  readonly encoded?: boolean;
}

export interface Recoverable {
  readonly path: string;
  readonly blake3: string;
  readonly size: number;
  readonly confirmed: boolean;
  readonly encoded?: boolean;
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGINT: 2,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

/** Runs bk in an environment of its own; never throws for an exit code. */
export function run(args: readonly string[], options: RunOptions = {}): Outcome {
  const [command = BK, ...rest] = [...(options.through ?? []), options.program ?? BK, ...overArguments(args)];
  const done = spawnSync(command, rest, {
    cwd: options.cwd ?? PROJECT,
    env: { ...environment(), ...options.env },
    input: options.input ?? '',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: 240_000,
  });
  if (done.error !== undefined) throw done.error;
  const code = done.status ?? 128 + (SIGNALS[done.signal ?? ''] ?? 0);
  return { code, stdout: done.stdout, stderr: done.stderr };
}

/** The same beside this process, which may serve it meanwhile. */
export function runBeside(
  args: readonly string[],
  options: Pick<RunOptions, 'env' | 'cwd'> = {},
): Promise<Outcome> {
  const child = spawn(BK, args, {
    cwd: options.cwd ?? PROJECT,
    env: { ...environment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 240_000,
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve({ code: code ?? 128 + (SIGNALS[signal ?? ''] ?? 0), ...said }),
    );
  });
}

/** What bk needs of the environment and nothing of the test runner's (NODE_OPTIONS, VITEST…, GIT_…, BK_…). */
function environment(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'USER', 'TMPDIR', 'LD_LIBRARY_PATH'];
  const entries = kept.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return {
    ...(Object.fromEntries(entries) as Record<string, string>),
    LC_ALL: 'C.UTF-8',
    NO_COLOR: '1',
    ...overEnvironment(),
  };
}

/**
 * Runs bk with --json and gives its answer. An exit code other than `expect` (default 0 or 1) is an error that
 * quotes the command and what it said.
 */
export function bk(
  args: readonly string[],
  options: RunOptions & { readonly expect?: readonly number[] } = {},
): Answer {
  const done = run(['--json', ...args], options);
  const said = () => `bk ${args.join(' ')}: exit ${done.code}\n${done.stderr.slice(0, 4000)}`;
  if (!(options.expect ?? [0, 1]).includes(done.code)) throw new Error(said());
  try {
    return JSON.parse(done.stdout) as Answer;
  } catch {
    throw new Error(`${said()}\nstdout is no JSON document: ${done.stdout.slice(0, 1000)}`);
  }
}

/** A new repository in `root` (made by the caller) with everything committed. */
export function repository(root: string, options: RunOptions = {}): void {
  bk(['init', root], options);
  bk(['-C', root, 'commit', '-m', 'first'], options);
}

/** The error's description on stderr, behind the words for people. */
export function errorOf(done: Outcome): {
  readonly code: string;
  readonly message: string;
  readonly path?: string;
  readonly hint?: string;
} {
  const line = done.stderr.split('\n').find((one) => one.startsWith('{"error"')) ?? '{"error":{}}';
  return (JSON.parse(line) as { error: { code: string; message: string } }).error;
}

/** Of a failing command: exit code and whether it explained itself (SPEC 3: `bk: WHAT: WHY` or a JSON error), no stack trace. */
export function explained(done: Outcome): boolean {
  const trace = /\n\s+at .+:\d+:\d+|node:internal|Segmentation/.test(done.stderr);
  return !trace && /^bk: .+/m.test(done.stderr) ? true : !trace && /"error"/.test(done.stderr);
}
