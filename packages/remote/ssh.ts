import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BkError } from '@bk/core';
import type { Address } from './address.ts';
import { socketPair } from './socket-pair.ts';
import { type Channel, streamChannel } from './wire/channel.ts';
import { shown } from './wire/fault.ts';

export type SshAddress = Extract<Address, { kind: 'ssh' }>;

export interface SshOptions {
  /** Which ssh, with options of the person's own, as in `ssh -F other.config`; absent: `ssh` from PATH. */
  readonly command?: string;
  /** Whether a person is there who can type a password. */
  readonly isAttended: boolean;
  /** Is told what ssh says while it waits for something (a key to be touched); a line that is safe to show. */
  readonly tell?: (line: string) => void;
}

/** Never anything else: which repository is wanted is said in the handshake, so nothing of it reaches a shell. */
const REMOTE_COMMAND = ['bk', 'serve', '--stdio'];
/** Bytes of what ssh says that are kept: its last words. */
const MOST_SAID = 8 << 10;
const SHOWN = 300;
/** ssh says why it failed and ends; what it says longer than this before it ends is for the person. */
const TELL_AFTER_MS = 1_500;
const END_MS = 3_000;
const KILL_MS = 1_000;

/**
 * Starts ssh with `bk serve --stdio` at the other end: the user's own ssh, so that configuration, agents and jump hosts
 * are what they are for every other program.
 * @throws BkError 'usage' if the command is none, 'unreachable' if there is no ssh
 */
export async function sshChannel(address: SshAddress, options: SshOptions): Promise<Channel> {
  const [program = 'ssh', ...own] = wordsOf(options.command ?? 'ssh');
  const file = found(program);
  const pair = await socketPair();
  const child = spawn(file, [...own, ...sshArguments(address, options.isAttended)], {
    stdio: ['pipe', pair?.far ?? 'pipe', 'pipe'],
  });
  pair?.far.destroy();
  const said = new Said(child, options.tell);
  endWithThisProcess(child);
  const channel = streamChannel(pair?.near ?? child.stdout!, child.stdin!, {
    reason: () => said.reason(address),
  });
  return {
    incoming: channel.incoming,
    write: (bytes) => channel.write(bytes),
    reason: () => said.reason(address),
    async close() {
      await channel.close();
      await said.ended(KILL_MS);
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    },
  };
}

/**
 * What ssh is told, as scp and sftp do: a session and nothing beside it, whatever else the configuration asks for that
 * host. A connection that died is noticed. The grammar of addresses lets no name begin with `-`; `--` says it again.
 */
export function sshArguments({ user, host, port }: SshAddress, isAttended: boolean): string[] {
  return [
    '-T',
    '-x',
    '-a',
    '-oClearAllForwardings=yes',
    '-oPermitLocalCommand=no',
    '-oRemoteCommand=none',
    '-oRequestTTY=no',
    '-oServerAliveInterval=15',
    '-oServerAliveCountMax=4',
    '-oConnectTimeout=30',
    ...(isAttended ? [] : ['-oBatchMode=yes']),
    ...(port === undefined ? [] : [`-p${port}`]),
    ...(user === undefined ? [] : [`-l${user}`]),
    '--',
    host,
    ...REMOTE_COMMAND,
  ];
}

/** Words as a shell would make them of plain ones and quoted ones; nothing in them is expanded. @throws BkError 'usage' */
export function wordsOf(command: string): string[] {
  const words: string[] = [];
  let rest = command.trim();
  while (rest !== '') {
    const match = /^(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/s.exec(rest);
    if (match === null)
      throw new BkError('usage', `not a command: ${JSON.stringify(command)}: a quote is open`);
    words.push(unquoted(match[0]));
    rest = rest.slice(match[0].length).trimStart();
  }
  if (words.length === 0) throw new BkError('usage', 'not a command: it is empty');
  return words;
}

function unquoted(word: string): string {
  return word.replace(/'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/gs, (_all, single, double, escaped) =>
    single !== undefined ? single : double !== undefined ? double.replace(/\\(["\\])/g, '$1') : escaped,
  );
}

/** In PATH, but nowhere relative: a program that lies in a folder that came from elsewhere is not meant. */
function found(program: string): string {
  if (program.includes('/')) return program;
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    if (!path.isAbsolute(folder)) continue;
    const file = path.join(folder, program);
    try {
      fs.accessSync(file, fs.constants.X_OK);
      if (fs.statSync(file).isFile()) return file;
    } catch {
      // Not in this one.
    }
  }
  throw noProgram(program);
}

function noProgram(program: string, cause?: unknown): BkError {
  return new BkError('unreachable', `cannot start ${program}: there is no such program`, {
    hint: 'install OpenSSH’s client, or name it by BK_SSH_COMMAND or `bk config ssh.command`',
    ...(cause !== undefined && { cause }),
  });
}

/** Children that must not outlive us: one that waits for a password would keep the terminal. */
const children = new Set<ChildProcess>();

function endWithThisProcess(child: ChildProcess): void {
  if (children.size === 0) process.on('exit', endAll);
  children.add(child);
  child.once('close', () => {
    children.delete(child);
    if (children.size === 0) process.off('exit', endAll);
  });
}

function endAll(): void {
  for (const child of children) child.kill('SIGTERM');
}

/** What ssh says on stderr, and how it ends. */
class Said {
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;
  #text = '';
  #failure: NodeJS.ErrnoException | undefined;

  constructor(child: ChildProcess, tell: ((line: string) => void) | undefined) {
    this.#child = child;
    child.stderr?.setEncoding('utf8');
    child.stderr?.on('data', (text: string) => this.#add(text, tell));
    this.#closed = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#failure = error;
        resolve();
      });
      child.once('close', () => resolve());
    });
  }

  /** Whether it has ended within so many ms. */
  async ended(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), ms);
    });
    const done = await Promise.race([this.#closed.then(() => true), late]);
    clearTimeout(timer);
    return done;
  }

  /** Why there is no other side (any more); undefined: ssh does not say. */
  async reason({ text, host, user }: SshAddress): Promise<BkError | undefined> {
    if (!(await this.ended(END_MS))) return undefined;
    const { exitCode, signalCode } = this.#child;
    if (this.#failure !== undefined) {
      return this.#failure.code === 'ENOENT'
        ? noProgram(this.#child.spawnfile, this.#failure)
        : unreachable(text, `ssh cannot be started: ${this.#failure.code}`);
    }
    const login = user === undefined ? host : `${user}@${host}`;
    const words = this.#lastWords();
    if (exitCode === 127)
      return unreachable(
        text,
        'bk is not installed there',
        `\`ssh ${login} bk --version\` must answer: install bk there, in the PATH of its shell`,
      );
    if (exitCode === 126) return unreachable(text, `bk cannot be run there${words}`);
    if (exitCode === 255)
      return unreachable(
        text,
        words === '' ? 'ssh could not connect' : `ssh says${words}`,
        `try \`ssh ${login}\``,
      );
    if (signalCode !== null) return unreachable(text, `ssh was ended by ${signalCode}${words}`);
    if (exitCode === 0 && words === '') return undefined;
    return unreachable(text, `the other side ended with exit code ${exitCode}${words}`);
  }

  #lastWords(): string {
    const lines = this.#text.split(/[\r\n]+/).filter((line) => line.trim() !== '');
    const last = lines.slice(-3).join(' / ').trim();
    return last === '' ? '' : `: ${shown(last, SHOWN)}`;
  }

  #add(text: string, tell: ((line: string) => void) | undefined): void {
    this.#text = (this.#text + text).slice(-MOST_SAID);
    if (tell === undefined) return;
    const timer = setTimeout(() => {
      if (this.#child.exitCode === null && this.#child.signalCode === null)
        for (const line of text.split(/[\r\n]+/)) if (line.trim() !== '') tell(shown(line, SHOWN));
    }, TELL_AFTER_MS);
    timer.unref();
  }
}

function unreachable(text: string, why: string, hint?: string): BkError {
  return new BkError('unreachable', `cannot reach ${text}: ${why}`, {
    path: text,
    ...(hint !== undefined && { hint }),
  });
}
