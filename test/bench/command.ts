import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** A command that did not do what it should: the row is an error, whatever its time was. */
export class CommandFailed extends Error {
  constructor(argv: readonly string[], why: string, stderr = '') {
    const tail = stderr.trim().split('\n').slice(-5).join('\n');
    super(`${argv.slice(0, 8).join(' ')}: ${why}${tail === '' ? '' : `\n${tail}`}`);
    this.name = 'CommandFailed';
  }
}

export interface Finished {
  readonly seconds: number;
  /** Peak memory of its largest process in MB; absent if /usr/bin/time is not there or was not asked for. */
  readonly megabytes?: number;
  readonly stdout: string;
}

const TIME = '/usr/bin/time';
export const canMeasureMemory = fs.existsSync(TIME);

/**
 * Runs one command to its end and measures it. stdin is empty, stdout is read to the end.
 * @param memoryFile if given, the command runs under /usr/bin/time, which writes its peak memory there
 * @throws CommandFailed if it cannot start or does not exit with 0
 */
export function run(argv: readonly string[], cwd: string, memoryFile?: string): Finished {
  const measured = memoryFile !== undefined && canMeasureMemory;
  const [program, ...args] = measured ? [TIME, '-q', '-f', '%M', '-o', memoryFile, ...argv] : argv;
  const begin = process.hrtime.bigint();
  const result = spawnSync(program!, args, {
    cwd,
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  if (result.error !== undefined) throw new CommandFailed(argv, result.error.message);
  if (result.status !== 0) {
    throw new CommandFailed(
      argv,
      `exit code ${result.status ?? result.signal}`,
      result.stderr || result.stdout,
    );
  }
  if (!measured) return { seconds, stdout: result.stdout };
  return { seconds, stdout: result.stdout, megabytes: Number(fs.readFileSync(memoryFile, 'utf8')) / 1024 };
}

/** Several commands as one measurement: times are added, memory is the largest, what is printed is the last one's. */
export function runAll(commands: readonly (readonly string[])[], cwd: string, memoryFile?: string): Finished {
  let seconds = 0;
  let megabytes: number | undefined;
  let stdout = '';
  for (const argv of commands) {
    const one = run(argv, cwd, memoryFile);
    seconds += one.seconds;
    stdout = one.stdout;
    if (one.megabytes !== undefined) megabytes = Math.max(megabytes ?? 0, one.megabytes);
  }
  return { seconds, stdout, ...(megabytes === undefined ? {} : { megabytes }) };
}

export function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((dir) => fs.existsSync(path.join(dir, program)));
}

/** A person's environment, not npm's: no node_modules/.bin in PATH; git with default settings, a fixed identity, no gc. */
const ENVIRONMENT: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !/^(npm_|NODE|GIT_|BK$|INIT_CWD)/.test(key)),
  ),
  PATH: (process.env['PATH'] ?? '')
    .split(':')
    .filter((dir) => !dir.endsWith('node_modules/.bin') && !dir.includes('node-gyp-bin'))
    .join(':'),
  NO_COLOR: '1',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'bench',
  GIT_AUTHOR_EMAIL: 'bench@example.org',
  GIT_COMMITTER_NAME: 'bench',
  GIT_COMMITTER_EMAIL: 'bench@example.org',
  GIT_CONFIG_COUNT: '2',
  GIT_CONFIG_KEY_0: 'gc.auto',
  GIT_CONFIG_VALUE_0: '0',
  GIT_CONFIG_KEY_1: 'init.defaultBranch',
  GIT_CONFIG_VALUE_1: 'main',
};
