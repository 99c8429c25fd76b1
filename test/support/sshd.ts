import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { TestContext } from 'vitest';
import { BK } from './bk.ts';
import { hasProgram, needs } from './programs.ts';
import { atEnd, temporaryFolder } from './temporary.ts';

/** Bytes that went to the other side, and that came from there. */
export interface Moved {
  readonly connections: number;
  readonly sent: number;
  readonly received: number;
}

const RELAY = path.join(import.meta.dirname, 'ssh-relay.cjs');
const SSHD = '/usr/sbin/sshd';

export function needsSshd(context: Pick<TestContext, 'skip'>): void {
  needs(context, 'the programs sshd, ssh and ssh-keygen', hasSshd());
}

export function hasSshd(): boolean {
  return fs.existsSync(SSHD) && hasProgram('ssh') && hasProgram('ssh-keygen');
}

export interface SshdOptions {
  /** What listens; absent: loopback. */
  readonly host?: string;
  /** Run sshd and its like through these words (`ip netns exec …`). */
  readonly through?: readonly string[];
  /** Shell lines of the other end's start-up: noise, another PATH. */
  readonly startUp?: string;
}

/**
 * A real sshd with throw-away keys that lets this user in: what ssh asks for runs in a shell whose home folder is `home`
 * and whose PATH begins with a folder in which `bk` is the one under test.
 */
export class Sshd {
  readonly home: string;
  /** Of the client, for whoever starts bk. */
  readonly env: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #host: string;
  readonly #port: number;
  readonly #child: ChildProcess;
  #log = '';
  #logs = 0;

  static async start(options: SshdOptions = {}): Promise<Sshd> {
    const port = await freePort();
    const sshd = new Sshd(port, options);
    for (let tries = 0; tries < 100 && !/Server listening/.test(sshd.#log); tries++) await setTimeout(50);
    if (!/Server listening/.test(sshd.#log)) throw new Error(`sshd does not start: ${sshd.#log}`);
    return sshd;
  }

  private constructor(port: number, { host = '127.0.0.1', through = [], startUp = '' }: SshdOptions) {
    this.#folder = temporaryFolder('bk-sshd-', os.tmpdir());
    this.#host = host;
    this.#port = port;
    this.home = this.#make('home');
    const bin = this.#make('bin');
    fs.symlinkSync(BK, path.join(bin, 'bk'));
    const shell = `export HOME='${this.home}' PATH='${bin}':"$PATH" LC_ALL=C.UTF-8; cd\n${startUp}`;
    this.#write('shell', `#!/bin/sh\n${shell}\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n`, 0o755);
    fs.writeFileSync(this.#at('authorized_keys'), '');
    this.#makeKeys();
    this.allow('user', this.#at('shell'));
    if (process.getuid?.() === 0) fs.mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    const [program = SSHD, ...words] = [...through, SSHD, '-D', '-e', '-f', this.#serverConfig()];
    this.#child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.on('data', (text) => {
      this.#log += text;
    });
    atEnd(() => this.stop());
    this.env = { BK_SSH_COMMAND: `ssh -F '${this.#clientConfig()}'` };
  }

  /** As `env`, counting what goes over the connection, and cutting it after so many bytes (0: never). */
  counting(cut = 0): { readonly env: Readonly<Record<string, string>>; readonly moved: () => Moved } {
    const log = this.#write(`moved-${this.#logs++}`, '').toString();
    fs.writeFileSync(log, '');
    const command = `'${process.execPath}' '${RELAY}' '${log}' ${cut} ${this.env['BK_SSH_COMMAND']}`;
    const moved = (): Moved => {
      const lines = fs
        .readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .filter((line) => line !== '');
      const sum = (column: number) => lines.reduce((all, line) => all + Number(line.split(' ')[column]), 0);
      return { connections: lines.length, sent: sum(0), received: sum(1) };
    };
    return { env: { ...this.env, BK_SSH_COMMAND: command }, moved };
  }

  /** sshd itself. */
  get pid(): number {
    return this.#child.pid!;
  }

  get log(): string {
    return this.#log;
  }

  /** The address of a folder here. */
  address(folder: string, host = 'user'): string {
    return `ssh://${host}${folder.split('/').map(encodeURIComponent).join('/')}`;
  }

  /** Lets one more key in, under a name that serves as the host's: all that it may do is this command. */
  allow(name: string, command: string): void {
    const [type, key] = fs.readFileSync(`${this.#key(name)}.pub`, 'utf8').split(' ');
    const quoted = command.replaceAll('"', '\\"');
    fs.appendFileSync(this.#at('authorized_keys'), `command="${quoted}",restrict ${type} ${key}\n`);
  }

  /** Takes back what `allow` let in. */
  forbid(name: string): void {
    const [, key = ''] = fs.readFileSync(`${this.#key(name)}.pub`, 'utf8').split(' ');
    const lines = fs.readFileSync(this.#at('authorized_keys'), 'utf8').split('\n');
    fs.writeFileSync(this.#at('authorized_keys'), lines.filter((line) => !line.includes(key)).join('\n'));
  }

  stop(): void {
    for (const pid of this.descendants()) kill(pid, 'SIGKILL');
    this.#child.kill('SIGKILL');
  }

  /** All processes that came of sshd, parents first. */
  descendants(): number[] {
    const listed = spawnSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).stdout;
    const parents = listed
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
    const found = [this.pid];
    for (const one of found) for (const [pid, parent] of parents) if (parent === one) found.push(pid);
    return found.slice(1);
  }

  /** Those that are `bk serve`. */
  serving(): number[] {
    return this.descendants().filter((pid) => /\0serve\0--stdio/.test(commandLine(pid)));
  }

  #makeKeys(): void {
    for (const name of ['server', 'user', 'kept', 'stranger'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', this.#key(name)]);
    const server = fs.readFileSync(`${this.#key('server')}.pub`, 'utf8');
    fs.writeFileSync(this.#at('known_hosts'), `[${this.#host}]:${this.#port} ${server}`);
  }

  #serverConfig(): string {
    return this.#write(
      'sshd_config',
      [
        `Port ${this.#port}`,
        `ListenAddress ${this.#host}`,
        `HostKey ${this.#key('server')}`,
        `PidFile ${this.#at('sshd.pid')}`,
        `AuthorizedKeysFile ${this.#at('authorized_keys')}`,
        'StrictModes no',
        'UsePAM no',
        'PermitRootLogin yes',
        'PasswordAuthentication no',
        'KbdInteractiveAuthentication no',
        'MaxStartups 100',
        'PrintMotd no',
      ].join('\n'),
    );
  }

  /** `user` may do all, `kept` what `allow` says, `stranger` nothing. */
  #clientConfig(): string {
    const host = (name: string) => `Host ${name}
  HostName ${this.#host}
  Port ${this.#port}
  IdentityFile ${this.#key(name)}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile ${this.#at('known_hosts')}
  StrictHostKeyChecking yes
  GlobalKnownHostsFile /dev/null
`;
    return this.#write('ssh_config', ['user', 'kept', 'stranger'].map(host).join(''));
  }

  #key(name: string): string {
    return this.#at(`key-${name}`);
  }

  #at(name: string): string {
    return path.join(this.#folder, name);
  }

  #make(name: string): string {
    fs.mkdirSync(this.#at(name));
    return this.#at(name);
  }

  #write(name: string, text: string, mode = 0o600): string {
    fs.writeFileSync(this.#at(name), `${text}\n`, { mode });
    return this.#at(name);
  }
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function commandLine(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
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
