import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { TestContext } from 'vitest';
import { BK } from './bk.ts';
import { hasProgram, needs } from './programs.ts';
import { SSHD, SshdFiles } from './sshd-files.ts';
import { atEnd, temporaryFolder } from './temporary.ts';

/** Bytes that went to the other side, and that came from there. */
export interface Moved {
  readonly connections: number;
  readonly sent: number;
  readonly received: number;
}

const RELAY = path.join(import.meta.dirname, 'ssh-relay.cjs');

export function needsSshd(context: Pick<TestContext, 'skip'>): void {
  needs(context, 'the programs sshd, ssh and ssh-keygen', hasSshd());
}

export function hasSshd(): boolean {
  return fs.existsSync(SSHD) && hasProgram('ssh') && hasProgram('ssh-keygen');
}

export interface SshdOptions {
  /** Address on which it listens; absent: loopback. */
  readonly host?: string;
  /** Run sshd through these words (`ip netns exec …`). */
  readonly through?: readonly string[];
}

/** A real sshd with throw-away keys that lets this user in; see SshdFiles. */
export class Sshd {
  readonly files: SshdFiles;
  /** Of the client, for whoever starts bk. */
  readonly env: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;
  #logs = 0;

  static async start(options: SshdOptions = {}): Promise<Sshd> {
    const sshd = new Sshd(await freePort(), options);
    for (let tries = 0; tries < 200 && !sshd.#isListening; tries++) await setTimeout(50);
    if (!sshd.#isListening) throw new Error(`sshd does not start: ${sshd.#said}`);
    return sshd;
  }

  private constructor(port: number, { host = '127.0.0.1', through = [] }: SshdOptions) {
    const folder = temporaryFolder('bk-sshd-', os.tmpdir());
    this.files = new SshdFiles({ folder, host, port, bk: BK });
    const [program = SSHD, ...words] = [...through, SSHD, '-D', '-e', '-f', this.files.serverConfig];
    // Into a file: while a test waits for a command nobody reads a pipe, and sshd stops where it is full.
    const log = fs.openSync(this.#log, 'w');
    this.#child = spawn(program, words, { stdio: ['ignore', 'ignore', log] });
    fs.closeSync(log);
    atEnd(() => this.stop());
    this.env = { BK_SSH_COMMAND: this.files.ssh };
  }

  get #log(): string {
    return this.files.at('sshd.log');
  }

  get #said(): string {
    return fs.readFileSync(this.#log, 'utf8');
  }

  get #isListening(): boolean {
    return /Server listening/.test(this.#said);
  }

  /** As `env`, counting what goes over the connection, and cutting it after so many bytes (0: never). */
  counting(cut = 0): { readonly env: Readonly<Record<string, string>>; readonly moved: () => Moved } {
    const log = this.files.write(`moved-${this.#logs++}`, '');
    const command = `'${process.execPath}' '${RELAY}' '${log}' ${cut} ${this.files.ssh}`;
    const moved = (): Moved => {
      const lines = fs
        .readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== '');
      const sum = (column: number) => lines.reduce((all, line) => all + Number(line.split(' ')[column]), 0);
      return { connections: lines.length, sent: sum(0), received: sum(1) };
    };
    return { env: { BK_SSH_COMMAND: command }, moved };
  }

  /** The address of a folder here. */
  address(folder: string, host = 'user'): string {
    return `ssh://${host}${folder.split('/').map(encodeURIComponent).join('/')}`;
  }

  stop(): void {
    for (const pid of this.#descendants()) kill(pid, 'SIGKILL');
    this.#child.kill('SIGKILL');
  }

  /** All processes that came of sshd, parents first. */
  #descendants(): number[] {
    const listed = spawnSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).stdout;
    const parents = listed
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
    const found = [this.#child.pid ?? 0];
    for (const one of found) for (const [pid, parent] of parents) if (parent === one) found.push(pid);
    return found.slice(1);
  }
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
